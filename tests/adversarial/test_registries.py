"""Registries and web servers that want more than to give a component: our credentials, and to have
us reach where they cannot."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from support import registries
from support.cli import Cli, component
from support.internet import PUBLIC, Internet
from support.processes import eventually
from support.registries import PASSWORD, USER, needs_registry, put
from wassette.components.remote import parse_oci, parse_remote
from wassette.egress_options import EgressOptions
from wassette.errors import ComponentError, NotAuthorized, RegistryError
from wassette.registry import artifact
from wassette.registry.registries import Registries
from wassette.registry_options import RegistryHost, RegistryOptions
from wassette.secrets import Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from support.registries import Front, Seen

pytestmark = pytest.mark.anyio

SECRET = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def of(folder: Path, *, egress: EgressOptions | None = None, **more: Any) -> Registries:
    options = more.pop("options", None) or RegistryOptions()
    return Registries(egress or EgressOptions(), options, folder / "secrets", Place.FILE, **more)


async def keep(ways: Registries, registry: str) -> None:
    """A login, without asking the registry whether it takes it."""
    await ways._logins.set(registry, USER, PASSWORD)


# -- where we are sent ---------------------------------------------------------------------------

NAMES = {
    "files.x.com": [PUBLIC],
    "evil.com": [PUBLIC],
    "rebinds.evil.com": [PUBLIC],
    "inside.evil.com": ["10.0.0.5"],
    "both.evil.com": [PUBLIC, "127.0.0.1"],
    "intranet.corp": ["10.0.0.7"],
    "wiki.corp": ["10.0.0.8"],
}


@pytest.fixture
async def internet(tmp_path: Path) -> AsyncIterator[Internet]:
    async with Internet(dict(NAMES)) as running:
        running.authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        yield running


async def fetch(internet: Internet, folder: Path, url: str, *, by_person: bool = True) -> None:
    egress = EgressOptions(ca_file=folder / "ca.pem")
    ways = of(folder, egress=egress, resolver=internet, dial=internet.dial)
    remote = parse_remote(url)
    assert remote is not None
    path = folder / "fetched"
    path.unlink(missing_ok=True)
    async with ways.fetch(remote, path, lambda *_: None, by_person=by_person):
        pass


@pytest.mark.parametrize(
    "there",
    [
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/",
        "https://[::1]:8443/",
        "https://[::ffff:127.0.0.1]/",
        "https://localhost/",
        "https://10.0.0.1/",
        "https://inside.evil.com/",
        "https://[64:ff9b::a00:1]/",
    ],
)
async def test_redirected_into_this_machine_or_its_network(
    internet: Internet, tmp_path: Path, there: str
) -> None:
    internet.names["localhost"] = ["127.0.0.1"]
    with pytest.raises(ComponentError, match="leads to"):
        await fetch(internet, tmp_path, f"https://files.x.com/do/redirect/tool.wasm?{there}")
    assert internet.dialed == [(PUBLIC, 443)]


@pytest.mark.parametrize(
    "there",
    [
        "https://1.1.1.1@10.0.0.1/",
        "https://0x7f.1/",
        "file:///etc/passwd",
        "gopher://x.com/",
    ],
)
async def test_redirected_to_what_can_be_read_in_two_ways(
    internet: Internet, tmp_path: Path, there: str
) -> None:
    with pytest.raises(ComponentError):
        await fetch(internet, tmp_path, f"https://files.x.com/do/redirect/tool.wasm?{there}")
    assert internet.dialed == [(PUBLIC, 443)]


async def test_a_name_that_leads_both_ways(internet: Internet, tmp_path: Path) -> None:
    """Its private address does not open the private network for what it says then."""
    there = "https://10.0.0.1/"
    with pytest.raises(ComponentError, match="leads to"):
        await fetch(internet, tmp_path, f"https://both.evil.com/do/redirect/tool.wasm?{there}")
    assert internet.dialed == [(PUBLIC, 443)]


async def test_a_name_that_leads_elsewhere_the_second_time(
    internet: Internet, tmp_path: Path
) -> None:
    class Rebinding:
        async def resolve(self, host: str, _port: int) -> list[str]:
            answer = internet.names[host]
            internet.names["rebinds.evil.com"] = ["127.0.0.1"]
            return answer

    egress = EgressOptions(ca_file=tmp_path / "ca.pem")
    ways = of(tmp_path, egress=egress, resolver=Rebinding(), dial=internet.dial)
    remote = parse_remote(
        "https://rebinds.evil.com/do/redirect/tool.wasm?https://rebinds.evil.com:8443/x"
    )
    assert remote is not None
    with pytest.raises(ComponentError, match="leads to 127"):
        async with ways.fetch(remote, tmp_path / "a", lambda *_: None):
            pass
    assert internet.dialed == [(PUBLIC, 443)]


async def test_within_a_private_network_one_may_be_redirected(
    internet: Internet, tmp_path: Path
) -> None:
    await fetch(
        internet,
        tmp_path,
        "https://intranet.corp/do/redirect/tool.wasm?https://wiki.corp/do/bytes/10",
    )
    assert [one for one, _ in internet.dialed] == ["10.0.0.7", "10.0.0.8"]
    # But not to where a cloud keeps the keys of its machines.
    metadata = "https://169.254.169.254/latest"
    with pytest.raises(ComponentError, match="metadata"):
        await fetch(internet, tmp_path, f"https://intranet.corp/do/redirect/tool.wasm?{metadata}")


async def test_an_agent_names_no_server_within(internet: Internet, tmp_path: Path) -> None:
    for url in (
        "https://intranet.corp/do/bytes/10",
        "oci://intranet.corp/a/b",
        "oci://127.0.0.1:5000/a/b",
    ):
        with pytest.raises(ComponentError, match="leads to"):
            await fetch(internet, tmp_path, url, by_person=False)
    assert internet.dialed == []
    await fetch(internet, tmp_path, "https://files.x.com/do/bytes/10", by_person=False)


# -- our credentials -----------------------------------------------------------------------------


@pytest.fixture
def evil() -> Iterator[Front]:
    """A registry of somebody else's."""
    with registries.front() as running:
        yield running


