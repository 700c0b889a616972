"""A restore in place: the old database gives way at once, and everything of the new one is as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

import psycopg
import pytest

from tests.support.backups import back_up, restore_in_place, restore_new
from tests.support.clusters import Cluster
from tests.support.servers import Server

Clusters = Callable[..., Cluster]

PROPERTIES = """
SELECT pg_get_userbyid(datdba), datconnlimit, shobj_description(oid, 'pg_database'),
    (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(datacl) x),
    (SELECT array_agg(coalesce(setrole::regrole::text, '-') || ' ' || c ORDER BY setrole, c)
     FROM pg_db_role_setting, unnest(setconfig) c WHERE setdatabase = d.oid)
FROM pg_database d WHERE datname = '{}'
"""


def rows(shop: Cluster, database: str) -> int:
    found: int = shop.server.query("SELECT count(*) FROM lines", database)[0][0]
    return found


def test_the_old_database_is_kept_aside_with_what_it_held(shop: Cluster, orders: str) -> None:
    taken = back_up(shop, "--database", orders)
    shop.server.query("INSERT INTO lines SELECT generate_series(4, 9)", orders)
    result = restore_in_place(shop, taken["id"], orders)
    aside = result["databases"][0]["kept_aside_as"]
    assert aside.startswith("orders_before_")
    assert (rows(shop, orders), rows(shop, aside)) == (3, 9)
    assert shop.server.databases() == {"postgres", orders, aside}


def test_the_old_database_can_be_dropped_and_is_in_the_safety_backup(shop: Cluster, orders: str) -> None:
    taken = back_up(shop, "--database", orders)
    shop.server.query("INSERT INTO lines SELECT generate_series(4, 9)", orders)
    result = restore_in_place(shop, taken["id"], orders, "--drop-replaced")
    assert result["databases"][0]["kept_aside_as"] is None
    assert shop.server.databases() == {"postgres", orders}
    assert result["safety_backup"].split("-")[1] == "safety"
    restore_new(shop, result["safety_backup"], orders, "back")
    assert (rows(shop, orders), rows(shop, "back")) == (3, 9)


def test_a_safety_backup_holds_the_rows_that_ordinary_ones_leave_out(
    server18: Server, shop: Cluster, orders: str
) -> None:
    shop.configure(backup={"exclude_table_data": ["public.lines"], "fingerprint": "counts"})
    taken = back_up(shop, "--database", orders)
    result = restore_in_place(shop, taken["id"], orders, "--drop-replaced")
    assert rows(shop, orders) == 0
    restore_new(shop, result["safety_backup"], orders, "back")
    assert rows(shop, "back") == 3


def test_a_database_that_was_dropped_comes_back(shop: Cluster, orders: str) -> None:
    taken = back_up(shop, "--database", orders)
    shop.server.drop_database(orders)
    result = restore_in_place(shop, taken["id"], orders)
    assert (rows(shop, orders), result["safety_backup"]) == (3, None)
    assert shop.server.databases() == {"postgres", orders}


def test_everything_that_belongs_to_the_database_itself_comes_back(shop: Cluster, orders: str) -> None:
    shop.server.psql(
        "CREATE ROLE keeper; CREATE ROLE clerk LOGIN; ALTER DATABASE orders OWNER TO keeper;"
        " ALTER DATABASE orders CONNECTION LIMIT 9; COMMENT ON DATABASE orders IS 'it''s ours';"
        " REVOKE TEMPORARY ON DATABASE orders FROM PUBLIC; GRANT CREATE ON DATABASE orders TO clerk WITH GRANT OPTION;"
        ' ALTER DATABASE orders SET search_path = "$user", "A b", public; ALTER DATABASE orders SET work_mem = \'5MB\';'
        " ALTER DATABASE orders SET app.mode = 'it''s \"on\", a';"
        " ALTER DATABASE orders SET default_transaction_read_only = on;"
        " ALTER ROLE clerk IN DATABASE orders SET statement_timeout = '1min'"
    )
    before = shop.server.query(PROPERTIES.format(orders))
    taken = back_up(shop, "--database", orders)
    shop.server.psql(
        "ALTER DATABASE orders OWNER TO postgres; ALTER DATABASE orders RESET ALL; COMMENT ON DATABASE orders IS 'x'"
    )
    assert restore_in_place(shop, taken["id"], orders)["verdict"] == "match"
    after = shop.server.query(PROPERTIES.format(orders))
    assert after == before
    assert shop.server.query("SHOW app.mode", orders) == [('it\'s "on", a',)]
    assert shop.server.query("SHOW search_path", orders) == [('"$user", "A b", public',)]


def test_open_sessions_are_ended_at_the_swap(shop: Cluster, orders: str) -> None:
    taken = back_up(shop, "--database", orders)
    with ExitStack() as stack:
        idle = shop.server.connect(orders)
        stack.callback(idle.close)
        in_transaction = shop.server.connect(orders)
        stack.callback(in_transaction.close)
        in_transaction.execute("BEGIN; INSERT INTO lines VALUES (4)")
        result = restore_in_place(shop, taken["id"], orders, "--no-safety-backup")
        assert result["sessions_ended"] >= 2
        for connection in (idle, in_transaction):
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
    assert rows(shop, orders) == 3


def test_clients_that_reconnect_all_the_time_do_not_keep_it_from_swapping(shop: Cluster, orders: str) -> None:
    taken = back_up(shop, "--database", orders)
    shop.server.query("INSERT INTO lines VALUES (4)", orders)
    stop, seen, missing = threading.Event(), set[int](), list[str]()

    def client() -> None:
        while not stop.is_set():
            try:
                with shop.server.connect(orders) as connection:
                    for _ in range(50):
                        seen.update(connection.execute("SELECT count(*) FROM lines").fetchone() or ())
            except psycopg.OperationalError as error:
                # Who waits at the door while the names change is told so, once; the name itself is never free.
                if "does not exist" in str(error) and "just been dropped or renamed" not in str(error):
                    missing.append(str(error))

    threads = [threading.Thread(target=client) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        result = restore_in_place(shop, taken["id"], orders, "--no-safety-backup")
        seen.clear()
        assert rows(shop, orders) == 3
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert result["verdict"] == "match"
    assert rows(shop, result["databases"][0]["kept_aside_as"]) == 4
    assert missing == []


def test_the_database_that_is_connected_to_for_the_rest_can_be_replaced_too(
    another_server: Callable[[Server], Server], server16: Server, cluster: Clusters
) -> None:
    server = another_server(server16)
    shop = cluster(server)
    server.psql("CREATE TABLE lines AS SELECT 1 AS id")
    taken = back_up(shop)
    server.query("INSERT INTO lines VALUES (2)")
    result = restore_in_place(shop, taken["id"], "postgres")
    assert rows(shop, "postgres") == 1
    assert rows(shop, result["databases"][0]["kept_aside_as"]) == 2
