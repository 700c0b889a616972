"""Every test looks at one server of the scenario's inventory after the other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.clusters import CHECKOUT
from tests.support.hosts import Server, inventory, inventory_of
from tests.support.playbooks import Inventory

GOODS = CHECKOUT / "molecule" / "shared" / "files" / "goods.sql"


@pytest.fixture
def server(host: Any) -> Server:
    """A server with a database that is called as its cluster is; a new one has got none so far."""
    found = Server.of(host)
    if not found.query(f"SELECT 1 FROM pg_database WHERE datname = '{found.name}'"):
        found.query(f"CREATE DATABASE {found.name}")
        found.query(GOODS.read_text(encoding="utf-8"), found.name)
    return found


@pytest.fixture
def together(tmp_path: Any) -> Inventory:
    """The scenario's inventory, to run a playbook for all its clusters."""
    return inventory(tmp_path, inventory_of("host_server"))
