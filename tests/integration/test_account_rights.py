"""The rights of the backup account suffice for all that a backup holds, and each of them is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.postgres.access import access_from_config
from holdfast.postgres.health import read_health
from holdfast.postgres.locate import open_place
from holdfast.postgres.server import Server as SeenServer
from holdfast.system import System
from tests.support import sample
from tests.support.accounts import BACKUP, PASSWORD, log_in, make
from tests.support.backups import back_up, eventually, fingerprint_of, restore, restore_in_place, restore_new, tidied
from tests.support.clusters import Cluster
from tests.support.servers import Server

Clusters = Callable[..., Cluster]


@pytest.fixture
def shop(server: Server, cluster: Clusters) -> Iterator[Cluster]:
    """A cluster on each server in turn, which has no account of Holdfast's yet."""
    with tidied(server):
        yield cluster(server, backup={"jobs": 2})


@pytest.fixture
def guarded(shop: Cluster) -> str:
    """A database with all that takes a right of its own to read."""
    name = sample.load(shop.server, shop.server.create_database("guarded"))
    shop.server.psql(
        "CREATE TABLE secrets AS SELECT n AS id FROM generate_series(1, 9) AS n;"
        " REVOKE ALL ON secrets FROM PUBLIC; ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;"
        " ALTER TABLE secrets FORCE ROW LEVEL SECURITY",
        name,
    )
    return name


@pytest.fixture
def by_backup_account(shop: Cluster, guarded: str) -> Cluster:
    """The cluster as it should be configured: one account backs it up, another one restores."""
    make(shop, password=PASSWORD)
    shop.configure(access={"user": BACKUP, "restore_user": "postgres"})
    return shop


def test_what_the_backup_account_takes_comes_back_as_it_was(by_backup_account: Cluster, guarded: str) -> None:
    shop, server = by_backup_account, by_backup_account.server
    taken = back_up(shop)
    assert (taken["state"], taken["warnings"], taken["role_passwords"]) == ("complete", [], True)
    assert fingerprint_of(shop, taken["id"], guarded)["level"] == "digest"
    assert restore_new(shop, taken["id"], guarded, "again")["verdict"] == "match"
    assert server.query('SELECT count(*) FROM "Mixed Case".secrets', "again") == [(9,)]
    server.query('DELETE FROM "Mixed Case".secrets', guarded)
    result = restore_in_place(shop, taken["id"], guarded)
    assert result["verdict"] == "match"
    assert server.query('SELECT count(*) FROM "Mixed Case".secrets', guarded) == [(9,)]
    manifest = shop.repository / "backups" / result["safety_backup"] / "manifest.json"
    assert '"outcome": "complete"' in manifest.read_text()


def test_a_whole_cluster_comes_back_through_the_account_that_restores(
    by_backup_account: Cluster, another_server: Callable[[Server], Server]
) -> None:
    shop, old = by_backup_account, by_backup_account.server
    old.query("CREATE ROLE worker LOGIN PASSWORD 'worker''s own'")
    taken = back_up(shop)
    new = another_server(old)
    shop.configure(access={"host": str(new.socket_dir), "port": new.port})
    result = restore(shop, "--id", taken["id"], "--whole-cluster", "--confirm", "shop")
    assert result["verdict"] == "match"
    assert log_in(new, "worker", "worker's own") == "worker"
    assert log_in(new, BACKUP, PASSWORD) == BACKUP
    assert not make(shop, password=PASSWORD).changed
    assert back_up(shop)["warnings"] == []


@pytest.mark.parametrize(
    ("without", "named"),
    [
        (f"ALTER ROLE {BACKUP} NOLOGIN", "is not permitted to log in"),
        (f"ALTER ROLE {BACKUP} NOBYPASSRLS", "row security"),
        (f"REVOKE pg_read_all_data FROM {BACKUP}", "may not read all of"),
        (f"ALTER ROLE {BACKUP} RESET lo_compat_privileges", "permission denied for large object"),
    ],
)
def test_a_backup_without_one_of_the_rights_fails(by_backup_account: Cluster, without: str, named: str) -> None:
    by_backup_account.server.query(without)
    run = by_backup_account.holdfast("backup", "--json")
    assert run.returncode != 0
    assert named in run.json["reason"]