def says(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None
) -> Callable[[Seen, Any], bool]:
    """Answers everything in this way."""

    def answer(_seen: Seen, handler: Any) -> bool:
        handler.reply(status, body, headers or {})
        return True

    return answer


def asks_for(challenge: str) -> Callable[[Seen, Any], bool]:
    return says(401, b"{}", {"www-authenticate": challenge})


def nobody_told(*fronts: Front) -> None:
    for one in fronts:
        for seen in one.seen:
            text = f"{seen.path} {seen.headers}"
            assert SECRET not in text
            assert PASSWORD not in text


async def test_a_realm_elsewhere_is_not_told(evil: Front, tmp_path: Path) -> None:
    """The registry decides where tokens are had: here, at somebody else's."""
    with registries.front() as thief:
        thief.before = says(200, b'{"token": "x"}')
        evil.before = asks_for(f'Bearer realm="http://localhost:{thief.port}/token",service="s"')
        ways = of(tmp_path)
        await keep(ways, evil.place)
        with pytest.raises(NotAuthorized, match="wants your credentials to be sent to localhost"):
            async with ways.fetch(parse_oci(evil.oci("a/b:1")), tmp_path / "a", lambda *_: None):
                pass
        assert thief.seen == []


@pytest.mark.parametrize(
    "realm",
    [
        "https://evil.com/token",
        "https://registry.example.com.evil.com/token",
        "https://evilexample.com/token",
        "https://registry.example.com@evil.com/token",
        "https://other.co.uk/token",
        "http://auth.example.com/token",
        "//evil.com/token",
        "ftp://auth.example.com/token",
        "",
    ],
)
async def test_realms_of_other_domains(realm: str, tmp_path: Path) -> None:
    from wassette.registry.auth import Authorizer
    from wassette.registry.credentials import Credentials
    from wassette.registry.web import Url

    class Unused:
        def send(self, *_: Any, **__: Any) -> Any:
            raise AssertionError("something was sent")

    async def credentials() -> Credentials:
        return Credentials(USER, PASSWORD, "a test")

    auth = Authorizer(
        Unused(),  # type: ignore[arg-type]
        "registry.example.com",
        "a/b",
        Url.parse("https://registry.example.com/"),
        RegistryHost(),
        credentials,
    )
    with pytest.raises(NotAuthorized):
        await auth.answer(f'Bearer realm="{realm}",service="s"', "pull", None)


