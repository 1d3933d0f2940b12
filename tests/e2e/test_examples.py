"""The examples, built by their tool chains, with what their policies ask for, and without."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from support.examples import EXAMPLES, built, use_tool_chains
from support.internet import PUBLIC, Internet
from support.starters import Hosted
from support.toolchains import has_rust
from wassette.host import Host
from wassette.policy.parse import parse_policy
from wassette.projects.project import read

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from support.internet import Seen
    from wassette.config import Settings

pytestmark = pytest.mark.anyio
NAMES = sorted(folder.name for folder in EXAMPLES.iterdir() if folder.is_dir())


@pytest.fixture(autouse=True)
def tool_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    use_tool_chains(monkeypatch)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_project_with_a_policy_and_the_commands(name: str) -> None:
    project = read(EXAMPLES / name)
    assert project.name == name
    assert f"world {name} {{" in project.wit
    parse_policy((project.folder / "policy.yaml").read_text(), "policy.yaml")
    text = (project.folder / "README.md").read_text()
    for command in ("component build", "component load", "tool invoke"):
        assert f"wassette {command}" in text
    functions = re.findall(r"export ([a-z-]+): func", project.wit)
    assert all(function in text for function in functions)
    assert f"({name}/)" in (EXAMPLES / "README.md").read_text()


async def test_time_server(host: Host) -> None:
    await host.load(str(built("time-server")))
    tools = Hosted(host)
    now = datetime.fromisoformat(await tools("get-current-time"))
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=5)
    given = {"start": "2026-01-31T23:00:00Z", "end": "2026-02-01T01:00:00+01:00"}
    assert await tools.ok("seconds-between", **given) == 3600
    assert "not a time" in await tools.error("seconds-between", start="x", end="y")


class Services(Internet):
    """Open-Meteo and the Go module proxy, as far as the examples ask them."""

    answers: dict[str, Any]

    def _answer(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        found = self.answers.get(seen.headers["host"] + seen.path)
        status = "404 Not Found" if found is None else "200 OK"
        body = (found if isinstance(found, str) else json.dumps(found)).encode()
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)


GEOCODING = "geocoding-api.open-meteo.com/v1/search?count=1&name="
FORECAST = (
    "api.open-meteo.com/v1/forecast?latitude=50.7&longitude=7.1"
    "&current=temperature_2m,wind_speed_10m,weather_code"
)
BONN = {"name": "Bonn", "country": "Germany", "latitude": 50.7, "longitude": 7.1}


async def grant_what_is_asked_for(host: Host, name: str) -> None:
    """As a person does who says yes to all of policy.yaml."""
    source = EXAMPLES / name / "policy.yaml"
    asked = parse_policy(source.read_text(), "policy.yaml")
    assert not (asked.environment_allow)
    assert not (asked.storage_allow)
    for rule in asked.network_allow:
        assert rule.host
        await host.grant_network(name, rule.host)


async def test_weather(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"geocoding-api.open-meteo.com": [PUBLIC], "api.open-meteo.com": [PUBLIC]}
    async with Services(names) as services:
        services.answers = {
            f"{GEOCODING}Bonn": {"results": [BONN]},
            f"{GEOCODING}Nowhere%20at%20all": {},
            FORECAST: {
                "current": {"temperature_2m": 4.5, "wind_speed_10m": 12, "weather_code": 61}
            },
        }
        services.use(monkeypatch, tmp_path)
        async with Host(settings) as host:
            await host.load(str(built("weather")))
            tools = Hosted(host)
            assert "cannot be asked" in await tools.error("get-weather", city="Bonn")
            assert not services.seen
            await grant_what_is_asked_for(host, "weather")
            assert await tools.ok("get-weather", city="Bonn") == {
                "place": "Bonn, Germany",
                "temperature": 4.5,
                "wind": 12,
                "sky": "light rain",
            }
            assert "no place is called" in await tools.error("get-weather", city="Nowhere at all")


@pytest.mark.skipif(not shutil.which("go"), reason="no Go here")
async def test_gomodule(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Services({"proxy.golang.org": [PUBLIC]}) as services:
        latest = '{"Version":"v0.3.0","Time":"2026-01-01T00:00:00Z"}'
        services.answers = {
            "proxy.golang.org/github.com/!burnt!sushi/toml/@latest": latest,
            "proxy.golang.org/golang.org/x/text/@v/list": "v0.1.0\nv0.2.0\n" * 10_000,
        }
        services.use(monkeypatch, tmp_path)
        async with Host(settings) as host:
            await host.load(str(built("gomodule")))
            tools = Hosted(host)
            module = "github.com/BurntSushi/toml"
            assert "not permitted" in await tools.error("latest-version", module=module)
            await grant_what_is_asked_for(host, "gomodule")
            assert await tools.ok("latest-version", module=module) == latest
            listed = await tools.ok("list-versions", module="golang.org/x/text")
            assert listed == "v0.1.0\nv0.2.0\n" * 10_000
            assert "no module" in await tools.error("list-versions", module="example.com/none")
            assert "not the path" in await tools.error("list-versions", module="a/../b")


async def test_filesystem(host: Host, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("one\ntwo\nthree two\n")
    await host.load(str(built("filesystem")))
    tools = Hosted(host)
    assert str(folder) in await tools.error("read-file", path=str(folder / "a.txt"))
    await host.grant_storage("filesystem", f"fs://{folder}", ["read"])
    assert sorted((await tools.ok("list-directory", path=str(folder))).split()) == ["a.txt", "sub/"]
    assert await tools.ok("read-file", path=str(folder / "a.txt")) == "one\ntwo\nthree two\n"
    found = await tools.ok("search-file", path=str(folder / "a.txt"), text="two")
    assert found == "2: two\n3: three two\n"
    assert "No such file" in await tools.error("read-file", path=str(folder / "none"))


async def test_eval_py(host: Host) -> None:
    await host.load(str(built("eval-py")))
    tools = Hosted(host)
    assert (
        await tools.ok("eval", expression="sum(range(10)), math.pi") == f"(45, {3.141592653589793})"
    )
    assert await tools.ok("exec", code="for i in range(3): print(i, end=' ')") == "0 1 2 "
    assert (await tools.error("eval", expression="1 / 0")).startswith("ZeroDivisionError")
    for escape in (
        "open('/etc/passwd').read()",
        "__import__('os').listdir('/')[0:0] or open('/proc/self/environ')",
    ):
        assert "Error" in await tools.error("eval", expression=escape)


@pytest.mark.skipif(not has_rust(), reason="no Rust here, or `scripts/test` has not set it up")
async def test_fetch_rs(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Services({"x.example": [PUBLIC]}) as services:
        services.answers = {"x.example/page": "a page"}
        services.use(monkeypatch, tmp_path)
        async with Host(settings) as host:
            await host.load(str(built("fetch-rs")))
            tools = Hosted(host)
            await tools.error("fetch", url="https://x.example/page")
            await host.grant_network("fetch-rs", "x.example")
            assert await tools.ok("fetch", url="https://x.example/page") == "a page"
            # Every time: wstd ends its empty body when the request may be out already.
            for _ in range(50):
                assert "404" in await tools.error("fetch", url="https://x.example/none")
