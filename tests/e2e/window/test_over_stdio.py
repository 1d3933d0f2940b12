"""The whole way: an agent with the official client, `wassette serve --stdio`, the bridge, the warm
host, a component's request that no rule allows; and a person at the window of `wassette ui`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import start_blocking_portal
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import Implementation
from playwright.sync_api import expect
from ruamel.yaml import YAML

from support.asking import Web, web
from support.cli import Cli, copy_of
from support.hosted import PATIENCE, text
from support.hosts import end_hosts, hosts
from support.sheet import armed, fetch, sheet, waits
from support.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from anyio.from_thread import BlockingPortal
    from playwright.sync_api import Browser


@dataclass
class Agent:
    """An agent in one session: its client, in a thread with an event loop."""

    client: Client
    portal: BlockingPortal
    heard: list[str] = field(default_factory=list)
    """What it was told while it waited."""

    def call(self, tool: str, arguments: dict[str, Any]) -> Future[Any]:
        return self.portal.start_task_soon(self._call, tool, arguments)

    async def _call(self, tool: str, arguments: dict[str, Any]) -> Any:
        return await self.client.call_tool(tool, arguments, progress_callback=self._hear)

    async def _hear(self, progress: float, total: float | None, message: str | None) -> None:
        self.heard.append(message or "")


@pytest.fixture
def cli(template: Cli, tmp_path: Path, fixture_component: Callable[[str], Path]) -> Iterator[Cli]:
    one = copy_of(template, tmp_path / "home")
    one.ok("component", "load", fixture_component("c-http"))
    yield one
    end_hosts(one.home)


@pytest.fixture
def agent(cli: Cli) -> Iterator[Agent]:
    command, *arguments = cli.command("serve", "--stdio")
    assert command == sys.executable
    server = StdioServerParameters(
        command=command, args=arguments, env=cli.environment(), cwd=cli.home
    )
    client = Client(
        stdio_client(server),
        mode="legacy",
        client_info=Implementation(name="Claude Code", version="2.1"),
    )
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(client) as connected,
    ):
        yield Agent(connected, portal)


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as one:
        yield one


def test_asked_in_the_window_allowed_once_and_always(
    cli: Cli, agent: Agent, site: Web, browser: Browser
) -> None:
    context = browser.new_context(locale="en-GB", reduced_motion="reduce")
    window = Window.open(cli, context)
    page = window.page
    assert len(hosts(cli.home)) == 1  # the agent's bridge and the window have found the same host
    expect(page.get_by_text("Claude Code").first).to_be_visible()

    call = agent.call("request", fetch(site))
    expect(sheet(page)).to_contain_text("c-http wants to connect to")
    expect(sheet(page)).to_contain_text(f"127.0.0.1:{site.port}")
    expect(sheet(page)).to_contain_text("“Claude Code” while running “request”")
    waits(call)
    assert site.paths == []
    assert any("waits for a person" in one for one in agent.heard)
    armed(page, "Allow").click()
    assert "hello" in text(call.result(PATIENCE))
    assert site.paths == ["/a"]
    policy = cli.components / "c-http.policy.yaml"
    assert not policy.exists()

    # Once was once: the same again is asked again. What is always is written, and nothing else.
    call = agent.call("request", fetch(site))
    page.get_by_role("radio", name="Always").check()
    rule = page.locator("code.rule").inner_text()
    assert rule == f"GET http://127.0.0.1:{site.port}"
    waits(call)
    assert site.paths == ["/a"]
    assert not policy.exists()
    armed(page, "Allow").click()
    assert "hello" in text(call.result(PATIENCE))
    written = YAML(typ="safe").load(policy.read_text())
    assert written["permissions"] == {
        "network": {"allow": [{"host": f"http://127.0.0.1:{site.port}", "methods": ["GET"]}]}
    }

    # Nobody is asked about what is written; the next port is another thing.
    assert "hello" in text(agent.call("request", fetch(site, "/b")).result(PATIENCE))
    assert site.paths == ["/a", "/a", "/b"]
    with web() as other:
        call = agent.call("request", fetch(other))
        expect(sheet(page)).to_contain_text(f"127.0.0.1:{other.port}")
        armed(page, "Deny")
        page.keyboard.press("Escape")
        assert "said no" in text(call.result(PATIENCE))
        assert other.paths == []
    assert window.complaints == []
    context.close()


def test_an_agent_that_gives_up_takes_its_question_with_it(
    cli: Cli, agent: Agent, site: Web, browser: Browser
) -> None:
    window = Window.open(cli, browser.new_context(locale="en-GB", reduced_motion="reduce"))
    call = agent.call("request", fetch(site))
    expect(sheet(window.page)).to_contain_text("c-http wants to connect to")
    waits(call)
    call.cancel()
    expect(sheet(window.page)).to_have_count(0)
    assert site.paths == []
    assert window.complaints == []
    window.page.context.close()
