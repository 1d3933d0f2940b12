"""What one client brought along to a host that it shares with others."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .config import Settings


@dataclass(frozen=True, eq=False)
class Session:
    """A client's own settings. Two sessions are never equal, whatever is in them: what was made for
    one is not given to another."""

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What components may be granted variables from in its calls. Never shown: it holds secrets."""
    builtin_tools: bool = True
    agent_grants: bool = False
    """Whether its agent may load components and grant permissions by itself."""
    approvals: str = "ask"
    """What happens when more is wanted than is permitted: one of `config.Approvals`."""
    meta_tools: bool = False
    """Whether it is offered find-tool and call-tool."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            settings.environment,
            settings.builtin_tools,
            settings.agent_grants,
            settings.approvals.value,
            settings.meta_tools,
        )


CURRENT: ContextVar[Session | None] = ContextVar("session", default=None)
"""The session that a message came in, for the MCP server. Whoever receives messages sets it;
without it a message belongs to the host's own session."""
