"""config.toml's [network] and the environment → options."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from wassette.config import load
from wassette.egress_options import EgressOptions, read_options
from wassette.errors import ConfigError

FILE = Path("/etc/config.toml")


def read(environ: dict[str, str] | None = None, **network: Any) -> EgressOptions:
    return read_options({"network": network}, environ or {}, FILE)


def test_nothing_is_the_defaults() -> None:
    assert read_options({}, {}, FILE) == EgressOptions()


def test_environment() -> None:
    found = read(
        {
            "http_proxy": "http://a",
            "HTTPS_PROXY": "http://b",
            "NO_PROXY": "x.com, y.com,,10.0.0.0/8",
        }
    )
    assert (found.http_proxy, found.https_proxy) == ("http://a", "http://b")
    assert found.no_proxy == ("x.com", "y.com", "10.0.0.0/8")
    both = read({"ALL_PROXY": "http://c", "https_proxy": "http://d", "HTTPS_PROXY": "http://e"})
    assert (both.http_proxy, both.https_proxy) == ("http://c", "http://d")


def test_a_web_request_cannot_set_the_proxy() -> None:
    """httpoxy: where a program answers web requests, a header `Proxy` becomes HTTP_PROXY."""
    assert read({"HTTP_PROXY": "http://evil"}).http_proxy is None


def test_the_file_wins(tmp_path: Path) -> None:
    environ = {"https_proxy": "http://a", "no_proxy": "x.com"}
    assert read(environ, proxy="http://b").https_proxy == "http://b"
    assert read(environ, proxy="").https_proxy is None
    found = read(environ, proxy="http://b", http_proxy="", no_proxy=["y.com", "z.com"])
    assert (found.http_proxy, found.https_proxy) == (None, "http://b")
    assert found.no_proxy == ("y.com", "z.com")
    ca = tmp_path / "ca.pem"
    ca.write_text("x")
    assert read(ca_file=str(ca)).ca_file == ca
    assert read({"SSL_CERT_FILE": str(ca)}).ca_file == ca
    assert read({"SSL_CERT_FILE": "/no/such"}).ca_file is None


def test_limits() -> None:
    found = read(connect_timeout=3, idle_timeout=1.5, max_response_bytes=1000)
    assert (found.connect_timeout, found.idle_timeout, found.max_response_bytes) == (3.0, 1.5, 1000)


@pytest.mark.parametrize(
    ("network", "text"),
    [
        ({"conect_timeout": 3}, "is no setting"),
        ({"connect_timeout": 0}, "more than 0"),
        ({"connect_timeout": float("nan")}, "more than 0"),
        ({"connect_timeout": float("inf")}, "more than 0"),
        ({"connect_timeout": "3s"}, "a number"),
        ({"connect_timeout": True}, "a number"),
        ({"max_requests": 1.5}, "whole number"),
        ({"proxy": 3128}, "should be a URL"),
        ({"no_proxy": [1]}, "list of hosts"),
        ({"ca_file": "/no/such/file"}, "ca_file"),
    ],
)
def test_mistakes_name_the_key_and_the_file(network: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text) as caught:
        read(**network)
    assert str(FILE) in str(caught.value)


def test_the_documentation_has_every_key_and_its_default(tmp_path: Path) -> None:
    text = Path(__file__).parents[3].joinpath("docs", "network.md").read_text()
    [example] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    ca = tmp_path / "ca.pem"
    ca.touch()
    table = tomllib.loads(example.replace("/etc/company-ca.pem", str(ca)))
    found = read_options(table, {}, FILE)
    assert found.http_proxy == found.https_proxy == "http://proxy.company.example:3128"
    changed = {"http_proxy", "https_proxy", "no_proxy", "ca_file"}
    assert set(table["network"]) - {"proxy"} | changed == {one.name for one in fields(found)}
    for name in set(table["network"]) - changed - {"proxy"}:
        assert getattr(found, name) == getattr(EgressOptions(), name), name


def test_a_table_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"\[network\]"):
        read_options({"network": "http://proxy"}, {}, FILE)


def test_settings_have_them(home: Path) -> None:
    folder = home / "config" / "wassette"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("[network]\nmax_requests = 7\n")
    assert load(environ={"https_proxy": "http://p"}).egress == EgressOptions(
        max_requests=7, https_proxy="http://p"
    )
