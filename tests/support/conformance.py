"""The conformance suite of the protocol's authors (npm), installed once and run against a URL.

It is kept beside the built components, in `$WASSETTE_TEST_CACHE`: installing needs the registry,
running needs nothing but the server.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from build import NODE_MODULES, cache_folder
from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PACKAGE = "@modelcontextprotocol/conformance"
VERSION = "0.2.0-alpha.12"
REVISIONS = ("2025-11-25", "2026-07-28")
NODE = NODE_MODULES / ".bin" / ("node.cmd" if os.name == "nt" else "node")  # Node 24


@dataclass(frozen=True)
class Report:
    """What came of a run."""

    failed: Mapping[str, tuple[str, ...]]
    """Required scenarios that failed: their checks that did, with why."""
    passed: frozenset[str]
    """Required scenarios that passed."""
    not_scored: Mapping[str, bool]
    """Scenarios that the revision does not require (extensions, what is pending), and whether they
    passed."""


def install() -> Path:
    """The suite's entry point."""
    folder = cache_folder() / f"conformance-{VERSION}"
    entry = folder / "node_modules" / PACKAGE / "dist" / "index.js"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not (folder / ".installed").exists():
            npm = "npm.cmd" if os.name == "nt" else "npm"
            command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund"]
            command += ["--loglevel=error", "--ignore-scripts", f"{PACKAGE}@{VERSION}"]
            subprocess.run(command, check=True, capture_output=True, text=True)
            (folder / ".installed").touch()
    return entry


def run(url: str, revision: str, output: Path) -> Report:
    """Run everything that a revision requires, and what it only reports."""
    command = [str(NODE), str(install()), "server", "--url", url]
    command += ["--requirements", revision, "--output-dir", str(output)]
    # A proxy of the environment is not for loopback.
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, env=environment, check=False
    )
    summary = done.stdout.partition("=== SUMMARY ===")[2]
    assert summary, done.stdout + done.stderr
    scored, _, rest = summary.partition("Not scored for")
    results = {name: mark for mark, name in re.findall(r"^([✓✗]) (\S+):", scored, re.MULTILINE)}
    not_scored = set(re.findall(r"^  [✓✗] (\S+) \(", rest, re.MULTILINE))
    required = results.keys() - not_scored
    failed = {name for name in required if results[name] == "✗"}
    return Report(
        failed={name: _why(output, name) for name in failed},
        passed=frozenset(required - failed),
        not_scored={name: results[name] == "✓" for name in not_scored if name in results},
    )


def _why(output: Path, scenario: str) -> tuple[str, ...]:
    found = []
    for file in output.glob(f"server-{scenario}-20*/checks.json"):
        checks = json.loads(file.read_text(encoding="utf-8"))
        bad = [check for check in checks if check.get("status") == "FAILURE"]
        found += [f"{check.get('id')}: {check.get('errorMessage')}" for check in bad]
    return tuple(found)


if __name__ == "__main__":
    print(install(), file=sys.stderr)
