"""The documents: their links, their anchors, and the blocks in them that can be run."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^```.*?^```[^\n]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[(?:[^\]\\\[]|\\.|\[[^\]]*\])*\]\(([^()\s]+(?:\([^()]*\)[^()\s]*)?)\)")
_BLOCK = re.compile(
    r"^<!-- runnable -->\n```sh\n(.*?)^```$"
    r"(?:\n+<!-- prints -->\n```text\n(.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


def pages() -> list[Path]:
    """Every document that a person reads: of the site, and at the top of the repository."""
    return sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])


def links(text: str) -> list[str]:
    """Where a page leads, code left out."""
    prose = re.sub(r"`[^`\n]+`", "`code`", _FENCE.sub("", text))
    return _LINK.findall(prose)


def anchors(text: str) -> set[str]:
    """What can be led to in a page, as GitHub and MkDocs make them from headings."""
    found: set[str] = set()
    for line in _FENCE.sub("", text).splitlines():
        heading = re.match(r"#{1,6} +(.+?) *$", line)
        if heading is None:
            continue
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "")
        slug = re.sub(r"[^\w\s-]", "", words.lower()).strip()
        found.add(re.sub(r"\s", "-", slug))
        found.add(re.sub(r"[-\s]+", "-", slug))
    return found


def newcomer(home: Path) -> dict[str, str]:
    """The variables of somebody with a fresh home and `wassette` on the `PATH`, offline."""
    tools = home / "bin"
    tools.mkdir(parents=True)
    command = tools / "wassette"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wassette "$@"\n')
    command.chmod(0o755)
    return {
        "HOME": str(home),
        "PATH": f"{tools}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "LANG": "C.UTF-8",
        "XDG_RUNTIME_DIR": str(home),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        # Nothing is fetched: whoever tries goes nowhere.
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "UV_OFFLINE": "1",
    }


@dataclass(frozen=True)
class Block:
    """What a document says can be run, and the lines that it says are printed, among others."""

    script: str
    prints: tuple[str, ...]


def blocks(page: Path) -> list[Block]:
    return [
        Block(script, tuple(line.strip() for line in prints.splitlines() if line.strip()))
        for script, prints in _BLOCK.findall(page.read_text(encoding="utf-8"))
    ]


@dataclass(frozen=True)
class Typed:
    """A line that somebody types in a document, and the lines that it is shown to print."""

    line: str
    prints: tuple[str, ...]


def section(page: Path, heading: str) -> str:
    """What is below a heading of a page, up to the next."""
    _, found, rest = page.read_text(encoding="utf-8").partition(f"\n{heading}\n")
    assert found, f"{page.name} has no {heading}"
    return re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def fences(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def typed(block: str) -> list[Typed]:
    """Of a block of a terminal, in which `$ ` is before what is typed."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert not parts[0].strip(), f"before the first line: {parts[0]}"
    found = []
    for part in parts[1:]:
        line, *printed = part.replace("\\\n", "").splitlines()
        found.append(Typed(line, tuple(one.strip() for one in printed if one.strip())))
    return found