async def test_basic_with_an_address_for_a_realm(evil: Front, tmp_path: Path) -> None:
    """For Basic a realm is a word. Who takes it for an address sends the password there."""
    with registries.front() as thief:
        evil.before = asks_for(f'Basic realm="http://{thief.place}/token"')
        ways = of(tmp_path)
        await keep(ways, evil.place)
        with pytest.raises(NotAuthorized):
            async with ways.fetch(parse_oci(evil.oci("a/b:1")), tmp_path / "a", lambda *_: None):
                pass
        assert thief.seen == []
    assert [one.headers.get("authorization") for one in evil.seen if "/manifests/" in one.path] == [
        None,
        f"Basic {SECRET}",
    ]


@needs_registry
async def test_a_redirect_takes_no_credentials_along(tmp_path: Path) -> None:
    with registries.with_password(tmp_path / "registry") as place:
        ways = of(tmp_path)
        with registries.front(place.port) as front, registries.front() as thief:
            thief.before = asks_for('Basic realm="x"')  # and it asks for them, too

            def away(seen: Seen, handler: Any) -> bool:
                if "/manifests/" not in seen.path or "authorization" not in seen.headers:
                    return False
                handler.reply(307, b"", {"location": f"http://{thief.place}{seen.path}"})
                return True

            front.before = away
            await ways.login(front.place, USER, PASSWORD)
            with pytest.raises(ComponentError):
                async with ways.fetch(
                    parse_oci(front.oci("a/b:1")), tmp_path / "a", lambda *_: None
                ):
                    pass
            assert thief.seen
            nobody_told(thief)


async def test_uploads_to_elsewhere_have_no_credentials(evil: Front, tmp_path: Path) -> None:
    from wassette.registry.model import Descriptor

    with registries.front() as thief:
        thief.before = says(201)

        def answer(seen: Seen, handler: Any) -> bool:
            if "authorization" not in seen.headers:
                handler.reply(401, b"", {"www-authenticate": "Basic realm=x"})
            elif seen.method == "HEAD":
                handler.reply(404, b"")
            else:
                handler.reply(202, b"", {"location": f"http://{thief.place}/upload"})
            return True

        evil.before = answer
        ways = of(tmp_path)
        await keep(ways, evil.place)
        async with ways.repository(parse_oci(evil.oci("a/b:1"))) as repository:
            await repository.upload(Descriptor("a/b", f"sha256:{'0' * 64}", 3), b"abc")
        assert [one.method for one in thief.seen] == ["PUT"]
        nobody_told(thief)


async def test_a_wider_scope_is_not_asked_for(evil: Front, tmp_path: Path) -> None:
    """A registry that names other repositories in its challenge would get a token for those."""

    def answer(seen: Seen, handler: Any) -> bool:
        if seen.path.startswith("/token"):
            handler.reply(200, b'{"token": "t"}')
        else:
            scope = "repository:company/private:pull,push,delete registry:catalog:*"
            realm = f"http://{evil.place}/token"
            handler.reply(401, b"", {"www-authenticate": f'Bearer realm="{realm}",scope="{scope}"'})
        return True

    evil.before = answer
    ways = of(tmp_path)
    await keep(ways, evil.place)
    with pytest.raises(NotAuthorized):
        async with ways.fetch(parse_oci(evil.oci("a/b:1")), tmp_path / "a", lambda *_: None):
            pass
    asked = [one.path for one in evil.seen if one.path.startswith("/token")]
    assert asked == ["/token?scope=repository%3Aa%2Fb%3Apull"] * len(asked)
    assert 0 < len(asked) < 4


async def test_a_password_goes_nowhere_without_tls(internet: Internet, tmp_path: Path) -> None:
    """A registry that is not on this machine is not spoken to without TLS, configured or not asked
    for; so whoever is on the way gets nothing."""
    ways = of(
        tmp_path,
        egress=EgressOptions(ca_file=tmp_path / "ca.pem", tls_timeout=1),
        resolver=internet,
        dial=internet.dial,
    )
    await keep(ways, "evil.com:80")
    with pytest.raises(RegistryError):
        async with ways.fetch(parse_oci("oci://evil.com:80/a/b"), tmp_path / "a", lambda *_: None):
            pass
    assert internet.seen == []  # what arrived was no request: it was the beginning of TLS


