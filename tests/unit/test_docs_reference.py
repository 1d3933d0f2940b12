"""Every command, option, setting, policy key, tool, route and error is in the reference.

The pages are made from the code by scripts/reference.py; here the code is asked in another way.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from functools import cache
from typing import Any

import click
import pytest

from support.documents import DOCS, ROOT
from wassette import errors
from wassette.cli.app import root
from wassette.errors import PolicyError, WassetteError
from wassette.policy.parse import parse_policy
from wassette.toolset import BUILTIN_NAMES, META_NAMES


@cache
def reference() -> Any:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts/reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def pages() -> dict[str, str]:
    found: dict[str, str] = reference().pages()
    return found


def test_commands() -> None:
    headings = re.findall(r"^## (.+)$", pages()["commands"], re.MULTILINE)
    assert len(headings) == len(set(headings)) > 40
    assert {one.split()[0] for one in headings} == set(root.commands)


@pytest.mark.parametrize(
    "name", [one for one in vars(errors) if isinstance(vars(errors)[one], type)]
)
def test_error(name: str) -> None:
    if issubclass(vars(errors)[name], WassetteError):
        assert f"`{name}`" in pages()["errors"]


@pytest.mark.parametrize("name", [*BUILTIN_NAMES, *META_NAMES])
def test_tool(name: str) -> None:
    assert f"\n## {name}\n" in pages()["tools"]
    assert f"`{name}`" in (DOCS / "mcp.md").read_text("utf-8")


def test_settings_are_in_the_guide_as_well() -> None:
    guides = "".join(
        (DOCS / f"{name}.md").read_text("utf-8")
        for name in ("cli", "network", "registries", "signatures")
    )
    keys = re.findall(r"^\| `(\w+)` \|", pages()["settings"], re.MULTILINE)
    assert len(keys) > 30
    assert [key for key in keys if not re.search(rf"\b{key}\b", guides)] == []


def forgotten(what: str, patch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """Leave something unexplained; the maker of its page, and what it should complain about."""
    module = reference()
    path, command = next(iter(module.all_commands()))
    if what == "command":
        patch.setattr(command, "help", None)
        return module.commands, f"nothing explains `{path}`"
    if what == "option":
        for path, command in module.all_commands():
            for option in command.params:
                if isinstance(option, click.Option) and "--access" in option.opts:
                    patch.setattr(option, "help", None)
                    return module.commands, f"`--access` of `{path}`"
    if what == "setting":
        patch.delitem(module._SETTINGS, "walls")
        return module.settings, "nothing explains walls"
    if what == "policy key":
        patch.delitem(module._POLICY, "cidr")
        return module.policy, "nothing explains cidr"
    if what == "tool":
        tool = module.all_tools()[0]
        patch.setattr(tool, "description", "")
        return module.tools, f"nothing explains {tool.name}"
    assert what == "error"
    patch.setattr(PolicyError, "__doc__", None)
    return module.errors, "nothing explains PolicyError"


@pytest.mark.parametrize("what", ["command", "option", "setting", "policy key", "tool", "error"])
def test_nothing_can_be_forgotten(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, complaint = forgotten(what, monkeypatch)
    with pytest.raises(reference().Unexplained, match=re.escape(complaint)):
        make()


def test_policy_keys_are_those_of_the_model_and_in_the_guide() -> None:
    keys: dict[str, bool] = reference().policy_keys()
    text = (DOCS / "policy.md").read_text("utf-8")
    assert [key for key in keys if not re.search(rf"\b{key}\b", text)] == []
    for needed in ("version", "permissions"):
        assert keys[needed]
        lines = {"version": 'version: "1.0"', "permissions": "permissions: {}"}
        del lines[needed]
        with pytest.raises(PolicyError, match=needed):
            parse_policy("\n".join(lines.values()), "a policy")


def test_every_key_that_the_parser_quotes_is_known() -> None:
    """Another way to the keys: the words that the parser looks up in a mapping."""
    source = ast.parse((ROOT / "backend/wassette/policy/parse.py").read_text())
    looked_up = {
        node.slice.value
        for node in ast.walk(source)
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    }
    assert looked_up
    assert looked_up <= set(reference().policy_keys())


def test_routes() -> None:
    text = pages()["http"]
    for path, methods in reference().api()["paths"].items():
        for method in methods:
            assert f"`{method.upper()}` `{path}`" in text
    for path in ("/mcp", "/sse", "/health", "/ready", "/info"):
        assert f"`{path}`" in text
