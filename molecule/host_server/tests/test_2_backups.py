"""Backups and restores run as the server's own account, by the socket and without a password."""

from __future__ import annotations

import pytest

from tests.support.hosts import Server
from tests.support.playbooks import Inventory

NAMES = {"plain", "depot"}
SOLD = "SELECT count(*), sum(amount), md5(string_agg(sales::text, ',' ORDER BY goods, sold)) FROM sales"


def test_the_program_takes_a_backup_as_cron_would_run_it(server: Server) -> None:
    taken = server.reported("backup", "--tier", "daily")["backup"]["id"]
    assert server.reported("list")["backups"][0]["id"] == taken
    assert server.holdfast("check").rc == 0


def test_that_backup_restores_into_a_new_database_and_matches(server: Server) -> None:
    restored = server.reported("restore", "--latest", "--database", server.name, "--into", "again")
    assert restored["verdict"] == "match"
    assert server.query(SOLD, "again") == server.query(SOLD, server.name)
    server.query("DROP DATABASE again")


def test_that_backup_restores_in_place(server: Server) -> None:
    before = server.query(SOLD, server.name)
    server.query("DELETE FROM sales WHERE amount > 3", server.name)
    restore = ["restore", "--latest", "--database", server.name, "--in-place", "--confirm", server.name]
    restored = server.reported(*restore)
    assert restored["verdict"] == "match"
    assert server.query(SOLD, server.name) == before
    aside = restored["databases"][0]["kept_aside_as"]
    assert server.query(SOLD, aside) != before
    server.query(f'DROP DATABASE "{aside}"')


def test_nothing_is_pruned_that_is_of_today(server: Server) -> None:
    backups = len(server.reported("list")["backups"])
    assert server.holdfast("prune", "--dry-run").rc == 0
    assert server.holdfast("prune").rc == 0
    assert len(server.reported("list")["backups"]) == backups


def test_all_are_backed_up_at_once(together: Inventory) -> None:
    taken = together.play("playbooks/backup.yml", tier="daily").require_success()
    assert {name: host["changed"] for name, host in taken.recap.items()} == dict.fromkeys(NAMES, 1)


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
