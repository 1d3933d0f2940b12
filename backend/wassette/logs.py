"""Which messages are logged, and in what form. Always to stderr: stdout is for results and MCP."""

from __future__ import annotations

import logging
import os
import sys

from .errors import ConfigError, visible

LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}


def set_up(form: str = "%(levelname)s %(name)s: %(message)s") -> None:
    """Log to stderr, as much as WASSETTE_LOG says. Raises `ConfigError`."""
    logging.basicConfig(stream=sys.stderr, format=form)
    logging.getLogger().setLevel(_level())


def _level() -> int:
    chosen = os.environ.get("WASSETTE_LOG", "").strip().lower()
    if chosen:
        if chosen not in LEVELS:
            raise ConfigError(
                f"WASSETTE_LOG is one of {', '.join(LEVELS)}; not '{visible(chosen, 40)}'"
            )
        return LEVELS[chosen]
    # Wassette's `info,cranelift_codegen=warn`: the first word is about everything.
    first = os.environ.get("RUST_LOG", "").split(",")[0].strip().lower()
    return LEVELS.get(first, logging.WARNING)
