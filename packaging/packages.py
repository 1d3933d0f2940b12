"""Makes packages: `scripts/build bundle|tar|zip|deb|wheel|sbom|licences|icons|sums`, most of them
in `dist/`.

The same commit gives the same bytes, as far as the tools allow: times are those of the commit
(`SOURCE_DATE_EPOCH`), lists are sorted, owners are root. docs/packaging.md says what differs.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.markers import default_environment
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "packaging"
# Elsewhere to see whether a second build gives the same.
BUILD = Path(os.environ.get("PACKAGE_BUILD") or ROOT / "build")
DIST = BUILD / "dist" if os.environ.get("PACKAGE_BUILD") else ROOT / "dist"
MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}
DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}
SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
LICENCE_FILE = re.compile(r"(^|/)(licen[cs]e|copying|notice|authors)[^/]*$", re.IGNORECASE)


@dataclass(frozen=True)
class Facts:
    """packaging/facts.toml, and the version."""

    version: str
    name: str
    title: str
    id: str
    winget: str
    publisher: str
    mail: str
    repository: str
    licence: str
    summary: str
    description: str


def version() -> str:
    """The one version there is."""
    text = (ROOT / "backend/wassette/_version.py").read_text()
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit("backend/wassette/_version.py does not say a version")
    return found[1]


def facts() -> Facts:
    return Facts(version=version(), **tomllib.loads((HERE / "facts.toml").read_text()))


def system() -> str:
    return SYSTEMS[sys.platform]


def machine() -> str:
    return MACHINES[platform.machine().lower()]


def moment() -> int:
    """Seconds since 1970 that files in packages have: of the commit, or as the caller says."""
    said = os.environ.get("SOURCE_DATE_EPOCH")
    if said:
        return int(said)
    try:
        done = subprocess.run(
            ["git", "log", "-1", "--format=%ct"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        return int(done.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return 1_700_000_000  # not a checkout


def run(*command: str | Path, **environment: str) -> None:
    subprocess.run(
        [str(part) for part in command], cwd=ROOT, check=True, env={**os.environ, **environment}
    )


# -- what is bundled ------------------------------------------------------------------------------


def distributions() -> list[metadata.Distribution]:
    """What a user of the package gets: its requirements, and theirs, as installed here."""
    environment: dict[str, str] = {**default_environment(), "extra": ""}  # type: ignore[dict-item]
    found: dict[str, metadata.Distribution] = {}
    waiting = [("wassette-desktop", frozenset[str]())]
    done: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if (key, extras) in done:
            continue
        done.add((key, extras))
        one = found.setdefault(key, metadata.distribution(name))
        for text in one.requires or ():
            wanted = Requirement(text)
            chosen = [{**environment, "extra": extra} for extra in ("", *sorted(extras))]
            if wanted.marker is None or any(wanted.marker.evaluate(each) for each in chosen):
                waiting.append((wanted.name, frozenset(wanted.extras)))
    del found["wassette-desktop"]
    return [found[key] for key in sorted(found)]


def licences() -> Path:
    """`build/licences`: a file for each package that is bundled, and index.json for the window."""
    out = BUILD / "licences"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    index = [
        _write_licence(out, one.metadata["Name"], one.version, _licence_name(one), _texts(one))
        for one in distributions()
    ]
    python = Path(sys.base_prefix) / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}"
    text = [path.read_text() for path in (python / "LICENSE.txt",) if path.is_file()]
    index.append(
        _write_licence(out, "Python", platform.python_version(), "PSF-2.0", text or [_PYTHON])
    )
    for name, (number, licence, texts) in sorted(_of_the_window().items()):
        index.append(_write_licence(out, name, number, licence, texts))
    shutil.copy(ROOT / "LICENSE", out / "wassette-desktop.txt")
    index.sort(key=lambda one: one["name"].lower())
    (out / "index.json").write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")
    return out


_PYTHON = "Copyright (c) Python Software Foundation. https://docs.python.org/3/license.html\n"


def _write_licence(
    out: Path, name: str, number: str, licence: str, texts: list[str]
) -> dict[str, str]:
    file = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-") + ".txt"
    body = "\n\n".join(texts) or f"{name} is distributed under: {licence}\n"
    (out / file).write_text(f"{name} {number}\n{licence}\n\n{body}", encoding="utf-8")
    return {"name": name, "version": number, "licence": licence, "file": file}


def _licence_name(one: metadata.Distribution) -> str:
    said = one.metadata.json
    if expression := said.get("license_expression"):
        return str(expression)
    classified = [
        text.rpartition(" :: ")[2]
        for text in one.metadata.get_all("Classifier") or ()
        if text.startswith("License :: ")
    ]
    short = str(said.get("license") or "").strip().partition("\n")[0]
    return ", ".join(classified) or short[:80] or "see its text"


def _texts(one: metadata.Distribution) -> list[str]:
    files = sorted(str(file) for file in one.files or () if LICENCE_FILE.search(str(file)))
    found = []
    for file in files:
        path = Path(str(one.locate_file(file)))
        if path.suffix in ("", ".txt", ".md", ".rst", ".MIT", ".APACHE", ".BSD") and path.is_file():
            found.append(path.read_text(encoding="utf-8", errors="replace"))
    return found


def _of_the_window() -> dict[str, tuple[str, str, list[str]]]:
    """What the window's pages are made with, from its lock file and node_modules."""
    lock = ROOT / "frontend/package-lock.json"
    modules = ROOT / "frontend/node_modules"
    if not lock.is_file() or not modules.is_dir():
        return {}
    found = {}
    for place, one in json.loads(lock.read_text())["packages"].items():
        folder = ROOT / "frontend" / place
        if not place or one.get("dev") or one.get("optional") or not folder.is_dir():
            continue
        texts = [
            file.read_text(encoding="utf-8", errors="replace")
            for file in sorted(folder.iterdir())
            if LICENCE_FILE.search(file.name) and file.is_file()
        ]
        name = place.rpartition("node_modules/")[2]
        found[name] = (str(one.get("version", "")), str(one.get("license", "")), texts)
    return found


