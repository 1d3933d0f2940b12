"""Prints the time zones of the package `tzdata` (the IANA database, public domain) as C, for the
toolbox: python scripts/zones.py

A zone's data: how many kinds of time it has, and of each the offset in seconds (4 bytes), whether
it is daylight saving time (1), and its abbreviation (8, filled up with zeros); the kind before the
first change; how many changes there are since 1970 (2), and of each the second (4) and the kind
(1); then whether it goes on by a rule (1), and if so the two offsets (4 each), the abbreviations (8
each), and month, week, day and second (1, 1, 1, 4) of both changes. Numbers begin with their lowest
byte.
"""

from __future__ import annotations

import re
import struct
from importlib import metadata, resources

RULE = re.compile(r"(<[^>]+>|[A-Za-z]+)(-?[\d:]+)(?:(<[^>]+>|[A-Za-z]+)(-?[\d:]+)?,(.*))?")
DATE = re.compile(r"M(\d+)\.(\d+)\.(\d+)(?:/(-?[\d:]+))?")


def seconds(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    hours, minutes, rest = (*text.lstrip("-").split(":"), "0", "0")[:3]
    return sign * (int(hours) * 3600 + int(minutes) * 60 + int(rest))


def name8(text: str) -> bytes:
    return text.strip("<>").encode().ljust(8, b"\0")


def rule(text: str) -> bytes:
    """A rule as POSIX writes them, or that there is none."""
    found = RULE.fullmatch(text)
    assert found is not None, text
    if found[3] is None:
        return b"\0"
    standard = -seconds(found[2])
    daylight = -seconds(found[4]) if found[4] else standard + 3600
    out = struct.pack("<Bii", 1, standard, daylight) + name8(found[1]) + name8(found[3])
    for date in found[5].split(","):
        month = DATE.fullmatch(date)
        assert month is not None, text
        out += struct.pack("<BBBi", *(int(month[i]) for i in (1, 2, 3)), seconds(month[4] or "2"))
    return out


def zone(data: bytes) -> bytes:
    """A TZif file (RFC 9636) as described above."""
    counts = struct.unpack(">6l", data[20:44])
    utc, standard, leap, times, types, chars = counts
    skip = 44 + times * 5 + types * 6 + chars + leap * 8 + standard + utc
    utc, standard, leap, times, types, chars = struct.unpack(">6l", data[skip + 20 : skip + 44])
    at = skip + 44
    when = struct.unpack(f">{times}q", data[at : at + 8 * times])
    kinds = data[at + 8 * times : at + 9 * times]
    at += 9 * times
    made = [struct.unpack(">lBB", data[at + 6 * i : at + 6 * i + 6]) for i in range(types)]
    names = data[at + 6 * types : at + 6 * types + chars]
    footer = data.rstrip(b"\n").rpartition(b"\n")[2].decode()
    first = kinds[max(i for i in range(times) if when[i] < 0)] if any(t < 0 for t in when) else 0
    changes = [(time, kind) for time, kind in zip(when, kinds, strict=True) if time >= 0]
    out = struct.pack("<B", types)
    for offset, daylight, index in made:
        out += struct.pack("<iB", offset, daylight) + names[index:].partition(b"\0")[0].ljust(
            8, b"\0"
        )
    out += struct.pack("<BH", first, len(changes))
    out += b"".join(struct.pack("<IB", time, kind) for time, kind in changes)
    return out + rule(footer)


def main() -> None:
    folder = resources.files("tzdata")
    names = sorted(folder.joinpath("zones").read_text().split())
    blob, places, known = bytearray(), {}, {}
    for name in names:
        packed = zone(folder.joinpath("zoneinfo", *name.split("/")).read_bytes())
        if packed not in known:
            known[packed] = len(blob)
            blob += packed
        places[name] = known[packed]
    print(f'#define ZONES_VERSION TEXT("{metadata.version("tzdata")}")')
    print("static const struct { Text name; u32 at; } zone_names[] = {")
    for name in names:
        print(f'  {{TEXT("{name}"), {places[name]}}},')
    print("};\nstatic const u8 zone_data[] = {")
    for at in range(0, len(blob), 24):
        print("  " + ",".join(str(byte) for byte in blob[at : at + 24]) + ",")
    print("};")


if __name__ == "__main__":
    main()
