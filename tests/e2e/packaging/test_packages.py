"""Every package, installed in a place of its own, does what Wassette is for."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from support import releases
from support.hosts import PATIENCE, eventually
from support.packages import KINDS, MOMENT, ROOT, VALIDATOR, Installed, current, installed

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not current(), reason="packages are built by scripts/test without arguments"
    ),
]
HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


class Place:
    """A package, and a user who has nothing but it."""

    def __init__(self, one: Installed, home: Path) -> None:
        self.one, self.home = one, home
        runtime = home / "runtime"
        runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A frozen one finds nothing on the PATH that could help it: no Python above all.
        path = "/nonexistent" if one.frozen else os.environ["PATH"]
        self.env = {
            "HOME": str(home),
            "PATH": path,
            "XDG_RUNTIME_DIR": str(runtime),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "WASSETTE_IDLE_TIMEOUT": "60",
        }

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.one.wassette, *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=self.env,
            cwd=self.home,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def processes(self) -> list[psutil.Process]:
        """What runs in this home."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("HOME") == str(self.home):
                    found.append(process)
            except psutil.Error:
                continue
        return [one for one in found if one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    one = Place(installed(request.param), tmp_path / "home")
    yield one
    for process in one.processes():
        process.kill()
    eventually(lambda: not one.processes())


def test_its_version_and_what_it_finds(place: Place) -> None:
    from packages import version

    assert place("--version") == f"wassette {version()}\n"
    found = json.loads(place("doctor", "-o", "json"))
    assert found["versions"]["wassette"] == version()
    assert "complete" in place("completion", "bash")


def test_a_starter_is_loaded_and_called(place: Place) -> None:
    place("component", "load", "starter:toolbox")
    arguments = json.dumps({"text": "hello", "algorithm": "sha256"})
    assert place("tool", "invoke", "hash", "--args", arguments).strip() == HELLO


async def test_a_client_over_stdio(place: Place) -> None:
    place("component", "load", "starter:toolbox")
    parameters = StdioServerParameters(
        command=str(place.one.wassette), args=["serve", "--stdio"], env=place.env
    )
    async with Client(stdio_client(parameters)) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"hash", "load-component"} <= tools
        done = await client.call_tool("hash", {"text": "hello", "algorithm": "sha256"})
        assert done.content[0].text == HELLO  # type: ignore[union-attr]


async def test_a_client_over_http(place: Place) -> None:
    place("component", "load", "starter:toolbox")
    with serving(place) as url:
        async with Client(f"{url}/mcp") as client:
            done = await client.call_tool("hash", {"text": "hello", "algorithm": "sha256"})
            assert done.content[0].text == HELLO  # type: ignore[union-attr]


@contextmanager
def serving(place: Place) -> Iterator[str]:
    process = subprocess.Popen(
        [place.one.wassette, "serve", "--http", "--bind-address", "127.0.0.1:0"],
        stderr=subprocess.PIPE,
        text=True,
        env=place.env,
    )
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r"(http://[^/ ]+)/", said)
        assert found is not None, said + process.stderr.read()
        yield found[1]
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


_LOOK = """
import sys
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=sys.argv[1])
    page = browser.new_page()
    page.goto(sys.argv[2])
    page.get_by_role("navigation", name="Main").wait_for(timeout=60_000)
    page.goto(page.url.rstrip("/") + "/components")
    page.get_by_text("toolbox").first.wait_for(timeout=60_000)
    page.goto(page.url.removesuffix("/components") + "/settings?tab=about")
    page.get_by_text("packages, and their licences").click()
    page.get_by_text(sys.argv[3], exact=False).first.wait_for(timeout=60_000)
    browser.close()
"""


def test_the_window(place: Place) -> None:
    from support.window import chromium

    browser = chromium()
    if browser is None:
        pytest.skip("there is no Chromium on this machine")
    place("component", "load", "starter:toolbox")
    link = re.search(r"http://127\.0\.0\.1:\d+/open/[\w-]+", place("ui", "--no-browser"))
    assert link is not None
    # What is bundled is listed in the window: of an app, that is Python too.
    part = "Python" if place.one.frozen else "pywebview"
    # A process of its own: what drives the browser keeps an event loop in its thread.
    subprocess.run(
        [sys.executable, "-c", _LOOK, browser, link[0], part], check=True, timeout=2 * PATIENCE
    )


def test_the_desktop_app_starts_and_leaves_nothing_running(place: Place, tmp_path: Path) -> None:
    """On a screen with no panel and no bus, where it has the least to go by."""
    from support.desktop import missing_programs, screen

    if missing_programs():
        pytest.skip("there is no screen to start it on")
    with screen(tmp_path / "screen", panel=False) as one:
        process = subprocess.Popen(
            [place.one.desktop, "--background"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**place.env, "DISPLAY": one.env["DISPLAY"]},
        )
        try:
            eventually(lambda: "hosts" in json.loads(place("host", "status", "-o", "json")))
            eventually(lambda: json.loads(place("host", "status", "-o", "json"))["hosts"] != [])
            process.terminate()
            said, _ = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, said
            eventually(lambda: not place.processes())
        finally:
            process.kill()
            process.communicate()


# ---- what is in them -----------------------------------------------------------------------------


