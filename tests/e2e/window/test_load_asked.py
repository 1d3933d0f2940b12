"""An agent wants to load a component: the sheet shows what a load by hand shows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from support import wat
from support.hosted import PATIENCE, shoot, text
from support.sheet import armed
from support.signing import by_key, new_key, public_pem
from support.window import NARROW
from wassette.config import Settings
from wassette.signature_options import Key, Mode, SignatureOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.hosted import Hosted, Pages

OURS, THEIRS = new_key(), new_key()
POLICY = """version: "1.0"
permissions:
  network:
    allow:
      - host: api.example.com
  storage:
    allow:
      - uri: fs:///srv/notes/**
        access: [read]
"""


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(
        home / "data" / "wassette" / "components",
        signatures=SignatureOptions(Mode.WARN, keys=(Key("ours", public_pem(OURS)),)),
    )


@pytest.fixture
def tool(tmp_path: Path, fixture_component: Callable[[str], Path]) -> Path:
    """A component that reaches the network and files, with a policy beside it."""
    path = tmp_path / "theirs" / "fetcher.wasm"
    path.parent.mkdir()
    path.write_bytes(fixture_component("c-http").read_bytes())
    path.with_name("policy.yaml").write_text(POLICY)
    return path


def sign(path: Path, key: Any) -> None:
    path.with_name(f"{path.name}.sigstore.json").write_bytes(by_key(key, path.read_bytes()))


def test_signature_digest_and_reach_are_in_the_question(
    here: Hosted, pages: Pages, tool: Path
) -> None:
    sign(tool, OURS)
    page = pages.open(here, "/settings")
    call = here.agent("load-component", {"path": str(tool)})
    sheet = page.get_by_role("dialog")
    expect(sheet).to_contain_text("wants to load a component from")
    expect(sheet).to_contain_text(f"sha256 {hashlib.sha256(tool.read_bytes()).hexdigest()}")
    expect(sheet).to_contain_text("whom your settings name")
    expect(sheet.get_by_title("Trusted")).to_be_visible()
    expect(sheet).to_contain_text("send HTTP requests to hosts that you allow")
    expect(sheet).to_contain_text("reach files; see variables: it imports nothing for that")
    expect(sheet).to_contain_text("“network api.example.com”")
    expect(sheet).to_contain_text("“storage read fs:///srv/notes/**”")
    expect(sheet).to_contain_text("it does not have by being loaded")
    assert pages.of(page).findings() == []
    shoot(page, "approval-load-sheet")
    # Nothing is there before a person says so, by keyboard.
    assert here.host.store.ids() == []
    armed(page, "Allow")
    page.keyboard.press("Enter")
    # What it asks for is a question of its own, with the same facts.
    expect(sheet).to_contain_text("have the permission")
    expect(sheet).to_contain_text("whom your settings name")
    expect(sheet).to_contain_text("send HTTP requests to hosts that you allow")
    assert pages.of(page).findings() == []
    shoot(page, "approval-bundled-sheet")
    armed(page, "Deny").click()
    assert '"granted":false' in text(call.result(PATIENCE)).replace(" ", "")
    assert here.host.store.ids() == ["fetcher"]
    assert here.policy("fetcher") == ""


@pytest.mark.parametrize(
    ("how", "says", "title"),
    [
        ("nobody", "Signature", "Not trusted"),
        ("a stranger", "none that is valid", "Not valid"),
        ("other bytes", "none that is valid", "Not valid"),
    ],
)
def test_signatures_that_are_none(
    here: Hosted, pages: Pages, tool: Path, how: str, says: str, title: str
) -> None:
    if how == "a stranger":
        sign(tool, THEIRS)
    if how == "other bytes":
        sign(tool, OURS)
        tool.write_bytes(wat.component(wat.one_function("other")))
    page = pages.open(here, "/settings", NARROW, color_scheme="dark")
    call = here.agent("load-component", {"path": str(tool)})
    sheet = page.get_by_role("dialog")
    expect(sheet).to_contain_text("wants to load a component from")
    expect(sheet).to_contain_text(says)
    expect(sheet.get_by_title(title)).to_be_visible()
    expect(sheet).not_to_contain_text("whom your settings name")
    if how == "a stranger":
        assert pages.of(page).overflows() == []
        shoot(page, "approval-load-sheet-narrow-dark")
        assert pages.of(page).findings() == []
    armed(page, "Deny").click()
    assert call.result(PATIENCE).is_error
    assert here.host.store.ids() == []
