"""A new project, from the template of its language."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from wassette.errors import ProjectError, visible

from .project import Project, check_name, language_of, read

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path


def create(folder: Path, name: str, language: str) -> Project:
    """Make the project `name` in `folder`, which must be empty or not there.

    Raises `ProjectError`.
    """
    known = language_of(language)
    check_name(name)
    templates = resources.files(__package__).joinpath("templates")
    values = {"{{name}}": name, "{{snake}}": name.replace("-", "_"), "{{title}}": known.title}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ProjectError(f"{visible(str(folder))} is not empty")
        for template in (templates.joinpath("common"), templates.joinpath(known.id)):
            _copy(template, folder, values)
    except OSError as error:
        raise ProjectError(
            f"the project cannot be made in {visible(str(folder))}: {error.strerror}"
        ) from None
    return read(folder)


def _copy(template: Traversable, folder: Path, values: dict[str, str]) -> None:
    """All files, in whose names and texts the values are put. `dot-` in a name stands for a dot:
    packagers leave out what begins with one."""
    for one in template.iterdir():
        name = one.name.replace("dot-", ".")
        for key, value in values.items():
            name = name.replace(key.strip("{}").upper(), value)
        if one.is_dir():
            if one.name != "__pycache__":
                (folder / name).mkdir(exist_ok=True)
                _copy(one, folder / name, values)
            continue
        text = one.read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(key, value)
        (folder / name).write_text(text, encoding="utf-8")
