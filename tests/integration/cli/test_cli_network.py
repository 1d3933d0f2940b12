"""A component's requests, from the command line: refused, granted, explained."""

from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING

import pytest

from support.cli import Cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def port() -> Iterator[int]:
    """Of a web server on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hello)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_refused_request_says_how_it_can_be_granted(
    tmp_path: Path, port: int, fixture_component: Callable[[str], Path]
) -> None:
    cli = Cli(tmp_path)
    cli.ok("component", "load", fixture_component("c-http"))
    arguments = {"method": "GET", "url": f"http://127.0.0.1:{port}/", "headers": [], "body": ""}
    invoke = ("tool", "invoke", "request", "--args", json.dumps(arguments))
    done = cli(*invoke)
    assert (done.code, done.json) == (1, {"err": "HTTP-request-denied"})
    said, separator, command = done.err.rstrip("\n").partition("for example with: wassette ")
    assert said == (
        f"The sandbox refused network access to http://127.0.0.1:{port}: "
        f"no rule allows GET http://127.0.0.1:{port}/. Only a person can grant it, "
    )
    assert separator
    explain = ("policy", "explain", "c-http", "network", f"http://127.0.0.1:{port}/")
    assert cli(*explain).out.startswith("not allowed: no rule allows GET")
    cli.ok(*command.split(" "))
    assert cli(*explain).out.startswith("allowed: ")
    done = cli(*invoke)
    assert (done.code, done.err) == (0, "")
    assert (done.json["ok"]["status"], done.json["ok"]["body"]) == (200, "hello")
    # Taken back, and denied: nothing to grant.
    cli.ok("permission", "revoke", "network", "c-http", f"127.0.0.1:{port}")
    policy = cli.components / "c-http.policy.yaml"
    policy.write_text(
        'version: "1.0"\npermissions:\n  network:\n'
        f'    allow: [{{host: "127.0.0.1:{port}"}}]\n    deny: [{{host: "127.0.0.1"}}]\n'
    )
    done = cli(*invoke)
    assert (done.code, done.json) == (1, {"err": "HTTP-request-denied"})
    assert "is denied by network.deny[0] (127.0.0.1)" in done.err
    assert "Only a person" not in done.err
