"""The site is built without a warning, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.documents import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "https_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return out


def test_every_document_and_the_reference_are_pages(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        assert site.joinpath(page.relative_to(ROOT / "docs")).with_suffix(".html").is_file(), page
    for name in ("commands", "settings", "policy", "tools", "http", "errors"):
        assert (site / f"reference/{name}.html").is_file()


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        loaded = re.findall(r'<(?:script|img|link|iframe)\b[^>]*?(?:src|href)="([^"]+)"', text)
        elsewhere = [one for one in loaded if re.match(r"(https?:)?//", one)]
        assert elsewhere == [], page


def test_anchors_of_the_built_pages_exist(site: Path) -> None:
    """As a browser follows them: of all pages, the made ones too."""
    ids = {
        page.resolve(): set(re.findall(r'\bid="([^"]+)"', page.read_text("utf-8")))
        for page in site.rglob("*.html")
    }
    checked = 0
    for page in ids:
        for link in re.findall(r'<a\b[^>]*?href="([^"]*#[^"]+)"', page.read_text("utf-8")):
            path, _, anchor = link.partition("#")
            if "://" in path:
                continue
            target = (page.parent / path).resolve() if path else page
            assert anchor in ids[target], f"{page.name}: {link}"
            checked += 1
    assert checked > 300
