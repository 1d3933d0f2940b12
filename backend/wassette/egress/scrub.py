"""Secrets out of what comes back: as they are, and as programs usually encode them.

Each is replaced by what stands for it, encoded in the same way and therefore of the same length: a
response keeps its Content-Length, and what a component reads back it can send again.

A server that was sent a secret can say it in ways that nobody can foresee (backwards, in pieces,
compressed twice). This is for those that repeat what they get: echoes, error messages, debug pages.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wassette.policy.injection import BoundSecret

# One place in an encoded text: each way to write it there, and what to write instead.
_Unit = dict[bytes, bytes]

# What no encoding of text needs to touch.
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")
_ESCAPES: Final = (
    "%{:02X}", "%{:02x}", "\\u{:04X}", "\\u{:04x}", "\\x{:02X}", "\\x{:02x}",
    "&#{:d};", "&#{:02d};", "&#x{:X};", "&#x{:x};",
)  # fmt: skip
_NAMED: Final = {
    b'"': (b'\\"', b"&quot;"),
    b"\\": (b"\\\\",),
    b"/": (b"\\/",),
    b"&": (b"&amp;",),
    b"<": (b"&lt;",),
    b">": (b"&gt;",),
    b"'": (b"\\'", b"&apos;"),
    b" ": (b"+",),
}
_STANDARD: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL_SAFE: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# A shorter text in base64 or hexadecimal is in too much that has nothing to do with it.
_SHORTEST_ENCODED = 4


class Pattern:
    """One way in which a secret may be written, as what may stand at each place of it."""

    def __init__(self, units: Sequence[_Unit]) -> None:
        self._units = units
        self.longest = sum(max(map(len, unit)) for unit in units)
        self._several = [unit for unit in units if len(unit) > 1]
        begin, end = _longest_fixed(units)
        self._before = sum(max(map(len, unit)) for unit in units[:begin])
        self._anchor = b"".join(next(iter(unit)) for unit in units[begin:end])
        self._regex: re.Pattern[bytes] | None = None
        if self._several:
            self._regex = re.compile(b"".join(map(_as_regex, units)), re.DOTALL)
        self._whole = b"" if self._several else b"".join(b"".join(unit.values()) for unit in units)

    def found(self, text: bytes) -> Iterator[tuple[int, bytes]]:
        """Where it is, and what to put there."""
        # The anchor is what every spelling has in it. Looking for it is ten times faster.
        at = text.find(self._anchor)
        done = 0
        while at >= 0:
            if self._regex is None:
                done = at + len(self._anchor)
                yield at, self._whole
            else:
                match = self._regex.search(text, max(done, at - self._before))
                if match is None:
                    return
                done = match.end()
                yield match.start(), self._instead(match)
            at = text.find(self._anchor, done)

    def begins(self, text: bytes) -> int:
        """Where a spelling of it may begin that `text` has no end of; the length if nowhere."""
        best = len(text)
        from_here = max(0, best - self.longest + 1)
        for first in {spelling[:1] for spelling in self._units[0]}:
            at = text.find(first, from_here, best)
            while at >= 0:
                if self._may_begin(text, at):
                    best = at
                    break
                at = text.find(first, at + 1, best)
        return best

    def _may_begin(self, text: bytes, at: int) -> bool:
        places = {at}
        for unit in self._units:
            following = set()
            for place in places:
                rest = text[place : place + 12]
                for spelling in unit:
                    if rest.startswith(spelling):
                        following.add(place + len(spelling))
                    elif spelling.startswith(rest):
                        return True
            if not following:
                return False
            places = following
        return False

    def _instead(self, match: re.Match[bytes]) -> bytes:
        groups = iter(match.groups())
        return b"".join(
            unit[next(groups)] if len(unit) > 1 else next(iter(unit.values()))
            for unit in self._units
        )


class Scrubber:
    """For one component's secrets. Not for a stream yet: `stream` makes what is."""

    def __init__(self, secrets: Iterable[BoundSecret]) -> None:
        self.patterns = [
            pattern for secret in secrets for pattern in patterns(secret.new, secret.old)
        ]

    def clean(self, text: bytes) -> bytes:
        """All of a text. Its length stays."""
        for pattern in self.patterns:
            found = list(pattern.found(text))
            if found:
                changed = bytearray(text)
                for at, instead in found:
                    changed[at : at + len(instead)] = instead
                text = bytes(changed)
        return text

    def stream(self) -> Stream:
        return Stream(self)