def sbom() -> Path:
    """`dist/wassette-VERSION.cdx.json`: a CycloneDX list of what is bundled."""
    DIST.mkdir(exist_ok=True)
    about = facts()
    components = []
    for one in distributions():
        name = re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower()
        purl = f"pkg:pypi/{name}@{one.version}"
        components.append(_component(purl, one.metadata["Name"], one.version, _licence_name(one)))
    for name, (number, licence, _) in sorted(_of_the_window().items()):
        purl = f"pkg:npm/{name.replace('@', '%40')}@{number}"
        components.append(_component(purl, name, number, licence))
    root = f"pkg:pypi/{about.name}@{about.version}"
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": about.name,
                "version": about.version,
                "purl": root,
                "licenses": [{"license": {"id": about.licence}}],
            }
        },
        "components": components,
        "dependencies": [
            {"ref": root, "dependsOn": sorted(str(one["bom-ref"]) for one in components)}
        ],
    }
    out = DIST / f"wassette-{about.version}.cdx.json"
    out.write_text(json.dumps(document, indent=1) + "\n")
    return out


def _component(purl: str, name: str, number: str, licence: str) -> dict[str, object]:
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": number,
        "purl": purl,
        "licenses": [{"license": {"name": licence}}],
    }


def icons() -> Path:
    """`build/icons`: the app's icon as Windows (`.ico`) and macOS (`.iconset`) want it, drawn from
    the same picture as the one in the tray."""
    from wassette_desktop.icon import Picture, draw

    out = BUILD / "icons"
    shutil.rmtree(out, ignore_errors=True)
    apple = out / "wassette.iconset"
    apple.mkdir(parents=True)
    for side in (16, 32, 128, 256, 512):
        draw(Picture(), side).save(apple / f"icon_{side}x{side}.png")
        if side < 512:
            draw(Picture(), side * 2).save(apple / f"icon_{side}x{side}@2x.png")
    sides = (16, 20, 24, 32, 40, 48, 64, 128, 256)
    pictures = [draw(Picture(), side) for side in sides]
    pictures[-1].save(
        out / "wassette.ico",
        sizes=[(side, side) for side in sides],
        append_images=pictures[:-1],
    )
    return out


