"""The cassette, drawn at the sizes that trays want, from `cassette.svg`.

What is drawn of SVG is what that file uses: rectangles, circles, lines and polygons in groups.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = (22, 24, 32, 48)
"""Pixels; a tray takes the one that fits best."""
FRAMES = 6
"""Pictures of a reel until it looks the same again: half a turn."""
_SIDE = 64.0
_FINER = 8
"""Drawn this much larger, and then made small: PIL draws hard edges."""
_GREY = {"#3d63dd": "#8a8f9c", "#24409a": "#5d626e", "#1c2552": "#43474f", "#f4f6ff": "#eceef2"}
_CLEAR = (0, 0, 0, 0)


class Look(StrEnum):
    """What the icon says."""

    IDLE = "idle"
    RUNNING = "running"
    ASKS = "asks"
    """A person is needed."""
    PAUSED = "paused"
    ERROR = "error"


@dataclass(frozen=True)
class Picture:
    """One picture of the icon."""

    look: Look = Look.IDLE
    waiting: int = 0
    """What waits for a person; 0 unless the look is `ASKS`."""
    frame: int = 0
    """How far the reels have turned."""


@dataclass(frozen=True)
class _Shape:
    kind: str
    numbers: tuple[float, ...]
    paint: str
    width: float = 0.0
    gap: float = 0.0
    round: float = 0.0


def svg() -> str:
    """The source, which is an icon itself."""
    return (resources.files(__package__) / "cassette.svg").read_text("utf-8")


@lru_cache(maxsize=64)
def draw(picture: Picture, size: int) -> Image.Image:
    """A square picture with transparency; not to be changed, others have the same one."""
    image = Image.new("RGBA", (size * _FINER, size * _FINER), _CLEAR)
    pen = _Pen(image, size * _FINER / _SIDE)
    grey = picture.look in (Look.PAUSED, Look.ERROR)
    turn = picture.frame % FRAMES * math.pi / FRAMES
    for shape in _shapes()["case"]:
        pen.draw(shape, grey)
    for shape in _shapes()["reels"]:
        pen.draw(_turned(shape, turn), grey)
    for shape in _shapes().get(picture.look.value, ()):
        pen.draw(shape, False)
    if picture.look is Look.ASKS and picture.waiting and size >= 22:
        # At fewer pixels a digit is a smudge; the dot alone says enough.
        pen.number(picture.waiting)
    return image.resize((size, size), Image.Resampling.BOX)


@cache
def _shapes() -> dict[str, tuple[_Shape, ...]]:
    root = ElementTree.fromstring(svg())  # noqa: S314  (our own file)
    return {group.get("id", ""): tuple(_read(group)) for group in root}


def _read(group: ElementTree.Element) -> Iterator[_Shape]:
    for element in group.iter():
        kind = element.tag.rpartition("}")[2]

        def number(name: str, element: ElementTree.Element = element) -> float:
            return float(element.get(name, "0"))

        match kind:
            case "rect":
                x, y = number("x"), number("y")
                box = (x, y, x + number("width"), y + number("height"))
                yield _Shape(kind, box, element.get("fill", ""), round=number("rx"))
            case "circle":
                disc = (number("cx"), number("cy"), number("r"))
                yield _Shape(kind, disc, element.get("fill", ""), gap=number("data-gap"))
            case "line":
                ends = (number("x1"), number("y1"), number("x2"), number("y2"))
                stroke, width = element.get("stroke", ""), number("stroke-width")
                yield _Shape(kind, ends, stroke, width, number("data-gap"))
            case "polygon":
                points = element.get("points", "").replace(",", " ").split()
                yield _Shape(kind, tuple(map(float, points)), element.get("fill", ""))
            case _:
                assert kind == "g", kind


def _turned(shape: _Shape, angle: float) -> _Shape:
    """A line, turned about its middle."""
    if shape.kind != "line":
        return shape
    x1, y1, x2, y2 = shape.numbers
    cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
    half = math.hypot(x2 - x1, y2 - y1) / 2
    angle += math.atan2(y2 - y1, x2 - x1)
    dx, dy = half * math.cos(angle), half * math.sin(angle)
    return _Shape("line", (cx - dx, cy - dy, cx + dx, cy + dy), shape.paint, shape.width)


class _Pen:
    def __init__(self, image: Image.Image, scale: float) -> None:
        self._draw = ImageDraw.Draw(image)
        self._scale = scale

    def draw(self, shape: _Shape, grey: bool) -> None:
        if shape.gap:
            self._paint(shape, _CLEAR, shape.gap)
        self._paint(shape, _GREY.get(shape.paint, shape.paint) if grey else shape.paint, 0.0)

    def number(self, count: int) -> None:
        [badge] = _shapes()["asks"]
        x, y, radius = (one * self._scale for one in badge.numbers)
        text = str(count) if count < 10 else "9+"
        font = ImageFont.load_default(size=radius * (1.7 if len(text) == 1 else 1.25))
        self._draw.text(
            (x, y), text, fill="#231500", font=font, anchor="mm", stroke_width=int(radius / 14)
        )

    def _paint(self, shape: _Shape, colour: str | tuple[int, ...], more: float) -> None:
        numbers = tuple(one * self._scale for one in shape.numbers)
        more *= self._scale
        match shape.kind:
            case "rect":
                self._draw.rounded_rectangle(numbers, shape.round * self._scale, fill=colour)
            case "circle":
                self._disc(numbers[0], numbers[1], numbers[2] + more, colour)
            case "polygon":
                self._draw.polygon(numbers, fill=colour)
            case "line":
                width = shape.width * self._scale + 2 * more
                self._draw.line(numbers, fill=colour, width=round(width))
                for x, y in (numbers[:2], numbers[2:]):
                    self._disc(x, y, width / 2, colour)

    def _disc(self, x: float, y: float, r: float, colour: str | tuple[int, ...]) -> None:
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
