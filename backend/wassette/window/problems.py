"""Errors as RFC 9457 has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse

from wassette import errors

from .models import Problem, Where

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE = "application/problem+json"
_PLACE = re.compile(r"\A[^\n]*?:([0-9]{1,7})(?::([0-9]{1,7}))?: ")


@dataclass(frozen=True)
class _Kind:
    status: int
    name: str
    title: str


# The most special first: the first one that an error is an instance of counts.
_KINDS: tuple[tuple[type[errors.WassetteError], _Kind], ...] = (
    (errors.ComponentNotFound, _Kind(404, "component-not-found", "There is no such component")),
    (errors.ToolNotFound, _Kind(404, "tool-not-found", "There is no such tool")),
    (errors.ApprovalNotFound, _Kind(404, "approval-not-found", "There is no such request")),
    (errors.ApprovalOver, _Kind(409, "approval-over", "This cannot be decided any more")),
    (errors.DecisionRefused, _Kind(422, "decision-refused", "This decision does not fit")),
    (errors.ApprovalsUnavailable, _Kind(503, "approvals-unavailable", "Nothing can be approved")),
    (errors.PolicyChanged, _Kind(409, "policy-changed", "The policy was changed meanwhile")),
    (errors.PolicyConflict, _Kind(409, "policy-conflict", "The policy is a person's own")),
    (errors.PolicyError, _Kind(422, "policy", "The policy cannot be like this")),
    (errors.SettingsChanged, _Kind(409, "settings-changed", "The settings were changed meanwhile")),
    (errors.ClientError, _Kind(422, "client", "The client's settings cannot be changed")),
    (errors.ComponentDisabled, _Kind(409, "component-disabled", "The component is switched off")),
    (errors.HostPaused, _Kind(409, "paused", "Wassette is paused")),
    (errors.NeedsPerson, _Kind(403, "forbidden", "This is refused")),
    (errors.ComponentChanged, _Kind(409, "component-changed", "The component has changed")),
    (errors.DigestMismatch, _Kind(422, "digest", "These are other bytes than were asked for")),
    (errors.ComponentError, _Kind(422, "component", "The component cannot be used")),
    (errors.InvalidArguments, _Kind(422, "arguments", "The arguments do not fit")),
    (errors.ConfigError, _Kind(422, "settings", "The settings are wrong")),
    (errors.SecretError, _Kind(422, "secret", "The secret cannot be read or kept")),
    (errors.StoreError, _Kind(503, "store", "The files cannot be read or written")),
    (errors.WassetteError, _Kind(422, "error", "This could not be done")),
)

_WAYS_OUT: tuple[tuple[type[errors.WassetteError], str], ...] = (
    (
        errors.DigestMismatch,
        "Nothing was kept of them. Either there is a newer version that whoever named the digest "
        "does not know of yet, or somebody has put something else in its place: ask them, before "
        "you load it by its reference.",
    ),
)

_STATUS = {
    400: _Kind(400, "request", "The request is wrong"),
    401: _Kind(401, "not-signed-in", "This browser is not let in"),
    403: _Kind(403, "forbidden", "This is refused"),
    404: _Kind(404, "not-found", "There is nothing here"),
    405: _Kind(405, "method", "This cannot be done here"),
    408: _Kind(408, "timeout", "The request took too long"),
    409: _Kind(409, "conflict", "This cannot be done now"),
    413: _Kind(413, "too-large", "The request is too large"),
    421: _Kind(421, "host", "This request is for another host"),
    422: _Kind(422, "request", "The request is wrong"),
    500: _Kind(500, "internal", "A fault in Wassette"),
    503: _Kind(503, "unavailable", "This cannot be done now"),
}


class Refusal(Exception):
    """A request that the API refuses by itself."""

    def __init__(
        self, status: int, detail: str, *, name: str | None = None, way_out: str | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.name, self.way_out = status, detail, name, way_out


def of_status(
    status: int, detail: str, *, name: str | None = None, way_out: str | None = None
) -> Problem:
    kind = _STATUS.get(status, _Kind(status, "error", "This could not be done"))
    return _problem(kind, detail, name=name, way_out=way_out)


def of_error(error: errors.WassetteError) -> Problem:
    kind = next(kind for one, kind in _KINDS if isinstance(error, one))
    where = place_of(str(error)) if isinstance(error, errors.PolicyError) else None
    way_out = next((text for one, text in _WAYS_OUT if isinstance(error, one)), None)
    return _problem(kind, str(error), way_out=way_out, where=where)


def place_of(text: str) -> Where | None:
    """The place that a policy's error names at its beginning: `file:line: reason`."""
    found = _PLACE.match(text)
    if found is None:
        return None
    return Where(line=int(found[1]), column=int(found[2]) if found[2] else None)


def response(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        problem.model_dump(), problem.status, headers=headers, media_type=MEDIA_TYPE
    )


def wrong_request(found: list[Any]) -> Problem:
    """What does not fit the schema: where and why, and nothing of what was sent, which may be a
    secret."""
    texts = []
    for one in found[:10]:
        place = ".".join(str(part) for part in one.get("loc", ()))
        texts.append(errors.visible(f"{place}: {one.get('msg', 'wrong')}", 300))
    return of_status(422, "; ".join(texts) or "the request does not fit")


def _problem(
    kind: _Kind,
    detail: str,
    *,
    name: str | None = None,
    way_out: str | None = None,
    where: Where | None = None,
) -> Problem:
    return Problem(
        type=f"urn:wassette:problem:{name or kind.name}",
        title=kind.title,
        status=kind.status,
        # What cannot be encoded is escaped.
        detail=detail.encode("utf-8", "backslashreplace").decode(),
        way_out=way_out,
        where=where,
    )
