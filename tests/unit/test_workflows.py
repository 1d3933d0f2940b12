"""The workflows: what they may do, what they use, and that they end."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from support.documents import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
WRITES = {
    ("release", "publish"): {"contents", "id-token", "attestations"},
    ("release", "pypi"): {"id-token"},
    ("docs", "publish"): {"pages", "id-token"},
}
"""What each job may change; all others only read."""


def workflow(name: str) -> dict[str, Any]:
    read = YAML(typ="safe").load((ROOT / f".github/workflows/{name}.yml").read_text())
    assert isinstance(read, dict)
    return read


@pytest.mark.parametrize("name", [one.stem for one in WORKFLOWS])
def test_a_workflow_may_do_little(name: str) -> None:
    read = workflow(name)
    assert read["permissions"] == {"contents": "read"}
    for job_name, job in read["jobs"].items():
        given = {what for what, how in job.get("permissions", {}).items() if how == "write"}
        assert given == WRITES.get((name, job_name), set()), job_name


@pytest.mark.parametrize("name", [one.stem for one in WORKFLOWS])
def test_what_it_uses_has_a_version(name: str) -> None:
    steps = [step for job in workflow(name)["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert [one for one in used if not re.search(r"@(v|release/v)\d+$", one)] == []
    for step in steps:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_the_site_that_is_published_is_the_one_that_is_checked() -> None:
    jobs = workflow("docs")["jobs"]
    commands = [step["run"] for step in jobs["build"]["steps"] if "run" in step]
    assert any("mkdocs build --strict" in command for command in commands)
    [uploaded] = [
        step["with"]["path"]
        for step in jobs["build"]["steps"]
        if "upload-pages-artifact" in step.get("uses", "")
    ]
    settings = (ROOT / "mkdocs.yml").read_text()
    assert f"\nsite_dir: {uploaded}\n" in settings
    assert jobs["publish"]["needs"] == "build"
