"""The manifests of package managers, from one template each: `scripts/release manifests`.

`winget/`, `Formula/`, `Casks/` and `packaging/install.sh` of a release are filled with the
version, packaging/facts.toml and the checksums of what was built (`dist/SHA256SUMS`). `check` says
where version, manifests, changelog and tag disagree.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packages import DIST, HERE, ROOT, facts, filled, version

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATES = HERE / "templates"
NOT_RELEASED = "0" * 64
"""The checksum of what was not built yet. No release may have it."""
_DIGEST = re.compile(r"\b[0-9a-fA-F]{64}\b")


def places() -> dict[Path, Path]:
    """Each template, and the file in the repository that it makes."""
    name = facts().winget
    found = {
        TEMPLATES / "winget/version.yaml": ROOT / f"winget/{name}.yaml",
        TEMPLATES / "winget/installer.yaml": ROOT / f"winget/{name}.installer.yaml",
        TEMPLATES / "winget/locale.en-US.yaml": ROOT / f"winget/{name}.locale.en-US.yaml",
    }
    for folder in ("Formula", "Casks"):
        for path in sorted((TEMPLATES / folder).iterdir()):
            found[path] = ROOT / folder / path.name
    return found


def checksums(file: Path | None = None) -> dict[str, str]:
    """Names of what a release has, and their sha256, of `dist/SHA256SUMS`; empty without."""
    file = file or DIST / "SHA256SUMS"
    if not file.is_file():
        return {}
    found = {}
    for line in file.read_text().splitlines():
        digest, _, name = line.partition("  ")
        if not re.fullmatch(r"[0-9a-f]{64}", digest) or not name:
            raise SystemExit(f"{file} has a line that is not a checksum and a name: {line!r}")
        found[name] = digest
    return found


def fill(template: Path, sums: dict[str, str], *, everything: bool = False) -> str:
    """The manifest that `template` makes. Raises `SystemExit` if a checksum is not known and
    `everything` has to be."""
    missing = []

    def digest(found: re.Match[str]) -> str:
        name = found[1].replace("VERSION", version())
        if name not in sums:
            missing.append(name)
        value = sums.get(name, NOT_RELEASED)
        return value.upper() if template.suffix == ".yaml" else value

    text = re.sub(r"@SHA256:([^@]+)@", digest, template.read_text())
    if everything and missing:
        raise SystemExit(f"{template.name}: these were not built: {', '.join(missing)}")
    return filled(template, text)


def write(*, everything: bool) -> list[Path]:
    sums = checksums()
    done = []
    for template, place in places().items():
        place.parent.mkdir(exist_ok=True)
        place.write_text(fill(template, sums, everything=everything))
        done.append(place)
    for old in sorted((ROOT / "winget").glob("*.yaml")):
        if old not in done:
            old.unlink()
    installer = DIST / "install.sh"
    DIST.mkdir(exist_ok=True)
    installer.write_text(filled(HERE / "install.sh"))
    (DIST / "VERSION").write_text(version() + "\n")
    return [*done, installer]


@dataclass
class Check:
    """What disagrees, if anything does."""

    wrong: list[str] = field(default_factory=list)

    def want(self, right: bool, text: str) -> None:
        if not right:
            self.wrong.append(text)


def check(tag: str | None = None) -> list[str]:
    """Where version, manifests, changelog and `tag` disagree: one line each."""
    found = Check()
    number = version()
    changelog = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (\S+)", changelog, re.MULTILINE)
    found.want(
        number in headings, f"CHANGELOG.md has no `## {number}`, which is the version that it is"
    )
    if tag is not None:
        found.want(tag == f"v{number}", f"the tag is {tag}, the version {number}")
        found.want(
            headings[:1] == [number],
            f"CHANGELOG.md begins with {' '.join(headings[:1])}, not with {number}",
        )
    for template, place in places().items():
        name = place.relative_to(ROOT)
        if not place.is_file():
            found.want(False, f"{name} is missing: run scripts/release manifests")
            continue
        # Checksums are of a build, not of the source.
        is_same = _DIGEST.sub("", place.read_text()) == _DIGEST.sub("", fill(template, {}))
        found.want(is_same, f"{name} is not what its template gives: run scripts/release manifests")
        if tag is not None:
            found.want(
                NOT_RELEASED not in place.read_text(), f"{name} has a checksum of nothing in it"
            )
    made = {place.name for place in places().values()}
    for path in sorted((ROOT / "winget").glob("*")):
        found.want(path.name in made, f"winget/{path.name} has no template")
    return found.wrong


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["check"] and len(arguments) <= 2:
        wrong = check(*arguments[1:])
        for line in wrong:
            print(f"error: {line}", file=sys.stderr)
        return 1 if wrong else 0
    if arguments in (["write"], ["write", "--everything"]):
        for path in write(everything="--everything" in arguments):
            print(path.relative_to(ROOT))
        return 0
    print("usage: manifests.py write [--everything] | check [TAG]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
