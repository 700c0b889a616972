"""The shop of the scenario, set up by the playbook, with two backups of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hosts import host_of
from tests.support.patient import Patient
from tests.support.shop import shop_of


@pytest.fixture(scope="session")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Holdfast on the shop's machine, and two backups: the second has one order more."""
    shop = shop_of(host_of("recovery", "shop"), tmp_path_factory.mktemp("home"), "recovery")
    shop.hosts.play("playbooks/site.yml", "--limit", "shop").require_success()
    ids = []
    for note in ("first", "second"):
        if note == "second":
            shop.server.query("INSERT INTO orders (key) VALUES ('late')", "shop")
        ids.append(json.loads(shop.host.check_output(f"holdfast backup --json --note {note}"))["backup"]["id"])
    return ids[0], ids[1]


@pytest.fixture
def patient(set_up: tuple[str, str], tmp_path: Path) -> Iterator[Patient]:
    """The shop; what a test puts aside is gone afterwards, so that the disk does not fill up."""
    found = Patient(shop_of(host_of("recovery", "shop"), tmp_path, "recovery"), set_up)
    yield found
    put_aside = "docker volume ls --quiet --filter label=io.holdfast.quarantine"
    found.host.check_output(f"{put_aside} | xargs --no-run-if-empty docker volume rm")