def test_the_bundle_has_what_it_needs_and_no_more() -> None:
    app = installed("tar").wassette.parent / "_internal"
    inside = {path.relative_to(app).as_posix() for path in app.rglob("*") if path.is_file()}
    assert any(name.endswith("_libwasmtime.so") for name in inside)
    assert "wassette/window/static/index.html" in inside
    assert {"wassette/starters/toolbox.wasm", "wassette/sandbox/guard/files.wasm"} <= inside
    licences = json.loads((app / "licences/index.json").read_text())
    names = {one["name"].lower() for one in licences}
    assert {"wasmtime", "mcp", "pystray", "pywebview", "python", "svelte"} <= names
    for one in licences:
        assert (app / "licences" / one["file"]).stat().st_size > 0
    assert not {name for name in inside if "playwright" in name or "hypothesis" in name}
    files = [path for path in app.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < 120_000_000


def test_the_wheel_and_the_sdist_have_the_window() -> None:
    [wheel] = ROOT.glob("dist/*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "wassette/window/static/index.html" in names
    assert "wassette_desktop/run.py" in names
    assert not [name for name in names if "node_modules" in name or name.endswith(".pyc")]
    [sdist] = ROOT.glob("dist/wassette_desktop-*.tar.gz")
    with tarfile.open(sdist) as packed:
        inside = packed.getnames()
    assert any(name.endswith("backend/wassette/window/static/index.html") for name in inside)
    assert not [name for name in inside if "node_modules" in name]


_VALIDATE = """
import sys
from pathlib import Path
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

sys.exit(JsonStrictValidator(SchemaVersion.V1_6).validate_str(Path(sys.argv[1]).read_text()))
"""


def test_checksums_and_the_list_of_parts() -> None:
    lines = (ROOT / "dist/SHA256SUMS").read_text().splitlines()
    for line in lines:
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((ROOT / "dist" / name).read_bytes()).hexdigest() == digest
    kinds = {Path(line).suffix for line in lines}
    assert {".deb", ".whl", ".gz", ".json"} <= kinds
    [file] = ROOT.glob("dist/*.cdx.json")
    subprocess.run([VALIDATOR, "-c", _VALIDATE, file], check=True, timeout=PATIENCE)
    parts: dict[str, Any] = json.loads(file.read_text())
    assert (parts["bomFormat"], parts["specVersion"]) == ("CycloneDX", "1.6")
    references = [one["bom-ref"] for one in parts["components"]]
    assert len(set(references)) == len(references)
    assert any(one.startswith("pkg:pypi/wasmtime@") for one in references)
    assert parts["dependencies"][0]["dependsOn"] == sorted(references)


def test_two_builds_are_the_same() -> None:
    """File by file: if one of them ever has to differ, it is to be listed here, with the reason."""
    app = installed("tar").wassette.parent
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder)
        subprocess.run(
            [sys.executable, "packaging/packages.py", "bundle", "tar", "deb", "wheel", "sbom"],
            cwd=ROOT,
            check=True,
            timeout=600,
            env={
                "PACKAGE_EFFORT": "1",
                **os.environ,
                "PACKAGE_BUILD": folder,
                "SOURCE_DATE_EPOCH": MOMENT.read_text(),
            },
        )
        built = again / "bundle/wassette"
        assert contents(built) == {
            name: data for name, data in contents(app).items() if not name.startswith("share/")
        }
        for file in (again / "dist").glob("wassette*"):
            assert file.read_bytes() == (ROOT / "dist" / file.name).read_bytes(), file.name


def contents(folder: Path) -> dict[str, str]:
    """A digest of each file, by its name."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_lintian_has_nothing_to_say() -> None:
    [package] = ROOT.glob("dist/*.deb")
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning", package],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_script_installs_what_was_built_and_goes_without_leftovers(tmp_path: Path) -> None:
    import packages

    [archive] = ROOT.glob("dist/wassette-*-linux-*.tar.gz")
    script = packages.filled(packages.HERE / "install.sh")
    with releases.serving(tmp_path, script) as server:
        server.release(archive.read_bytes(), version=packages.version())
        done = server.run()
        assert done.returncode == 0, done.stderr
        one = Installed(
            "script", server.home / ".local/bin/wassette", server.home / ".local/bin/wassette", True
        )
        place = Place(one, server.home)
        assert place("--version") == f"wassette {packages.version()}\n"
        place("component", "load", "starter:toolbox")
        arguments = json.dumps({"text": "hello", "algorithm": "sha256"})
        assert place("tool", "invoke", "hash", "--args", arguments).strip() == HELLO
        kept = {name for name in server.left() if "wassette-app" not in name}
        icon = f"icons/hicolor/scalable/apps/{packages.facts().id}.svg"
        assert f".local/share/{icon}" in kept
        again = server.run()  # an update, while it may be in use
        assert again.returncode == 0, again.stderr
        assert server.run("--uninstall").returncode == 0
        # What is left is the user's: components, settings, what was recorded.
        ours = (".local/share/wassette/", ".config/wassette/", ".cache/wassette/", ".local/state/")
        assert [name for name in server.left() if not name.startswith(ours)] == []
        assert any(name.endswith("components/toolbox.wasm") for name in server.left())


def test_the_package_for_debian_installs_and_goes_without_leftovers(tmp_path: Path) -> None:
    [package] = ROOT.glob("dist/*.deb")
    root = tmp_path / "root"
    for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"):
        (root / folder).mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text("")
    (root / "var/lib/dpkg/available").write_text("")
    # Another root without its dependencies: they are on the machine.
    options = (f"--root={root}", "--force-not-root", "--force-depends", "--force-script-chrootless")

    def dpkg(*arguments: str | Path) -> None:
        done = subprocess.run(
            ["dpkg", *options, *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
        )
        assert done.returncode == 0, done.stdout + done.stderr

    dpkg("-i", package)
    said = subprocess.run(
        [root / "usr/bin/wassette", "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("wassette ")
    dpkg("--purge", "wassette")
    left = [path for path in root.rglob("*") if path.is_file() and "var" not in path.parts]
    assert left == []
