"""What a project is: a directory with `wassette.toml`, the WIT of its world, and a source.

name = "my-tool"       its id, and the name of its world
language = "js"        one of LANGUAGES
source = "my-tool.js"  what is built; the language's own if not given
http = true            whether JavaScript has `fetch`; false if not given
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wassette.errors import ProjectError, visible

from .names import is_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "wassette.toml"


@dataclass(frozen=True)
class Language:
    id: str
    title: str
    source: str
    """Where the code is, if the project does not say; `{name}` and `{snake}` in it are replaced."""


LANGUAGES: Mapping[str, Language] = {
    one.id: one
    for one in (
        Language("js", "JavaScript", "{name}.js"),
        Language("py", "Python", "app.py"),
        Language("c", "C", "component.c"),
        Language("rust", "Rust", "src/lib.rs"),
        Language("go", "Go", "main.go"),
    )
}


@dataclass(frozen=True)
class Project:
    folder: Path
    name: str
    language: Language
    source: Path
    http: bool = False

    @property
    def snake(self) -> str:
        return self.name.replace("-", "_")

    @property
    def component(self) -> Path:
        """Where it is built."""
        return self.folder / f"{self.name}.wasm"

    @property
    def wit(self) -> str:
        """The text of its WIT, without that of WASI. Raises `ProjectError`."""
        files = sorted(
            (self.folder / "wit").glob("*.wit"), key=lambda file: file.name != "world.wit"
        )
        if not files:
            raise ProjectError(
                f"{visible(str(self.folder))} has no WIT: it belongs into wit/world.wit"
            )
        try:
            return "\n".join(file.read_text(encoding="utf-8") for file in files)
        except (OSError, UnicodeDecodeError) as error:
            raise ProjectError(f"the WIT of {visible(self.name)} cannot be read: {error}") from None


def check_name(name: str) -> str:
    """The name of a project, if it is one. Raises `ProjectError`."""
    if not is_name(name):
        raise ProjectError(
            f"'{visible(name, 80)}' cannot be the name of a component here: it has to be words "
            f"of a-z and 0-9 with - between them, such as my-tool, and no word of WIT"
        )
    return name


def language_of(text: str) -> Language:
    known = LANGUAGES.get(text)
    if known is None:
        raise ProjectError(f"'{visible(text, 80)}' is no language here: {', '.join(LANGUAGES)}")
    return known


def read(folder: Path) -> Project:
    """The project in a directory. Raises `ProjectError`."""
    file = folder / FILE
    where = visible(str(file))
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProjectError(
            f"{visible(str(folder))} is no project: it has no {FILE}. "
            "`wassette component new --lang js NAME` makes one."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"{where} cannot be read: {error}") from None
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(f"{where} is not TOML: {error}") from None
    unknown = settings.keys() - {"name", "language", "source", "http"}
    if unknown:
        raise ProjectError(
            f"{where}: '{visible(min(unknown))}' is not a setting: name, language, source, http"
        )
    try:
        return _project(folder, settings)
    except ProjectError as error:
        raise ProjectError(f"{where}: {error}") from None


def _project(folder: Path, settings: Mapping[str, Any]) -> Project:
    name = check_name(_text(settings, "name"))
    language = language_of(_text(settings, "language"))
    default = language.source.format(name=name, snake=name.replace("-", "_"))
    source = _text(settings, "source", default)
    http = settings.get("http", False)
    if not isinstance(http, bool):
        raise ProjectError("http has to be true or false")
    path = folder / source
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ProjectError(f"source: '{visible(source)}' is not in the project")
    if not path.is_file():
        raise ProjectError(f"source: there is no '{visible(source)}' in the project")
    return Project(folder, name, language, path, http)


def _text(settings: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = settings.get(key, default)
    if not isinstance(value, str) or not value:
        raise ProjectError(f"{key} is missing" if value is None else f"{key} has to be a text")
    return value
