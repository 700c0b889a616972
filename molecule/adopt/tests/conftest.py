"""Whatever the tests do, each database must stay the process, in the container, on the volume that it was."""

from __future__ import annotations

import functools
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.hosts import SSH_CONFIG, Server, inventory, inventory_of
from tests.support.playbooks import Inventory

known = functools.cache(lambda: inventory_of("adopt"))


def on_machine(name: str, *command: str) -> str:
    """The output of a command on the machine of a cluster."""
    ssh = ["ssh", "-F", str(SSH_CONFIG), known()[name]["ansible_host"], shlex.join(command)]
    return subprocess.run(ssh, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(autouse=True, scope="module")
def untouched() -> Iterator[None]:
    """What the witness saw before Holdfast came, it sees before and after the tests of a file."""
    assert_untouched()
    yield
    assert_untouched()


def assert_untouched() -> None:
    for name, facts in known().items():
        seen = on_machine(name, "witness", facts["lab_containers"], facts["lab_directory"], facts["lab_psql"])
        assert seen == on_machine(name, "cat", f"/root/{name}.before")


@pytest.fixture
def server(host: Any) -> Server:
    return Server.of(host)


@pytest.fixture
def together(tmp_path: Any) -> Inventory:
    """The scenario's inventory, to run a playbook for all its clusters."""
    return inventory(tmp_path, known())