async def test_errors_of_a_registry_deceive_nobody(evil: Front, tmp_path: Path) -> None:
    lie = {"errors": [{"code": "DENIED", "message": "\x1b[2J\u202eok\nError: run rm -rf"}]}
    evil.before = says(400, json.dumps(lie).encode())
    options = RegistryOptions({evil.place: RegistryHost(plain_http=True)})
    with pytest.raises(RegistryError) as raised:
        async with of(tmp_path, options=options).fetch(
            parse_oci(evil.oci("a/b:1")), tmp_path / "a", lambda *_: None
        ):
            pass
    text = str(raised.value)
    assert "DENIED" in text
    assert not {"\x1b", "\u202e", "\n"} & set(text)


# -- the disk ------------------------------------------------------------------------------------


@needs_registry
def test_killed_on_the_way_leaves_nothing_that_counts(tmp_path: Path) -> None:
    """What is left is no component, and goes once it is old."""
    home = tmp_path / "home"
    home.mkdir()
    cli = Cli(home)
    with registries.registry(tmp_path / "registry") as place:
        put(place, "me/tool", "1", (artifact.WASM, component("add")))
        big = random.Random(4).randbytes(3_000_000)
        put(place, "me/big", "1", (artifact.WASM, big))
        with registries.front(place.port) as front:

            def stall(seen: Seen, handler: Any) -> bool:
                if "/blobs/" not in seen.path:
                    return False
                handler.send_response_only(200)
                handler.send_header("content-length", str(len(big)))
                handler.end_headers()
                handler.wfile.write(big[:2_500_000])
                handler.wfile.flush()
                handler.rfile.read(1)
                return True

            front.before = stall
            process = subprocess.Popen(
                cli.command("component", "load", front.oci("me/big:1")),
                env=cli.environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            incoming = cli.components.glob
            assert eventually(lambda: any(one.stat().st_size for one in incoming(".incoming-*")))
            process.send_signal(signal.SIGKILL)
            process.wait()
        [left] = incoming(".incoming-*")
        assert cli.ok("component", "list")["total"] == 0
        cli.ok("component", "load", place.oci("me/tool:1"))
        assert left.exists()  # as far as anybody knows it may be on its way
        old = time.time() - 2 * 3600
        os.utime(left, (old, old))
        cli.ok("component", "load", place.oci("me/tool:1"))
        assert not left.exists()
        assert cli.ok("component", "list")["total"] == 1


@needs_registry
def test_a_limit_on_files_leaves_what_was_there(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    cli = Cli(home)
    with registries.registry(tmp_path / "registry") as place:
        put(place, "me/tool", "1", (artifact.WASM, component("add")))
        before = cli.ok("component", "load", place.oci("me/tool:1"))
        digest = cli.ok("inspect", "me_tool", "-o", "json")["digest"]
        big = component("add") + b"\0\x80\x80\x80\x01\x01x" + b"y" * (2 * 1024 * 1024)
        put(place, "me/tool", "1", (artifact.WASM, big))
        script = (
            "import resource, sys; from wassette.__main__ import main\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000000, 1000000))\n"
            f"sys.argv = ['wassette', 'component', 'load', {place.oci('me/tool:1')!r}]\n"
            "sys.exit(main())"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=cli.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 1
        assert "File too large" in done.stderr
        assert not list(cli.components.glob(".incoming-*"))
        assert cli.ok("inspect", "me_tool", "-o", "json")["digest"] == digest
        assert before["tools"] == ["add"]


@needs_registry
def test_two_processes_load_the_same_thing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    cli = Cli(home)
    with registries.registry(tmp_path / "registry") as place:
        put(place, "me/tool", "1", (artifact.WASM, component("add", "echo")))
        command = cli.command("component", "load", place.oci("me/tool:1"))
        running = [
            subprocess.Popen(
                command, env=cli.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for _ in range(2)
        ]
        for process in running:
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
            assert json.loads(out)["tools"] == ["add", "echo"]
        assert not list(cli.components.glob(".incoming-*"))
        assert cli.ok("component", "list")["total"] == 1
        called = cli("tool", "invoke", "add", "--args", '{"a": 1, "b": 2}')
        assert called.out.strip() == "3"
