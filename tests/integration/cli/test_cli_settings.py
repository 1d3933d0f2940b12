"""Where the component directory comes from: option, variables, config.toml, default."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from support.cli import Cli, multiply
from wassette.mcp import stdio

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wassette import config


def marked(cli: Cli, name: str) -> Path:
    """A component directory in which a listing shows one (unusable) component: `name`."""
    folder = cli.home / f"in-{name}"
    folder.mkdir()
    (folder / f"{name}.wasm").mkdir()
    return folder


def configure(cli: Cli, text: str) -> None:
    cli.config.parent.mkdir(parents=True, exist_ok=True)
    cli.config.write_text(text)
    tomllib.loads(text)


def found(done: Any) -> list[str]:
    assert done.code == 0, done
    return [entry["id"] for entry in done.json["components"]]


@pytest.mark.parametrize("variable", ["WASSETTE_COMPONENT_DIR", "WASSETTE_PLUGIN_DIR"])
@pytest.mark.parametrize("key", ["component_dir", "plugin_dir"])
@pytest.mark.parametrize("option", ["--component-dir", "--plugin-dir"])
def test_precedence(
    cli: Cli, inside: Any, monkeypatch: pytest.MonkeyPatch, variable: str, key: str, option: str
) -> None:
    for name in ("flag", "variable", "file"):
        marked(cli, name)
    assert found(inside("component", "list")) == []
    configure(cli, f"{key} = '{cli.home / 'in-file'}'")
    assert found(inside("component", "list")) == ["file"]
    monkeypatch.setenv(variable, str(cli.home / "in-variable"))
    assert found(inside("component", "list")) == ["variable"]
    assert found(inside("component", "list", option, "in-flag")) == ["flag"]
    assert found(inside(option, "in-flag", "component", "list")) == ["flag"]
    assert found(inside("component", option, "in-flag", "list")) == ["flag"]
    # The one nearest to the command counts.
    assert found(inside(option, "in-file", "component", "list", option, "in-flag")) == ["flag"]


def test_in_a_process_of_its_own(cli: Cli) -> None:
    marked(cli, "flag")
    done = cli("component", "list", "--plugin-dir", "in-flag")
    assert found(done) == ["flag"]


def test_config_file_elsewhere(cli: Cli, inside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = marked(cli, "elsewhere")
    path = cli.home / "other.toml"
    path.write_text(f"plugin_dir = '{folder}'")
    monkeypatch.setenv("WASSETTE_CONFIG_FILE", str(path))
    assert found(inside("component", "list")) == ["elsewhere"]


WRONG = [
    ({}, "component_dir = 'a'\nplugin_dir = 'b'", "component_dir and plugin_dir in"),
    (
        {"WASSETTE_COMPONENT_DIR": "a", "WASSETTE_PLUGIN_DIR": "b"},
        "",
        "WASSETTE_COMPONENT_DIR and WASSETTE_PLUGIN_DIR in the environment are one setting",
    ),
    ({"WASSETTE_CONFIG_FILE": "nope.toml"}, "", "WASSETTE_CONFIG_FILE names nope.toml"),
    ({}, "component_dir = ", "is not valid TOML"),
    ({}, "component_dir = 3", "should be the path of a directory"),
    ({"WASSETTE_LOG": "loud"}, "", "WASSETTE_LOG is one of"),
]


@pytest.mark.parametrize(("variables", "file", "text"), WRONG)
def test_conflicts_and_mistakes(
    cli: Cli,
    inside: Any,
    monkeypatch: pytest.MonkeyPatch,
    variables: Mapping[str, str],
    file: str,
    text: str,
) -> None:
    if file:
        cli.config.parent.mkdir(parents=True)
        cli.config.write_text(file)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = inside("component", "list")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: ")
    assert text in done.err


def test_both_names_may_agree(cli: Cli, inside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(marked(cli, "same"))
    monkeypatch.setenv("WASSETTE_COMPONENT_DIR", folder)
    monkeypatch.setenv("WASSETTE_PLUGIN_DIR", folder)
    assert found(inside("component", "list")) == ["same"]


def test_component_dir_that_is_a_file(cli: Cli, inside: Any) -> None:
    (cli.home / "f").touch()
    (cli.home / "x.wasm").touch()
    for command in (["list"], ["load", "x.wasm"]):
        done = inside("component", *command, "--component-dir", "f")
        assert (done.code, done.out) == (1, "")
        assert str(cli.home / "f") in done.err
        assert "internal error" not in done.err


# ---- serve ---------------------------------------------------------------------------------------


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[config.Settings]:
    """What `serve` was started with, instead of serving."""
    started: list[config.Settings] = []

    def serve(settings: config.Settings) -> int:
        started.append(settings)
        return 0

    monkeypatch.setattr(stdio, "serve", serve)
    return started


@pytest.mark.parametrize("command", ["serve", "serve --stdio", "run"])
def test_serve_settings(cli: Cli, inside: Any, served: list[config.Settings], command: str) -> None:
    (cli.home / ".env").write_text("# keys\nexport A=file\nB='quoted'\n")
    configure(cli, "[environment_vars]\nA = 'config'\nC = 'config'\n")
    done = inside(
        *command.split(),
        "--standalone",
        "--env",
        "A=flag",
        "--env",
        "D=x=y",
        "--env-file",
        ".env",
        "--plugin-dir",
        "here",
    )
    assert (done.code, done.out, done.err) == (0, "", "")
    [settings] = served
    assert settings.component_dir == cli.home / "here"
    wanted = {"A": "flag", "B": "quoted", "C": "config", "D": "x=y"}
    assert {key: settings.environment[key] for key in wanted} == wanted
    assert (settings.builtin_tools, settings.agent_grants) == (True, False)


def test_serve_flags(inside: Any, served: list[config.Settings]) -> None:
    flags = ("--disable-builtin-tools", "--allow-agent-grants")
    assert inside("serve", "--standalone", *flags).code == 0
    assert (served[0].builtin_tools, served[0].agent_grants) == (False, True)


@pytest.mark.parametrize(
    ("flags", "configured", "offered"),
    [
        ([], "", False),
        (["--meta-tools"], "", True),
        ([], "meta_tools = true", True),
        (["--meta-tools"], "meta_tools = false", True),
    ],
)
def test_meta_tools(
    cli: Cli,
    inside: Any,
    served: list[config.Settings],
    flags: list[str],
    configured: str,
    offered: bool,
) -> None:
    cli.config.parent.mkdir(parents=True, exist_ok=True)
    cli.config.write_text(configured)
    assert inside("serve", "--standalone", *flags).code == 0
    assert served[0].meta_tools == offered


def test_wrong_variables(inside: Any, served: list[config.Settings]) -> None:
    done = inside("serve", "--standalone", "--env", "secret-without-equals")
    assert done.code == 1
    assert "--env takes KEY=VALUE" in done.err
    assert inside("serve", "--standalone", "--env-file", "nope").code == 1
    assert not served


def test_serving_for_real(loaded: Cli) -> None:
    multiply(loaded, "tools", 2)
    ping = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n'
    done = loaded("serve", "--stdio", stdin=ping)
    assert (done.code, done.json) == (0, {"jsonrpc": "2.0", "id": 1, "result": {}})
