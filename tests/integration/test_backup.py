"""Backups of real servers: what is in them, what is left out, and what is said about it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.support.backups import (
    ACCESS,
    BACKUP,
    NOT_FOUND,
    back_up,
    contents,
    copy_with_stock_tools,
    ended,
    eventually,
    files_below,
    fingerprint_of,
    listed,
    refusal,
    restore_new,
    started,
    tidied,
)
from tests.support.clusters import Cluster
from tests.support.crash import crash, start_again
from tests.support.servers import Server

Clusters = Callable[..., Cluster]


@pytest.fixture
def tidy(server: Server) -> Iterator[None]:
    with tidied(server):
        yield


@pytest.fixture
def tidy18(server18: Server) -> Iterator[None]:
    with tidied(server18):
        yield


@pytest.fixture
def two_tables(server18: Server, tidy18: None, new_database: Callable[..., str]) -> str:
    """A database with a table of five rows and one of three."""
    name = new_database(server18)
    server18.psql(
        "CREATE TABLE kept AS SELECT n AS id FROM generate_series(1, 5) AS n;"
        " CREATE TABLE log AS SELECT n AS id FROM generate_series(1, 3) AS n;",
        name,
    )
    return name


def test_a_database_with_one_of_everything_comes_back_the_same(
    server: Server, tidy: None, sample_database: str, cluster: Clusters
) -> None:
    shop = cluster(server)
    taken = back_up(shop, "--database", sample_database)
    result = restore_new(shop, taken["id"], sample_database, "again")
    comparison = result["databases"][0]["comparison"]
    assert (comparison["verdict"], comparison["level"]) == ("match", "digest")
    assert comparison["differences"] == comparison["warnings"] == []
    assert result["backup"]["state"] == "proven"
    # Not by our own fingerprint alone. (The original prints some expressions otherwise than any copy of it.)
    assert contents(server, "again") == contents(server, copy_with_stock_tools(server, sample_database, "stock"))


@pytest.mark.parametrize("level", ["none", "counts", "digest"])
def test_the_level_decides_how_deeply_the_data_are_fingerprinted(
    server18: Server, two_tables: str, cluster: Clusters, level: str
) -> None:
    shop = cluster(server18)
    taken = back_up(shop, "--database", two_tables, "--fingerprint", level)
    facts = fingerprint_of(shop, taken["id"], two_tables)
    assert taken["fingerprint"] == facts["level"] == level
    assert ("tables" in facts, "schema_objects" in facts) == ((level != "none"),) * 2
    if level != "none":
        assert facts["tables"]["public.kept"]["rows"] == 5
        assert (facts["tables"]["public.kept"]["digest"] is not None) == (level == "digest")
    result = restore_new(shop, taken["id"], two_tables, "again")
    assert result["verdict"] == ("not_compared" if level == "none" else "match")
    assert result["backup"]["state"] == ("complete" if level == "none" else "proven")


def test_rows_that_are_left_out_are_named_and_their_table_comes_back_empty(
    server18: Server, two_tables: str, cluster: Clusters
) -> None:
    shop = cluster(server18)
    taken = back_up(shop, "--database", two_tables, "--exclude-table-data", "public.log")
    assert taken["databases"][0]["excluded_tables"] == ["public.log"]
    result = restore_new(shop, taken["id"], two_tables, "again")
    assert result["verdict"] == "match"
    assert server18.query("SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM log)", "again") == [(5, 0)]


def test_all_databases_are_backed_up_but_templates_and_those_that_take_no_connections(
    server18: Server, tidy18: None, new_database: Callable[..., str], cluster: Clusters
) -> None:
    shop, open_one = cluster(server18), new_database(server18, "open_one")
    server18.query("CREATE DATABASE closed ALLOW_CONNECTIONS false")
    server18.query("CREATE DATABASE model IS_TEMPLATE true")
    try:
        taken = back_up(shop)
        assert {one["name"] for one in taken["databases"]} == {"postgres", open_one}
        assert "database closed was skipped: it takes no connections" in taken["limitations"]
        reason = refusal(shop, NOT_FOUND, "backup", "--database", "model")
        assert "template" in reason["msg"].lower()
        assert "ALLOW_CONNECTIONS" in refusal(shop, ACCESS, "backup", "--database", "closed")["next_step"]
        assert listed(shop) == [taken["id"]]
    finally:
        server18.query("ALTER DATABASE model IS_TEMPLATE false")


def test_a_database_that_does_not_exist_is_refused_by_name(
    server18: Server, two_tables: str, cluster: Clusters
) -> None:
    shop = cluster(server18)
    fields = refusal(shop, NOT_FOUND, "backup", "--database", two_tables, "--database", "no such one")
    assert "'no such one'" in fields["msg"]
    assert two_tables in fields["details"]["present"]
    assert shop.backups == []


def test_compression_is_asked_of_the_build_and_its_reason_is_kept(
    server: Server, tidy: None, database: str, cluster: Clusters
) -> None:
    taken = back_up(cluster(server), "--database", database)
    has_zstd = "zstd" in _linked_libraries(server)
    if has_zstd and server.major >= 16:
        assert taken["compression"] == {
            "algorithm": "zstd:1",
            "reason": "fastest for its size, and this pg_dump has it",
        }
    else:
        assert taken["compression"] == {"algorithm": "gzip:1", "reason": "this pg_dump has no zstd"}


def test_compression_that_the_build_lacks_is_refused_before_anything_is_written(
    server18: Server, tidy18: None, new_database: Callable[..., str], cluster: Clusters
) -> None:
    database, shop = new_database(server18), cluster(server18)
    require_refused(shop, database, "zstd:1")


def require_refused(shop: Cluster, database: str, compression: str) -> None:
    before = files_below(shop.repository)
    fields = refusal(shop, ACCESS, "backup", "--database", database, "--compression", compression)
    assert f"compression {compression}" in fields["msg"]
    assert "auto" in fields["next_step"]
    assert [one for one in files_below(shop.repository) if not one.startswith(".")] == before


@pytest.mark.parametrize("compression", ["none", "gzip:9", "zstd:3", "lz4"])
def test_every_compression_that_a_build_has_restores(
    distribution_server: Server, cluster: Clusters, new_database: Callable[..., str], compression: str
) -> None:
    name, shop = new_database(distribution_server), cluster(distribution_server)
    if distribution_server.major < 16 and compression[:4] in ("zstd", "lz4"):
        require_refused(shop, name, compression)  # It knows gzip only.
        return
    distribution_server.psql("CREATE TABLE t AS SELECT repeat('text', n) FROM generate_series(1, 100) AS n", name)
    with tidied(distribution_server):
        taken = back_up(shop, "--database", name, "--compression", compression)
        assert taken["compression"] == {"algorithm": compression, "reason": "asked for"}
        assert restore_new(shop, taken["id"], name, "again")["verdict"] == "match"


def test_a_table_that_stays_locked_ends_the_backup_at_its_limit_and_names_the_holder(
    server18: Server, two_tables: str, cluster: Clusters
) -> None:
    shop = cluster(server18, backup={"lock_timeout": 1})
    with server18.connect(two_tables, application_name="a long migration") as holder, holder.transaction():
        holder.execute("LOCK TABLE kept IN ACCESS EXCLUSIVE MODE")
        fields = refusal(shop, BACKUP, "backup", "--database", two_tables)
        pid = holder.info.backend_pid
    assert f"pid {pid} (postgres, a long migration) holds kept" in fields["msg"]
    assert fields["details"]["holders"][0]["pid"] == pid
    assert shop.backups == []


def test_a_database_that_fails_does_not_cost_the_others_their_backup(
    server18: Server, two_tables: str, cluster: Clusters, new_database: Callable[..., str]
) -> None:
    shop, other = cluster(server18, backup={"lock_timeout": 1}), new_database(server18)
    with server18.connect(two_tables) as holder, holder.transaction():
        holder.execute("LOCK TABLE kept IN ACCESS EXCLUSIVE MODE")
        fields = refusal(shop, BACKUP, "backup", "--database", two_tables, "--database", other)
    (shown,) = shop.holdfast("list", "--json", check=True).json["backups"]
    assert (shown["id"], shown["state"]) == (fields["details"]["id"], "failed")
    assert shown["databases"] == [other]
    assert shown["failures"][0]["database"] == two_tables
    refusal(shop, NOT_FOUND, "restore", "--latest", "--database", other, "--into", "again")
    assert restore_new(shop, shown["id"], other, "again")["backup"]["state"] == "failed"


def test_what_a_backup_cannot_carry_is_said(server18: Server, two_tables: str, cluster: Clusters) -> None:
    server18.psql(
        "CREATE UNLOGGED TABLE session (id integer); INSERT INTO session VALUES (1);"
        " CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER far FOREIGN DATA WRAPPER nowhere;"
        " CREATE FOREIGN TABLE elsewhere (id integer) SERVER far;",
        two_tables,
    )
    shop = cluster(server18)
    taken = back_up(shop, "--database", two_tables)
    prefix = f"database {two_tables}: "
    assert prefix + "rows of foreign tables are not in a backup: public.elsewhere" in taken["limitations"]
    assert fingerprint_of(shop, taken["id"], two_tables)["tables"]["public.session"]["unlogged"] is True
    assert restore_new(shop, taken["id"], two_tables, "again")["verdict"] == "match"


def test_the_passwords_of_roles_can_be_left_out(server18: Server, two_tables: str, cluster: Clusters) -> None:
    shop = cluster(server18)
    server18.query("CREATE ROLE has_password LOGIN PASSWORD 'its own'")
    with_them = back_up(shop, "--database", two_tables)
    without = back_up(shop, "--database", two_tables, "--no-role-passwords")
    texts = [
        (shop.repository / "backups" / taken["id"] / "globals.sql").read_text(encoding="utf-8")
        for taken in (with_them, without)
    ]
    assert ["SCRAM-SHA-256$" in text for text in texts] == [True, False]
    assert (with_them["role_passwords"], without["role_passwords"]) == (True, False)
    assert any("passwords of roles are not in this backup" in said for said in without["limitations"])


def test_files_and_directories_of_a_set_are_for_their_owner_alone(
    server18: Server, two_tables: str, cluster: Clusters
) -> None:
    shop = cluster(server18)
    back_up(shop, "--database", two_tables)
    modes = {oct(path.stat().st_mode & 0o777) for path in shop.repository.rglob("*") if path.is_file()}
    assert modes == {"0o600"}
    assert {oct(path.stat().st_mode & 0o777) for path in shop.repository.rglob("*") if path.is_dir()} == {"0o700"}


def test_the_server_dying_half_way_leaves_the_catalogue_true_and_a_second_run_works(
    another_server: Callable[[Server], Server], server18: Server, cluster: Clusters
) -> None:
    mortal = another_server(server18)
    shop = cluster(mortal)
    mortal.create_database("big")
    mortal.psql("CREATE TABLE rows AS SELECT n, repeat('x', 200) AS t FROM generate_series(1, 1000) AS n", "big")
    first = back_up(shop)
    mortal.psql("CREATE SEQUENCE numbers", "big")
    with closing(mortal.connect("big")) as holder:
        # Whoever reads the sequence now waits: fingerprint and dump stand still half-way.
        holder.execute("BEGIN; ALTER SEQUENCE numbers RENAME TO renamed")
        with started(shop, "backup", "--database", "big") as running:
            eventually(lambda: mortal.query("SELECT pid FROM pg_locks WHERE NOT granted"))
            assert len(shop.backups) == 2
            crash(mortal)
            run = ended(running)
    assert run.returncode in (ACCESS, BACKUP), run.stderr
    assert "Traceback" not in run.stderr
    assert [path.name for path in shop.backups] == [first["id"]]
    start_again(mortal)
    assert listed(shop) == [first["id"]]
    assert back_up(shop)["state"] == "complete"


def _linked_libraries(server: Server) -> str:
    done = subprocess.run(["ldd", str(server.bin_dir / "pg_dump")], capture_output=True, text=True, check=False)
    return done.stdout
