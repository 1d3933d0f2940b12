"""Takes the pictures of the documents: `scripts/build pictures`, into docs/images.

A real browser, a real host, a real agent's call that waits for a person, and the permissions of a
component.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
SIZE, WIDE = (1120, 700), (1440, 860)
KINDS = ("DATA", "CONFIG", "CACHE", "STATE")
POLICY = """\
version: "1.0"
description: Works on one project.
permissions:
  storage:
    allow:
      - uri: "fs://workspace/**"
        access: [read]
      - uri: "fs://workspace/src/**"
        access: [read, write]
    deny:
      - uri: "fs://workspace/**/secrets.*"
        access: [read, write]
  resources:
    limits:
      memory: "64Mi"
      timeout: "10s"
"""
sys.path.insert(0, str(ROOT / "tests"))


def main() -> int:
    home = Path(tempfile.mkdtemp(prefix="wassette-pictures-"))
    os.environ.update(
        HOME=str(home),
        PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring",
        **{f"XDG_{name}_HOME": str(home / name.lower()) for name in KINDS},
        XDG_RUNTIME_DIR=str(home),
    )
    from anyio.from_thread import start_blocking_portal
    from playwright.sync_api import sync_playwright

    from support.hosted import Pages, hosted
    from support.window import chromium, missing
    from wassette.config import Settings

    if why := missing():
        print(f"pictures: {why}", file=sys.stderr)
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        settings = Settings(home / "components")
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(hosted(settings, portal)) as here,
        ):
            here.load(Path("starter:fetch"))
            pages = Pages(browser, home)
            page = pages.open(here, "/", SIZE, device_scale_factor=1.5)
            call = here.agent("fetch", {"url": "https://docs.python.org/3/whatsnew/3.14.html"})
            page.locator('button:has-text("Allow")[aria-disabled="false"]').wait_for()
            take(page, "approval")
            page.locator('button:has-text("Deny")[aria-disabled="false"]').first.click()
            with suppress(CancelledError):
                call.result(60)
            here.load(Path("starter:files"))
            (settings.component_dir / "files.policy.yaml").write_text(POLICY)
            place = "/components/files?tab=permissions"
            page = pages.open(here, place, WIDE, device_scale_factor=1.2)
            page.get_by_placeholder("~/notes/today.md").fill("/workspace/secrets.toml")
            page.get_by_role("button", name="Explain").click()
            page.get_by_text("storage.deny").first.wait_for()
            take(page, "permissions")
            pages.close()
        browser.close()
    shutil.rmtree(home, ignore_errors=True)
    return 0


def take(page: Page, name: str) -> None:
    """What is shown, in both schemes."""
    from PIL import Image

    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
        out = ROOT / f"docs/images/{name}-{scheme}.png"
        # 128 colours are enough for a window, and a third of the size.
        found.convert("RGB").quantize(128).save(out, optimize=True)
        print(f"{out.relative_to(ROOT)}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    sys.exit(main())
