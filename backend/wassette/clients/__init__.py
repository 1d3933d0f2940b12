"""Wassette in the editors and agents of this machine, with one click.

`Clients` looks, plans, writes and undoes; `check` finds entries that do not work; `catalog` has
the clients as data, `launcher` the command that they run, `formats` the changes in their files.
"""

from __future__ import annotations

from .bundle import bundle
from .catalog import CLIENTS, Client
from .checks import Finding, check, fix
from .entries import Standing
from .launcher import Launcher, find_launcher
from .links import badges, deep_link, web_link
from .registration import Clients, Plan, State, Verified, Written

__all__ = [
    "CLIENTS",
    "Client",
    "Clients",
    "Finding",
    "Launcher",
    "Plan",
    "Standing",
    "State",
    "Verified",
    "Written",
    "badges",
    "bundle",
    "check",
    "deep_link",
    "find_launcher",
    "fix",
    "web_link",
]
