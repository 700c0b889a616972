"""What site.yml has made around databases that were there before it; that it left them alone is in conftest.py."""

from __future__ import annotations

import json

from tests.support.hosts import Server

VOLUMES = {"shop": "shop_postgres_data", "orders": "orders_postgres_data", "archive": "archive_data"}
SOLD = "SELECT count(*), sum(amount), md5(string_agg(sales::text, ',' ORDER BY goods, sold)) FROM sales"


def test_the_database_is_reached_as_the_superuser_that_it_has(server: Server) -> None:
    configured = json.loads(server.host.file(f"/etc/holdfast/{server.name}.json").content_string)
    assert configured["access"]["user"] == ("shop" if server.name == "shop" else "postgres")


def test_its_volume_is_remembered(server: Server) -> None:
    configured = json.loads(server.host.file(f"/etc/holdfast/{server.name}.json").content_string)
    assert configured["guard"]["volume"] == VOLUMES[server.name]


def test_the_repository_is_for_the_account_of_the_containers_alone(server: Server) -> None:
    repository = server.host.file(f"/var/backups/holdfast/{server.name}")
    assert (repository.user, repository.mode) == (server.account, 0o700)


def test_no_account_is_made_in_it(server: Server) -> None:
    assert server.query("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'holdfast%'") == "0"


def test_the_guard_warns_of_missing_checksums_only(server: Server) -> None:
    """The stock image makes a server without them, and somebody who adopts it cannot have them without a stop."""
    guarded = server.reported("guard")
    assert {check["check"] for check in guarded["checks"] if check["result"] != "ok"} == {"checksums"}
    assert guarded["identity"]["volume"] == VOLUMES[server.name]


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
