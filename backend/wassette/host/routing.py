"""Where the requests of a call go, decided by the policy as it is at that moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wassette.errors import RequestRefused
from wassette.outgoing import Held

if TYPE_CHECKING:
    from collections.abc import Callable

    from wassette.egress import Door, Exchange, Route, Rules, Want

    from .permissions import Permissions
    from .questions import Questions
    from .running import Running


class Routing:
    """Of one host."""

    def __init__(self, permissions: Permissions, questions: Questions) -> None:
        self._permissions, self._questions = permissions, questions

    async def route(
        self, running: Running, want: Want, door: Door, record: Callable[[Exchange], None]
    ) -> Route:
        """Where a request goes, by the policy as it is now: what was revoked a moment ago counts.

        Raises `RequestRefused`. Nothing was sent yet, and the component waits; so it does while a
        person is asked about what no rule covers.
        """
        while True:
            held = Held(record)
            try:
                return await door.route(want, await self.rules(running), held)
            except RequestRefused as refused:
                answer = await self._questions.about_request(running, want, refused)
                if answer is None:
                    raise
                if not answer.allowed:
                    raise RequestRefused(
                        refused.code,
                        f"{refused}; {answer.reason}",
                        grantable=True,
                        address=refused.address,
                    ) from None
                held.drop()
            finally:
                held.pass_on()

    async def rules(self, running: Running) -> Rules:
        """What decides about requests. A broken policy allows nothing."""
        from wassette.egress import Rules

        component_id = running.record.id
        grants = await self._permissions.current_grants(component_id, running.session, running)
        # Read last: reading secrets may have taken as long as a person does.
        state = self._permissions.allowed(component_id, running)
        return Rules(state.policy, grants.secrets)