def icon() -> Path:
    """The one picture; the app draws its own from it too."""
    return ROOT / "desktop/wassette_desktop/cassette.svg"


# -- the bundle -----------------------------------------------------------------------------------


def bundle() -> Path:
    """`build/bundle/wassette`: a directory that runs on a machine without Python."""
    licences()
    if sys.platform == "win32":
        icons()
    run(
        *(sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level=WARN"),
        *("--distpath", BUILD / "bundle", "--workpath", BUILD / "work"),
        HERE / "wassette.spec",
        SOURCE_DATE_EPOCH=str(moment()),
        PYTHONHASHSEED="0",
        PYSTRAY_BACKEND="dummy",
    )
    out = BUILD / "bundle/wassette"
    for path in _files(out):
        if path.is_symlink():
            continue
        os.utime(path, (moment(), moment()))
    return out


def _files(root: Path) -> Iterator[Path]:
    return iter(sorted(path for path in root.rglob("*") if path.is_symlink() or path.is_file()))


def _bundle() -> Path:
    """The bundle, built if it is not there."""
    out = BUILD / "bundle/wassette"
    return out if (out / _exe("wassette")).is_file() else bundle()


def _exe(name: str) -> str:
    return f"{name}.exe" if sys.platform == "win32" else name


def stem() -> str:
    return f"wassette-{version()}-{system()}-{machine()}"


def tar() -> Path:
    """`dist/wassette-VERSION-SYSTEM-MACHINE.tar.gz`: what install.sh and Homebrew download."""
    source = _bundle()
    DIST.mkdir(exist_ok=True)
    out = DIST / f"{stem()}.tar.gz"
    with (
        out.open("wb") as raw,
        gzip.GzipFile("", "wb", _effort(), raw, mtime=moment()) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in _files(source):
            _add(archive, path, f"wassette/{path.relative_to(source).as_posix()}")
        for path in sorted((HERE / "linux").glob("*")) if system() == "linux" else []:
            name = path.name.replace("@", "")
            if path.suffix in (".desktop", ".service", ".xml"):
                _add(archive, path, f"wassette/share/{name}", filled(path).encode())
        if system() == "linux":
            _add(archive, icon(), "wassette/share/wassette.svg")
        for name, data in manuals().items():
            _add(archive, HERE, f"wassette/share/{name}", data)
    return out


def _effort() -> int:
    """1 to 9: how hard to compress. Tests care for what is in a package, not for its size."""
    return int(os.environ.get("PACKAGE_EFFORT", "9"))


def _add(archive: tarfile.TarFile, path: Path, name: str, data: bytes | None = None) -> None:
    entry = tarfile.TarInfo(name)
    entry.mtime = moment()
    if data is None and path.is_symlink():
        entry.type = tarfile.SYMTYPE
        entry.linkname = str(path.readlink())
        archive.addfile(entry)
        return
    data = path.read_bytes() if data is None else data
    entry.size = len(data)
    runs = path.is_file() and os.access(path, os.X_OK) and path.suffix not in (".desktop", ".svg")
    entry.mode = 0o755 if runs else 0o644
    archive.addfile(entry, io.BytesIO(data))


def zip_() -> Path:
    """`dist/wassette-VERSION-windows-MACHINE.zip`: the portable app."""
    import zipfile

    source = _bundle()
    DIST.mkdir(exist_ok=True)
    out = DIST / f"{stem()}.zip"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(source):
            entry = zipfile.ZipInfo(f"wassette/{path.relative_to(source).as_posix()}")
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, path.read_bytes())
    return out


def filled(path: Path, text: str | None = None) -> str:
    """A file of packaging/ (or its `text`) with what facts.toml says in place of `@NAME@`."""
    about = facts()
    values = {
        "VERSION": about.version,
        "ID": about.id,
        "WINGET": about.winget,
        "TITLE": about.title,
        "SUMMARY": about.summary,
        "DESCRIPTION": about.description.strip(),
        "REPOSITORY": about.repository,
        "PUBLISHER": about.publisher,
        "MAIL": about.mail,
        "LICENCE": about.licence,
        "DATE": _date(),
    }
    text = path.read_text() if text is None else text
    return re.sub(r"@([A-Z]+)@", lambda found: values[found[1]], text)


def _date() -> str:
    """Of the version, as the changelog says."""
    text = (ROOT / "CHANGELOG.md").read_text()
    found = re.search(rf"^## {re.escape(version())} \((\d{{4}}-\d\d-\d\d)\)$", text, re.MULTILINE)
    if found is None:
        raise SystemExit(f"CHANGELOG.md has no line `## {version()} (YYYY-MM-DD)`")
    return found[1]


def manuals() -> dict[str, bytes]:
    """The manual page, and completions for shells, by their names: made from the commands."""
    from documents import completions, manual

    found = {"wassette.1": manual(version(), _date()).encode()}
    return {**found, **completions()}


# -- Debian ---------------------------------------------------------------------------------------


def deb() -> Path:
    """`dist/wassette_VERSION_MACHINE.deb`."""
    about = facts()
    source = _bundle()
    stage = BUILD / "deb"
    shutil.rmtree(stage, ignore_errors=True)
    lib = stage / "usr/lib/wassette"
    shutil.copytree(source, lib, symlinks=True)
    binaries = stage / "usr/bin"
    binaries.mkdir(parents=True)
    for name in ("wassette", "wassette-desktop"):
        (binaries / name).symlink_to(f"../lib/wassette/{name}")
    share = stage / "usr/share"
    linux = HERE / "linux"
    for file, place in {
        "wassette.desktop": f"applications/{about.id}.desktop",
        "wassette.metainfo.xml": f"metainfo/{about.id}.metainfo.xml",
        "wassette-mime.xml": "mime/packages/wassette.xml",
    }.items():
        _put(share / place, filled(linux / file).encode())
    _put(share / f"icons/hicolor/scalable/apps/{about.id}.svg", icon().read_bytes())
    _put(
        stage / "usr/lib/systemd/user/wassette.service", filled(linux / "wassette.service").encode()
    )
    documents = share / "doc/wassette"
    _put(documents / "copyright", _copyright().encode())
    _put(documents / "changelog.gz", _packed(_debian_changelog().encode()))
    places = {
        "wassette.1": "man/man1/wassette.1.gz",
        "wassette.bash": "bash-completion/completions/wassette",
        "wassette.zsh": "zsh/vendor-completions/_wassette",
        "wassette.fish": "fish/vendor_completions.d/wassette.fish",
    }
    for name, data in manuals().items():
        _put(share / places[name], _packed(data) if name == "wassette.1" else data)
    _put(share / "man/man1/wassette-desktop.1.gz", _packed(b".so man1/wassette.1\n"))
    _put(share / "lintian/overrides/wassette", filled(linux / "lintian-overrides").encode())
    for path in stage.rglob("*"):
        if path.is_symlink():
            continue
        path.chmod(0o755 if path.is_dir() or _is_program(path) else 0o644)
    size = sum(path.lstat().st_size for path in _files(stage)) // 1024
    control = f"""Package: wassette
Version: {about.version}
Architecture: {DEBIAN[machine()]}
Maintainer: {about.publisher} <{about.mail}>
Installed-Size: {size}
Depends: libc6 (>= 2.34), libseccomp2, zlib1g
Recommends: xdg-utils, gir1.2-webkit2-4.1, python3-gi
Suggests: gnome-keyring
Section: utils
Priority: optional
Homepage: {about.repository}
Description: {about.summary}
{_paragraph(about.description)}
"""
    _put(stage / "DEBIAN/control", control.encode())
    sums = "".join(
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  "
        f"{path.relative_to(stage)}\n"
        for path in _files(stage)
        if not path.is_symlink() and path.parts[len(stage.parts)] != "DEBIAN"
    )
    _put(stage / "DEBIAN/md5sums", sums.encode())
    for path in (*stage.rglob("*"), stage):
        os.utime(path, (moment(), moment()), follow_symlinks=False)
    DIST.mkdir(exist_ok=True)
    out = DIST / f"wassette_{about.version}_{DEBIAN[machine()]}.deb"
    run(
        *(
            "dpkg-deb",
            "--root-owner-group",
            "-Zxz",
            f"-z{min(_effort(), 6)}",
            "--build",
            stage,
            out,
        ),
        SOURCE_DATE_EPOCH=str(moment()),
    )
    return out


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o644)


