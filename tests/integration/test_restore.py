"""Restores: which backup is chosen, what is refused beforehand, and that a failure touches nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.support.backups import (
    ACCESS,
    BUSY,
    CONFIG,
    DIFFERENT,
    INTERRUPTED,
    NOT_FOUND,
    PREFLIGHT,
    RESTORE,
    back_up,
    ended,
    error_of,
    eventually,
    in_place,
    listed,
    refusal,
    restore,
    restore_in_place,
    restore_new,
    started,
)
from tests.support.clusters import Cluster
from tests.support.crash import crash, start_again
from tests.support.servers import Server

Clusters = Callable[..., Cluster]


@pytest.fixture
def slow(shop: Cluster, orders: str) -> str:
    """The same, and its restore takes a minute: its materialized view is slow to fill by now."""
    shop.server.psql(
        "CREATE FUNCTION nap() RETURNS integer LANGUAGE sql AS 'SELECT 1';"
        " CREATE MATERIALIZED VIEW naps AS SELECT nap();"
        " CREATE OR REPLACE FUNCTION nap() RETURNS integer LANGUAGE sql AS 'SELECT pg_sleep(60); SELECT 1'",
        orders,
    )
    return orders


def restoring(server: Server) -> list[str]:
    """The databases that a restore is loading, or has left behind."""
    return [name for name in server.databases() if "_restoring_" in name]


def is_loading(server: Server) -> bool:
    return bool(server.query("SELECT pid FROM pg_stat_activity WHERE query LIKE 'REFRESH MATERIALIZED%'"))


# --- which backup ------------------------------------------------------------------------------------


def test_the_newest_proven_one_is_the_default_and_latest_the_newest_of_all(shop: Cluster, orders: str) -> None:
    first = back_up(shop)
    fields = refusal(shop, NOT_FOUND, "restore", "--database", orders, "--into", "again")
    assert "no proven backup" in fields["reason"]
    assert "latest" in fields["next_step"]
    second = back_up(shop, "--database", orders)
    assert restore_new(shop, second["id"], orders, "proof")["backup"]["state"] == "proven"
    shop.server.query("INSERT INTO lines VALUES (4)", orders)
    third = back_up(shop, "--database", orders)
    chosen = {
        "--latest": restore(shop, "--latest", "--database", orders, "--into", "a")["backup"]["id"],
        "default": restore(shop, "--database", orders, "--into", "b")["backup"]["id"],
        "--before": restore(shop, "--latest", "--before", first["time"], "--database", orders, "--into", "c")["backup"][
            "id"
        ],
    }
    # The restore of the third has proved it, so it is the newest proven one from then on.
    assert chosen == {"--latest": third["id"], "default": third["id"], "--before": first["id"]}


def test_a_backup_is_proven_by_a_restore_of_all_that_it_holds(shop: Cluster, orders: str) -> None:
    taken = back_up(shop)
    assert restore_new(shop, taken["id"], orders, "again")["backup"]["state"] == "complete"
    only = back_up(shop, "--database", orders)
    assert restore_new(shop, only["id"], orders, "without", "--no-compare")["backup"]["state"] == "complete"
    result = restore_new(shop, only["id"], orders, "more")
    assert result["backup"]["state"] == "proven"
    assert result["backup"]["proof"]["databases"][orders]["rows"] == 3
    assert result["rto"] > 0
    assert result["rpo"] >= 0


def test_no_backup_is_old_enough_or_holds_the_database(shop: Cluster, orders: str) -> None:
    taken = back_up(shop, "--database", orders)
    to = ["--into", "again"]
    refusal(shop, NOT_FOUND, "restore", "--latest", "--before", "2020-01-01T00:00:00Z", "--database", orders, *to)
    refusal(shop, NOT_FOUND, "restore", "--latest", "--database", "nothing", *to)
    fields = refusal(shop, PREFLIGHT, "restore", "--id", taken["id"], "--database", "nothing", *to)
    assert "it does not hold database 'nothing', only 'orders'" in fields["reason"]
    refusal(shop, NOT_FOUND, "restore", "--id", "20200101T000000Z-daily-000000", "--database", orders, *to)


# --- refused beforehand ------------------------------------------------------------------------------


def test_a_database_that_exists_is_not_restored_into_without_the_say_so(shop: Cluster, orders: str) -> None:
    taken = back_up(shop, "--database", orders)
    shop.server.query("DELETE FROM lines", orders)
    known = ["--id", taken["id"], "--database", orders]
    fields = refusal(shop, PREFLIGHT, "restore", *known, "--into", orders)
    assert "restore in place" in fields["reason"]
    for say_so in ([], ["--confirm", "order"]):
        fields = refusal(shop, CONFIG, "restore", *known, "--in-place", *say_so)
        assert "'orders'" in fields["next_step"]
    assert shop.server.query("SELECT count(*) FROM lines", orders) == [(0,)]
    assert listed(shop) == [taken["id"]]


def test_a_plan_says_everything_and_changes_nothing(shop: Cluster, orders: str) -> None:
    taken = back_up(shop, "--database", orders)
    with shop.server.connect(orders, application_name="till"):
        plan = shop.holdfast("restore", "--json", *in_place(taken["id"], orders), "--dry-run", check=True).json["plan"]
    assert plan["feasible"] is True
    checks = {check["check"]: check for check in plan["checks"]}
    assert checks["integrity"]["result"] == "ok"
    assert "1 postgres (till) idle" in checks["sessions"]["detail"]
    assert plan["steps"][0] == "take a safety backup of database 'orders'"
    assert shop.server.databases() >= {orders}
    assert restoring(shop.server) == []
    assert listed(shop) == [taken["id"]]


def test_a_backup_that_was_altered_is_refused(shop: Cluster, orders: str) -> None:
    taken = back_up(shop, "--database", orders)
    toc = shop.repository / "backups" / taken["id"] / "databases" / orders / "toc.dat"
    toc.write_bytes(toc.read_bytes().replace(b"lines", b"lices"))
    fields = refusal(shop, PREFLIGHT, "restore", *in_place(taken["id"], orders))
    assert "toc.dat was altered" in fields["reason"]


def test_what_keeps_a_database_from_being_renamed_is_named(
    another_server: Callable[[Server], Server], server18: Server, cluster: Clusters
) -> None:
    server = another_server(server18)
    server.query("ALTER SYSTEM SET wal_level = 'logical'")
    server.query("ALTER SYSTEM SET max_prepared_transactions = 5")
    crash(server)
    start_again(server)
    server.create_database("orders")
    shop = cluster(server)
    taken = back_up(shop, "--database", "orders")
    with server.connect("orders") as connection:
        connection.execute("SELECT pg_create_logical_replication_slot('feed', 'pgoutput')")
        connection.execute("BEGIN; CREATE TABLE t (id integer); PREPARE TRANSACTION 'left open'")
    fields = refusal(shop, PREFLIGHT, "restore", *in_place(taken["id"], "orders"))
    assert "logical slots hold on to it: feed" in fields["reason"]
    assert "commit or roll them back first: left open" in fields["reason"]


def test_a_role_that_is_missing_is_named(shop: Cluster, orders: str) -> None:
    shop.server.query("CREATE ROLE cashier")
    shop.server.query("ALTER TABLE lines OWNER TO cashier", orders)
    taken = back_up(shop, "--database", orders)
    shop.server.query("REASSIGN OWNED BY cashier TO postgres", orders)
    shop.server.query("DROP ROLE cashier")
    fields = refusal(shop, PREFLIGHT, "restore", "--id", taken["id"], "--database", orders, "--into", "again")
    assert "missing: cashier" in fields["reason"]


# --- failures ----------------------------------------------------------------------------------------


def unchanged(shop: Cluster, orders: str) -> None:
    """The target still has the row that came after the backup, and nothing is left behind."""
    assert shop.server.query("SELECT count(*) FROM lines", orders) == [(4,)]
    assert restoring(shop.server) == []
    assert not any("_before_" in name for name in shop.server.databases())


def test_an_sql_error_of_the_dump_touches_nothing(shop: Cluster, orders: str) -> None:
    # A check that no longer holds for a row that is there: the dump cannot be loaded.
    shop.server.psql(
        "CREATE FUNCTION few(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';"
        " ALTER TABLE lines ADD CHECK (few(id));"
        " CREATE OR REPLACE FUNCTION few(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 < 3'",
        orders,
    )
    taken = back_up(shop, "--database", orders)
    shop.server.psql("DROP TABLE lines; CREATE TABLE lines AS SELECT n AS id FROM generate_series(1, 4) AS n", orders)
    fields = refusal(shop, RESTORE, "restore", *in_place(taken["id"], orders), "--no-safety-backup")
    assert "violates check constraint" in fields["reason"]
    unchanged(shop, orders)
    (shown,) = shop.holdfast("list", "--json", check=True).json["backups"]
    assert shown["state"] == "complete"


def test_data_that_differ_from_what_was_backed_up_touch_nothing(shop: Cluster, orders: str) -> None:
    # A check with a side effect: each row that the restore loads adds one to another table.
    shop.server.psql(
        "CREATE TABLE other (id integer); INSERT INTO other VALUES (1);"
        " CREATE FUNCTION seen(integer) RETURNS boolean LANGUAGE plpgsql"
        " AS $$ BEGIN INSERT INTO public.other VALUES ($1); RETURN true; END $$;"
        " CREATE TABLE checked (id integer CHECK (seen(id))); INSERT INTO checked VALUES (2)",
        orders,
    )
    shop.server.query("DELETE FROM other WHERE id <> 1", orders)
    taken = back_up(shop, "--database", orders)
    shop.server.query("INSERT INTO lines VALUES (4)", orders)
    # One job: a parallel restore truncates a table before it loads it, which may undo the side effect in time.
    arguments = (*in_place(taken["id"], orders), "--no-safety-backup", "--jobs", "1")
    fields = refusal(shop, DIFFERENT, "restore", *arguments)
    assert "table public.other has 2 rows, expected 1" in fields["reason"]
    assert fields["details"]["comparison"]["verdict"] == "mismatch"
    unchanged(shop, orders)


def test_a_restore_that_is_told_to_end_cleans_up(shop: Cluster, slow: str) -> None:
    taken = back_up(shop, "--database", slow)
    shop.server.query("INSERT INTO lines VALUES (4)", slow)
    with started(shop, "restore", *in_place(taken["id"], slow), "--no-safety-backup") as running:
        eventually(lambda: is_loading(shop.server))
        running.send_signal(signal.SIGTERM)
        run = ended(running)
    assert run.returncode == INTERRUPTED, run.stderr
    unchanged(shop, slow)
    assert not is_loading(shop.server)


def test_two_restores_into_one_database_do_not_meet(shop: Cluster, slow: str) -> None:
    taken = back_up(shop, "--database", slow)
    shop.server.query("INSERT INTO lines VALUES (4)", slow)
    with started(shop, "restore", *in_place(taken["id"], slow), "--no-safety-backup") as running:
        eventually(lambda: is_loading(shop.server))
        fields = refusal(shop, BUSY, "restore", *in_place(taken["id"], slow), "--no-safety-backup")
        assert "another restore into it is running" in fields["reason"]
        running.send_signal(signal.SIGTERM)
        assert ended(running).returncode == INTERRUPTED
    unchanged(shop, slow)


def test_the_server_dying_half_way_is_said_and_a_second_run_works(
    another_server: Callable[[Server], Server], server18: Server, cluster: Clusters
) -> None:
    server = another_server(server18)
    server.create_database("orders")
    server.psql("CREATE TABLE lines AS SELECT n AS id FROM generate_series(1, 3) AS n", "orders")
    server.psql(
        "CREATE FUNCTION nap() RETURNS integer LANGUAGE sql AS 'SELECT 1';"
        " CREATE MATERIALIZED VIEW naps AS SELECT nap();"
        " CREATE OR REPLACE FUNCTION nap() RETURNS integer LANGUAGE sql AS 'SELECT pg_sleep(3); SELECT 1'",
        "orders",
    )
    shop = cluster(server)
    taken = back_up(shop, "--database", "orders")
    server.query("INSERT INTO lines VALUES (4)", "orders")
    with started(shop, "restore", *in_place(taken["id"], "orders"), "--no-safety-backup") as running:
        eventually(lambda: is_loading(server))
        crash(server)
        run = ended(running)
    fields = error_of(run, run.returncode)
    assert run.returncode in (ACCESS, RESTORE)
    assert fields["details"]["left_behind"]
    start_again(server)
    assert server.query("SELECT count(*) FROM lines", "orders") == [(4,)]
    result = restore_in_place(shop, taken["id"], "orders", "--no-safety-backup")
    assert result["verdict"] == "match"
    left = next(check for check in result["plan"]["checks"] if check["check"] == "leftovers")
    assert fields["details"]["left_behind"][0] in left["detail"]
    assert server.query("SELECT count(*) FROM lines", "orders") == [(3,)]