def test_passwords_of_roles_take_reading_all_data(by_backup_account: Cluster) -> None:
    shop = by_backup_account
    shop.server.query(f"REVOKE pg_read_all_data FROM {BACKUP}")
    taken = back_up(shop, "--database", "postgres")
    assert any("may not read pg_authid" in said for said in taken["limitations"])


def test_what_is_measured_takes_monitoring(by_backup_account: Cluster, guarded: str) -> None:
    """Who waits for whom, and how much WAL there is: without the right there is no value, never a wrong one."""
    shop = by_backup_account

    def told() -> dict[str, float | None]:
        access = access_from_config(shop.config()["access"], "of the test")
        place = open_place(access, System(), (0, 0), "test")
        with SeenServer(place, "postgres", shop.name).connect() as connection:
            return read_health(connection)

    with shop.server.connect(guarded) as holder, ThreadPoolExecutor(1) as pool:
        holder.autocommit = False
        holder.execute('LOCK TABLE "Mixed Case".secrets')
        waiting = pool.submit(shop.server.query, 'SELECT count(*) FROM "Mixed Case".secrets', guarded)
        eventually(lambda: told()["lock_waits"] == 1)
        assert (told()["lock_wait_seconds"] or 0) > 0
        assert (told()["wal_bytes"] or 0) > 0
        shop.server.query(f"REVOKE pg_monitor FROM {BACKUP}")
        assert {name for name, value in told().items() if value is None} >= {
            "lock_waits",
            "lock_wait_seconds",
            "wal_bytes",
        }
        holder.rollback()
        waiting.result(timeout=30)


def test_where_the_data_lie_takes_monitoring(by_backup_account: Cluster) -> None:
    shop = by_backup_account

    def seen() -> str | None:
        access = access_from_config(shop.config()["access"], "of the test")
        place = open_place(access, System(), (0, 0), "test")
        return SeenServer(place, "postgres", shop.name).facts.data_directory

    assert seen() == shop.server.query("SHOW data_directory")[0][0]
    shop.server.query(f"REVOKE pg_monitor FROM {BACKUP}")
    assert seen() is None


def test_a_physical_copy_takes_replication(by_backup_account: Cluster, tmp_path: Path) -> None:
    server = by_backup_account.server
    copy = ["--username", BACKUP, "--checkpoint=fast", "--wal-method=stream", "--no-sync"]
    server.run("pg_basebackup", *copy, f"--pgdata={tmp_path / 'copy'}")
    assert (tmp_path / "copy" / "PG_VERSION").read_text().strip() == str(server.major)
    server.query(f"ALTER ROLE {BACKUP} NOREPLICATION")
    with pytest.raises(AssertionError, match=r"REPLICATION|replication role"):
        server.run("pg_basebackup", *copy, f"--pgdata={tmp_path / 'refused'}")


def test_what_takes_a_superuser_is_said(by_backup_account: Cluster, guarded: str) -> None:
    subscription = "CREATE SUBSCRIPTION news CONNECTION 'host=nowhere.invalid' PUBLICATION p WITH (connect = false)"
    by_backup_account.server.query(subscription, guarded)
    try:
        taken = back_up(by_backup_account, "--database", guarded)
        assert any("subscriptions not dumped" in said for said in taken["warnings"])
    finally:
        by_backup_account.server.query("ALTER SUBSCRIPTION news SET (slot_name = NONE)", guarded)
        by_backup_account.server.query("DROP SUBSCRIPTION news", guarded)


def test_passwords_of_foreign_servers_that_only_a_superuser_reads_are_named(
    by_backup_account: Cluster, guarded: str
) -> None:
    by_backup_account.server.psql(
        "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far;"
        " CREATE USER MAPPING FOR postgres SERVER away OPTIONS (password 'kept nowhere')",
        guarded,
    )
    taken = back_up(by_backup_account)
    assert any("postgres on away" in said for said in taken["limitations"])
    by_backup_account.configure(access={"user": "postgres"})
    assert not any("postgres on away" in said for said in back_up(by_backup_account)["limitations"])