def _packed(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=moment())


def _is_program(path: Path) -> bool:
    return path.name in ("wassette", "wassette-desktop") and path.parent.name == "wassette"


def _paragraph(text: str) -> str:
    import textwrap

    return "\n".join(f" {line}" for line in textwrap.wrap(text.strip(), 78))


def _copyright() -> str:
    """Ours, and what the bundle has of others: their texts are in it."""
    about = facts()
    bundled = json.loads((BUILD / "licences/index.json").read_text())
    lines = [f"  {one['name']} {one['version']}: {one['licence']}" for one in bundled]
    return (
        f"{about.title} {about.version}, {about.repository}\n\n{(ROOT / 'LICENSE').read_text()}\n"
        "It brings these with it, whose licences are in /usr/lib/wassette/_internal/licences, and "
        "some of\nthem, as they are common, in /usr/share/common-licenses:\n\n"
        + "\n".join(lines)
        + "\n"
    )


def _debian_changelog() -> str:
    about = facts()
    from email.utils import formatdate

    return (
        f"wassette ({about.version}) stable; urgency=medium\n\n"
        f"  * See {about.repository}/blob/main/CHANGELOG.md\n\n"
        f" -- {about.publisher} <{about.mail}>  {formatdate(moment())}\n"
    )


# -- Python's -------------------------------------------------------------------------------------


def wheel() -> Path:
    """The wheel and the sdist, as they go to PyPI."""
    uv = shutil.which("uv") or str(ROOT / ".tools/bin/uv")
    run(uv, "build", "--quiet", "--out-dir", DIST, ROOT, SOURCE_DATE_EPOCH=str(moment()))
    return DIST


def sums() -> Path:
    """`dist/SHA256SUMS` of all there is in dist/."""
    out = DIST / "SHA256SUMS"
    released = (".whl", ".gz", ".deb", ".zip", ".dmg", ".exe", ".json")
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(DIST.iterdir())
        if path.suffix in released and not path.name.startswith(out.name)
    ]
    out.write_text("".join(lines))
    return out


VERBS: dict[str, Callable[[], Path]] = {
    "licences": licences,
    "icons": icons,
    "sbom": sbom,
    "bundle": bundle,
    "tar": tar,
    "zip": zip_,
    "deb": deb,
    "wheel": wheel,
    "sums": sums,
}


def main(arguments: list[str]) -> int:
    for verb in arguments:
        if verb not in VERBS:
            print(f"usage: scripts/build {' | '.join(VERBS)}", file=sys.stderr)
            return 2
        print(VERBS[verb]())
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.exit(main(sys.argv[1:]))
