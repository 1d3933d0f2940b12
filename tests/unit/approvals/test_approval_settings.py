"""`approvals`, in config.toml and the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wassette import config
from wassette.config import Approvals, Settings
from wassette.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def load(home: Path, text: str = "", variable: str | None = None, **options: object) -> Settings:
    file = home / "config.toml"
    file.write_text(text)
    environ = {"WASSETTE_CONFIG_FILE": str(file)}
    if variable is not None:
        environ["WASSETTE_APPROVALS"] = variable
    return config.load(environ=environ, **options)  # type: ignore[arg-type]


def test_a_person_is_asked_if_nobody_says_otherwise(home: Path) -> None:
    settings = load(home)
    assert (settings.approvals, settings.agent_grants) == (Approvals.ASK, False)
    assert load(home, default_approvals=Approvals.DENY).approvals is Approvals.DENY


@pytest.mark.parametrize("word", list(Approvals))
def test_each_way_to_say_it(home: Path, word: Approvals) -> None:
    for settings in (
        load(home, f'approvals = "{word}"'),
        load(home, variable=word),
        load(home, 'approvals = "ask"', variable=word),
        load(home, 'approvals = "ask"', approvals=word),
    ):
        assert settings.approvals is word
        assert settings.agent_grants is (word is Approvals.ALLOW_AGENT)


def test_the_old_option_means_allow_agent(home: Path) -> None:
    assert load(home, 'approvals = "deny"', agent_grants=True).approvals is Approvals.ALLOW_AGENT
    assert Settings(home, agent_grants=True).approvals is Approvals.ALLOW_AGENT
    assert Settings(home, approvals=Approvals.ALLOW_AGENT).agent_grants


@pytest.mark.parametrize("text", ['approvals = "yes"', "approvals = true", "approvals = []"])
def test_other_words_are_refused(home: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="ask, deny, allow-agent"):
        load(home, text)


def test_other_words_in_the_environment(home: Path) -> None:
    with pytest.raises(ConfigError, match="WASSETTE_APPROVALS"):
        load(home, variable="allow")
    assert load(home, variable="").approvals is Approvals.ASK


def test_timeout(home: Path) -> None:
    assert load(home).approval_timeout == 300
    assert load(home, "approval_timeout = 2.5").approval_timeout == 2.5
    for value in ("0", "-1", "true", '"5m"', "1e9", "nan"):
        with pytest.raises(ConfigError, match="approval_timeout"):
            load(home, f"approval_timeout = {value}")
