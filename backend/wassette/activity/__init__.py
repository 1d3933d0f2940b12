"""The record of what was asked, decided and done: one SQLite file for each user.

`entry` has what an entry is, `redact` takes secrets out of it, `log` writes (never in the way of a
call), `reader` finds again. Several processes may write and read at once.
"""

from .entry import Entry, Filter, Kind, Outcome
from .log import ActivityLog
from .reader import ActivityReader, Bucket
from .redact import Redactor

__all__ = [
    "ActivityLog",
    "ActivityReader",
    "Bucket",
    "Entry",
    "Filter",
    "Kind",
    "Outcome",
    "Redactor",
]
