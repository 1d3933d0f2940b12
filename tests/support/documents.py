"""The documents: their links, their anchors, and the blocks in them that can be run."""

from __future__ import annotations

import re
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
