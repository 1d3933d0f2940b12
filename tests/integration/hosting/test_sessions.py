"""What a host gives to the calls of each of its sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wassette.components.record import ComponentRecord
from wassette.host import Host
from wassette.host.running import Running
from wassette.recording import Call
from wassette.session import Session

if TYPE_CHECKING:
    from wassette.config import Settings

pytestmark = pytest.mark.anyio

POLICY = """\
version: "1.0"
permissions:
  network:
    allow: [{host: api.example.com}]
  environment:
    allow:
      - {key: PLAIN}
      - {key: TOKEN, inject: {host: api.example.com}}
"""


async def test_variables_and_bound_secrets_are_the_sessions(probed: Settings) -> None:
    """Also those that the component never sees, and that only requests carry."""
    (probed.component_dir / "c-probe.policy.yaml").write_text(POLICY)
    one = Session({"PLAIN": "1", "TOKEN": "token-of-one"})
    two = Session({"PLAIN": "2", "TOKEN": "token-of-two"})
    none = Session()
    async with Host(probed) as host:
        for _ in range(2):  # resolved, and known from before
            for session, plain, token in ((one, "1", "token-of-one"), (two, "2", "token-of-two")):
                grants = await host.current_grants("c-probe", session)
                assert dict(grants.environment)["PLAIN"] == plain
                assert [bound.value for bound in grants.secrets] == [token]
                rules = await host._parts.routing.rules(_running(host, session))
                assert [bound.value for bound in rules.secrets] == [token]
            grants = await host.current_grants("c-probe", none)
            assert (grants.environment, grants.secrets) == ((), ())
            assert (await host.current_grants("c-probe")).environment == ()
    assert "token-of-one" not in repr(one)


def _running(host: Host, session: Session) -> Running:
    record = host.store.get("c-probe")
    assert isinstance(record, ComponentRecord)
    return Running(record, session, Call("x", record.id, record.digest, None), None)


async def test_equal_sessions_are_not_the_same(probed: Settings) -> None:
    assert Session({"A": "1"}) != Session({"A": "1"})
