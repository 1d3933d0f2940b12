"""Projects: made, read, and what is wrong with them."""

from __future__ import annotations

import json
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest
from build import COMPONENTIZE, NODE_MODULES, ROOT

from wassette.errors import ProjectError
from wassette.policy.model import Policy
from wassette.policy.parse import parse_policy
from wassette.projects import docs
from wassette.projects.create import create
from wassette.projects.project import LANGUAGES, read
from wassette.projects.watch import stamp

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = ROOT / "backend" / "wassette" / "projects" / "tools"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_project_is_complete(tmp_path: Path, language: str) -> None:
    made = create(tmp_path / "x" / "my-tool", "my-tool", language)
    assert read(tmp_path / "x" / "my-tool") == made
    files = [file for file in made.folder.rglob("*") if file.is_file()]
    assert {"README.md", "policy.yaml", "wassette.toml", ".gitignore"} <= {f.name for f in files}
    for file in files:
        assert "{{" not in file.name + file.read_text().replace("{{}", "")
        assert "NAME" not in file.name
    assert "world my-tool {" in made.wit
    asks = parse_policy((made.folder / "policy.yaml").read_text(), "policy.yaml")
    assert asks == Policy(version="1.0", description=asks.description)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ProjectError, match="not empty"):
        create(tmp_path, "my-tool", "js")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "name", ["", "A", "a_b", "../x", "a--b", "-a", "a-", "1a", "world", "a" * 65, "a b", "a\n"]
)
def test_what_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProjectError, match="cannot be the name"):
        create(tmp_path / "p", name, "js")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "name is missing"),
        ("name = 1\nlanguage = 'js'", "name has to be a text"),
        ("name = 'a'", "language is missing"),
        ("name = 'a'\nlanguage = 'cobol'", "no language here: js, py"),
        ("name = 'a'\nlanguage = 'js'\nsource = '../a.js'", "not in the project"),
        ("name = 'a'\nlanguage = 'js'\nsource = '/etc/passwd'", "not in the project"),
        ("name = 'a'\nlanguage = 'js'\nsource = 'none.js'", "there is no 'none.js'"),
        ("name = 'a'\nlanguage = 'js'\nsource = 'out.js'", "not in the project"),
        ("name = 'a'\nlanguage = 'js'\nhttp = 'yes'", "true or false"),
        ("name = 'a'\nlanguage = 'js'\nhtpp = true", "'htpp' is not a setting"),
        ("name = 'a'\nname = 'b'", "is not TOML"),
        ("name = '..'\nlanguage = 'js'", "cannot be the name"),
    ],
)
def test_mistakes_in_a_project_are_explained(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "a.js").write_text("")
    (tmp_path / "out.js").symlink_to("/etc/passwd")
    (tmp_path / "wassette.toml").write_text(text)
    with pytest.raises(ProjectError, match=why) as raised:
        read(tmp_path)
    assert "wassette.toml" in str(raised.value)


def test_what_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="component new"):
        read(tmp_path)


def test_changes_are_seen_and_what_is_built_is_not(tmp_path: Path) -> None:
    made = create(tmp_path / "p", "my-tool", "js")
    before = stamp(made)
    made.component.write_bytes(b"x")
    (made.folder / "node_modules").mkdir()
    (made.folder / "node_modules" / "a.js").write_text("")
    assert stamp(made) == before
    made.source.write_text("export const x = 1;")
    assert stamp(made) != before
    (made.folder / "wit" / "more.wit").write_text("")
    assert len(stamp(made)) == len(before) + 1


# ---- doc comments ----

SECTION = """
import { readFile } from 'node:fs/promises';
const { packageDocsSection } = await import(process.argv[1]);
const section = packageDocsSection(await readFile(process.argv[2], 'utf8'), process.argv[3]);
process.stdout.write(Buffer.from(section).toString('hex'));
"""
WITS = sorted(
    (file, file.parent.name)
    for folder in ("tests/components", "backend/wassette/starters", "examples")
    for file in (ROOT / folder).rglob("*.wit")
    if f"world {file.parent.name} " in file.read_text()
)


@pytest.mark.parametrize(
    ("file", "world"), WITS, ids=lambda one: one if isinstance(one, str) else ""
)
def test_doc_comments_are_those_of_the_script(file: Path, world: str) -> None:
    command = [str(NODE_MODULES / ".bin" / "node"), "--input-type=module", "--eval", SECTION]
    script = str(COMPONENTIZE.with_name("wit-docs.mjs"))
    done = subprocess.run(
        [*command, script, str(file), world], capture_output=True, text=True, check=True
    )
    theirs = bytes.fromhex(done.stdout)
    ours = docs.section(file.read_text(), world)
    assert len(ours) == len(theirs)
    start = ours.find(b"{")
    assert ours[:start] == theirs[:start]
    if ours:
        assert json.loads(ours[start:]) == json.loads(theirs[start:])


@pytest.mark.parametrize(
    ("wit", "why"),
    [
        ("package a:b;", "no world 'x'"),
        ("package a:b;\nworld y {}", "it has: y"),
        ("package a:b;\nworld x {", "ends where"),
        ("world", "ends where"),
    ],
)
def test_a_wit_without_the_world(wit: str, why: str) -> None:
    with pytest.raises(ProjectError, match=why):
        docs.section(wit, "x")


# ---- what tool chains are pinned to ----


def test_tool_chains_are_those_that_the_tests_are_made_with() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    development = pyproject["dependency-groups"]["dev"]
    for name in ("python", "zig"):
        requirement = (TOOLS / name / "requirements.txt").read_text().split()[0]
        assert requirement in development
    ours = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    for name in ("js", "component"):
        manifest = json.loads((TOOLS / name / "package.json").read_text())
        lock = json.loads((TOOLS / name / "package-lock.json").read_text())
        for package, version in manifest["dependencies"].items():
            assert ours[package] == version
            assert lock["packages"][f"node_modules/{package}"]["version"] == version


@pytest.mark.parametrize("name", ["js", "component"])
def test_every_package_of_a_tool_chain_has_its_digest(name: str) -> None:
    lock = json.loads((TOOLS / name / "package-lock.json").read_text())
    for path, package in lock["packages"].items():
        if path and not package.get("link"):
            assert package["integrity"].startswith("sha512-"), path
            assert "resolved" not in package


@pytest.mark.parametrize("name", ["python", "zig"])
def test_every_wheel_of_a_tool_chain_has_its_digest(name: str) -> None:
    lines = (TOOLS / name / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if "==" in line]
    assert len(pins) == 1
    assert all("--hash=sha256:" in line for line in lines if line not in pins)
