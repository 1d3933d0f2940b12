"""What this is made of. For a thread: it reads what is installed."""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from wassette import doctor

from . import models
from .words import clean

if TYPE_CHECKING:
    from wassette.config import Settings

_US = "wassette-desktop"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_PREFIX = "License :: OSI Approved :: "


def about(settings: Settings) -> models.About:
    report = doctor.examine(settings)
    return models.About(
        versions=report.versions,
        walls=[
            models.Wall(
                name=wall.name.value,
                stands=wall.stands,
                does=wall.does,
                by=wall.by or "",
                why=wall.why or "",
            )
            for wall in report.walls
        ],
        licences=list(licences()),
        findings=[clean(one.message) for one in report.findings],
    )


@cache
def licences() -> tuple[models.Licence, ...]:
    """Of everything that we need to run; by name.

    A packaged app brings the list that was made when it was built, with Python and the window's
    own packages: what was installed then is not known in it.
    """
    built = Path(getattr(sys, "_MEIPASS", "")) / "licences" / "index.json"
    if getattr(sys, "frozen", False) and built.is_file():
        found = json.loads(built.read_text("utf-8"))
        ours = ("name", "version", "licence")
        return tuple(models.Licence(**{key: one[key] for key in ours}) for one in found)
    return _installed()


def _installed() -> tuple[models.Licence, ...]:
    found: dict[str, models.Licence] = {}
    wanted = [_US]
    while wanted:
        name = wanted.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            one = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another system
        found[key] = models.Licence(name=name, version=one.version, licence=_licence(one))
        wanted += [
            match[0]
            for requirement in one.requires or ()
            if "extra ==" not in requirement and (match := _NAME.match(requirement))
        ]
    return tuple(found[key] for key in sorted(found))


def _licence(one: metadata.Distribution) -> str:
    about = one.metadata
    expression = _field(about, "License-Expression")
    if expression:
        return expression
    named = [
        value.removeprefix(_PREFIX)
        for value in about.get_all("Classifier") or ()
        if value.startswith(_PREFIX)
    ]
    text = _field(about, "License").partition("\n")[0]
    return ", ".join(named) or text[:100] or "see its files"


def _field(about: metadata.PackageMetadata, name: str) -> str:
    return str(about[name]).strip() if name in about else ""
