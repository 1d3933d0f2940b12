"""What the documents say can be run is run, as by a new user: in a fresh home, offline."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.documents import DOCS, blocks, newcomer
from support.hosts import end_hosts

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [
    pytest.param(page, id=page.relative_to(DOCS).with_suffix("").as_posix())
    for page in sorted(DOCS.rglob("*.md"))
    if blocks(page)
]


@pytest.mark.skipif(os.name != "posix", reason="the blocks are for a shell")
@pytest.mark.parametrize("page", PAGES)
def test_blocks_run(page: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = newcomer(home)
    work = home / "work"
    work.mkdir()
    try:
        for number, block in enumerate(blocks(page), 1):
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.script],
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            said = done.stdout + done.stderr
            assert done.returncode == 0, f"block {number}: {said}"
            missing = [line for line in block.prints if line not in said]
            assert missing == [], f"block {number} does not print {missing}, but: {said}"
    finally:
        end_hosts(home)
