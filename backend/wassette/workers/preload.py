"""What a worker needs loaded before it is confined, and has loaded when it is forked off.

The fork server does it once, so that a worker starts in milliseconds; a worker that starts as a
fresh interpreter does it for itself.
"""

from __future__ import annotations

# Imported when they are first used, by the standard library or by us: too late in a worker.
import encodings.ascii
import encodings.idna
import unicodedata

from wassette.sandbox import engine, tiers, weave

from . import walls

_LATE = (encodings.ascii, encodings.idna, unicodedata)


def preload() -> None:
    """Make the engines and linkers, read the guards, make the filters. Starts no thread."""
    weave.shipped()
    walls.prepare()
    for tier in tiers.Tier:
        engine.linker(tier)
