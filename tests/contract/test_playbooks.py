"""No playbook and no role has a way to lose a volume, or to restart a database that nobody named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for room in ("roles", "playbooks") for path in (ROOT / room).rglob("*.yml"))
#: What the engine or compose would be told to do harm.
HARMFUL = {
    "down", "rm", "remove", "prune", "stop", "kill", "restart", "-v", "--volumes",
    "--force-recreate", "--renew-anon-volumes", "--remove-orphans",
}  # fmt: skip


def commands(node: Any) -> Iterator[list[str]]:
    """The words of every command task, those of a template included."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("ansible.builtin.command", "ansible.builtin.shell"):
                yield re.findall(r"[\w./=:-]+", yaml.safe_dump(value))
            else:
                yield from commands(value)
    elif isinstance(node, list):
        for one in node:
            yield from commands(one)


def of_engine(words: list[str]) -> bool:
    return bool({"docker", "podman", "docker-compose"} & set(words)) or any("engine.compose" in word for word in words)


ENGINE_COMMANDS = [
    pytest.param(words, id=f"{path.relative_to(ROOT)}-{number}")
    for path in FILES
    for number, words in enumerate(commands(yaml.safe_load(path.read_text())))
    if of_engine(words)
]


def test_the_commands_of_the_engine_are_found() -> None:
    assert len(ENGINE_COMMANDS) >= 6


@pytest.mark.parametrize("words", ENGINE_COMMANDS)
def test_no_command_of_the_engine_stops_or_removes_anything(words: list[str]) -> None:
    assert HARMFUL & set(words) == set()


@pytest.mark.parametrize("words", ENGINE_COMMANDS)
def test_up_recreates_only_what_the_survey_was_allowed_to(words: list[str]) -> None:
    if "up" in words:
        assert {"--no-deps", "--no-recreate", "recreate"} <= set(words)


def test_no_module_removes_a_container_or_a_volume() -> None:
    for path in FILES:
        text = path.read_text()
        assert not re.search(r"docker_(container|volume|compose\w*|prune)|podman_(container|volume)", text), path
