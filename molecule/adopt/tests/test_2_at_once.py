"""The playbooks, for clusters of two engines and three ways to be started at once."""

from __future__ import annotations

import pytest

from tests.support.hosts import Server
from tests.support.playbooks import Inventory

NAMES = {"shop", "orders", "archive"}


def test_all_are_backed_up_at_once(together: Inventory) -> None:
    taken = together.play("playbooks/backup.yml", tier="daily", note="together").require_success()
    assert {name: host["changed"] for name, host in taken.recap.items()} == dict.fromkeys(NAMES, 1)


def test_a_backup_of_a_minute_ago_is_new_enough(together: Inventory) -> None:
    taken = together.play("playbooks/backup.yml", tier="daily", if_older_than="20h").require_success()
    assert {name: host["changed"] for name, host in taken.recap.items()} == dict.fromkeys(NAMES, 0)


@pytest.mark.parametrize("playbook", ["catalogue", "prune", "guard"])
def test_all_are_looked_at_at_once(together: Inventory, playbook: str) -> None:
    played = together.play(f"playbooks/{playbook}.yml", "--check").require_success()
    assert {name: host["changed"] for name, host in played.recap.items()} == dict.fromkeys(NAMES, 0)


def test_the_playbook_restores_into_a_new_database(together: Inventory, server: Server) -> None:
    answer = {"database": server.name, "into": "beside", "backup": "latest"}
    restored = together.play("playbooks/restore.yml", "--limit", server.name, **answer).require_success()
    assert "fingerprint: match" in restored.said
    assert server.query("SELECT count(*) FROM goods", "beside") == "5000"
    server.query("DROP DATABASE beside")


def test_the_playbook_restores_in_place(together: Inventory, server: Server) -> None:
    server.query("TRUNCATE goods CASCADE", server.name)
    answer = {"database": server.name, "confirm": server.name, "backup": "latest"}
    restored = together.play("playbooks/restore.yml", "--limit", server.name, **answer).require_success()
    assert "fingerprint: match" in restored.said
    assert server.query("SELECT count(*) FROM goods", server.name) == "5000"