class Stream:
    """A text in pieces. What may be the beginning of a secret waits for the next piece."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        text = self._scrubber.clean(self._held + data if self._held else data)
        end = min((pattern.begins(text) for pattern in self._scrubber.patterns), default=len(text))
        self._held = text[end:]
        return text[:end] if self._held else text

    def finish(self) -> bytes:
        held, self._held = self._held, b""
        return held


def patterns(old: bytes, new: bytes) -> list[Pattern]:
    """How `old` may be written, to become `new` in the same way. They are of one length."""
    ways = [_characters(old, new)]
    for escape in ("%{:02X}", "%{:02x}", "\\u{:04x}", "\\u{:04X}"):
        pairs = zip(old, new, strict=True)
        ways += [[{escape.format(a).encode(): escape.format(b).encode()} for a, b in pairs]]
    if len(old) >= _SHORTEST_ENCODED:
        for upper in (False, True):
            a, b = (one.upper() if upper else one for one in (old.hex(), new.hex()))
            ways.append([{a.encode(): b.encode()}])
        for alphabet in (_STANDARD, _URL_SAFE):
            ways += [_base64(old, new, shift, alphabet) for shift in range(3)]
    unique = {tuple(tuple(unit.items()) for unit in way): way for way in ways}
    return [Pattern(way) for way in unique.values()]


def _characters(old: bytes, new: bytes) -> list[_Unit]:
    """As text: any character may be escaped that some encoding of text escapes."""
    try:
        pieces = [char.encode() for char in old.decode()]
    except UnicodeDecodeError:
        pieces = [old[at : at + 1] for at in range(len(old))]
    units = []
    at = 0
    for piece in pieces:
        units.append(_spellings(piece, new[at : at + len(piece)]))
        at += len(piece)
    return units


def _spellings(piece: bytes, instead: bytes) -> _Unit:
    """One character, in every usual spelling."""
    unit: _Unit = {piece: instead}
    if len(piece) > 1:
        for escape in ("%{:02X}", "%{:02x}", "\\x{:02x}"):
            unit[_escaped(escape, piece)] = _escaped(escape, instead)
        code = ord(piece.decode())
        units16 = piece.decode().encode("utf-16-be")
        for escape in ("{:02x}", "{:02X}"):
            text = "".join(
                "\\u" + "".join(escape.format(byte) for byte in units16[at : at + 2])
                for at in range(0, len(units16), 2)
            )
            unit[text.encode()] = _fill(instead, len(text))
        for text in (f"&#{code};", f"&#x{code:x};", f"&#x{code:X};"):
            unit[text.encode()] = _fill(instead, len(text))
    elif piece[0] not in _PLAIN:
        for escape in _ESCAPES:
            found, better = _escaped(escape, piece), _escaped(escape, instead)
            unit[found] = better if len(better) == len(found) else _fill(instead, len(found))
        for named in _NAMED.get(piece, ()):
            # Letters have no such names.
            unit[named] = _fill(instead, len(named))
    return unit


def _base64(old: bytes, new: bytes, shift: int, alphabet: bytes) -> list[_Unit]:
    """In base64, after `shift` other bytes (modulo 3).

    The first and the last character have bits of the neighbours in them, which stay.
    """
    first, last = shift * 8, (shift + len(old)) * 8
    a, b = (
        int.from_bytes(b"\0" * shift + one + b"\0" * (-(shift + len(one)) % 3), "big")
        for one in (old, new)
    )
    size = (shift + len(old) + 2) // 3 * 24
    units = []
    for begin in range(first // 6 * 6, last, 6):
        down = size - begin - 6
        ours = 0
        for bit in range(begin, begin + 6):
            if first <= bit < last:
                ours |= 1 << (5 - (bit - begin))
        unit: _Unit = {}
        for others in range(64):
            if others & ours:
                continue
            before = alphabet[a >> down & 63 | others]
            after = alphabet[b >> down & 63 | others]
            unit |= _spellings(bytes([before]), bytes([after]))
        units.append(unit)
    return units


def _escaped(escape: str, piece: bytes) -> bytes:
    return "".join(escape.format(byte) for byte in piece).encode()


def _fill(text: bytes, length: int) -> bytes:
    return (text * length)[:length]


def _longest_fixed(units: Sequence[_Unit]) -> tuple[int, int]:
    """The longest run of places that can be written in one way only."""
    best, begin = (0, 0), 0
    for end in range(len(units) + 1):
        if end == len(units) or len(units[end]) > 1:
            if end - begin > best[1] - best[0]:
                best = (begin, end)
            begin = end + 1
    return best


def _as_regex(unit: _Unit) -> bytes:
    if len(unit) == 1:
        return re.escape(next(iter(unit)))
    # Longest first: `%25` is not `%` with something behind it.
    return b"(" + b"|".join(re.escape(one) for one in sorted(unit, key=len, reverse=True)) + b")"
