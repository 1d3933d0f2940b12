"""What is known of a component that is to be loaded, as lines of the question whether it may be.

The words are ours; what others wrote is quoted. Imported when somebody is asked, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answers import signature_state
from .approvals.text import quoted
from .errors import InvalidComponent
from .policy.requested import Requested
from .sandbox.capabilities import Held, capabilities
from .signature_options import Mode
from .signatures import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .approvals.model import Fact
    from .components.record import ComponentRecord
    from .components.signature import Signature
    from .sandbox.capabilities import Capabilities

MAX_LINES, MAX_LINE = 12, 400
"""Permissions that it asks for which are shown one by one, and characters of each. All of them are
shown in full before any is given."""

_CANNOT = {
    "files": "reach files",
    "network": "reach the network",
    "environment": "see variables",
}


def facts(
    source: str, signature: Signature, *, trusted: bool, component: bytes, requested: str
) -> list[Fact]:
    """Of one that was fetched. `requested`: the permissions that it came with, as the text of a
    policy."""
    found = [_signed(source, signature, trusted), *_reach_of(component)]
    lines = Requested(requested).lines() if requested else ()
    found += [("Asks for", quoted(line, MAX_LINE)) for line in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        found.append(("Asks for", f"{len(lines) - MAX_LINES} more"))
    return found


def facts_of(record: ComponentRecord, *, trusted: bool) -> list[Fact]:
    """Of one that is loaded, for the question about what it came with."""
    return [_signed(record.source, record.signature, trusted), *_reach(capabilities(record))]


def unfetched(mode: Mode) -> list[Fact]:
    """Of one that nobody has looked at, since that would be to fetch it."""
    match mode:
        case Mode.OFF:
            signed = "not looked at, as your settings say"
        case Mode.REQUIRE:
            signed = (
                "looked at when it is fetched; unless somebody signed it whom your settings name, "
                "it is not loaded"
            )
        case _:
            signed = "looked at when it is fetched; it is loaded without one, too"
    return [("Signature", signed), ("Could", "not known before it is fetched")]


def _signed(source: str, signature: Signature, trusted: bool) -> Fact:
    signer = quoted(str(signature.signer), MAX_LINE)
    match signature_state(signature, trusted):
        case "trusted":
            text = f"by {signer}, whom your settings name"
        case "signed":
            text = f"by {signer}, whom your settings do not name"
        case "invalid":
            text = f"none that is valid: {quoted(signature.problem, MAX_LINE)}"
        case "unsigned":
            text = "none"
        case _ if source.startswith(SHIPPED):
            text = "none is needed: it comes with Wassette"
        case _:
            text = "not looked at, as your settings say"
    return "Signature", text


def _reach_of(component: bytes) -> Iterator[Fact]:
    try:
        can = capabilities(component)
    except InvalidComponent as error:
        # To the person, who is asked all the same: whoever asks for it learns nothing of a file.
        yield "Careful", f"it will not be loaded: {quoted(f'it {error}', MAX_LINE)}"
    else:
        yield from _reach(can)


def _reach(can: Capabilities) -> Iterator[Fact]:
    """What it could do at all, by what it imports."""
    if can.unavailable:
        names = quoted(", ".join(can.unavailable), MAX_LINE)
        yield (
            "Careful",
            f"it imports {names}, which Wassette does not provide, so it will not be loaded",
        )
    could = [one.text for one in can.reach if one.held is not Held.ALWAYS]
    yield "Could", "; ".join(could) or "nothing outside of it, whatever it is permitted"
    cannot = [text for name, text in _CANNOT.items() if name not in can.names]
    if could and cannot:
        yield "Cannot", f"{'; '.join(cannot)}: it imports nothing for that"
