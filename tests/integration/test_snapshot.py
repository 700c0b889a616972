"""A backup is of one instant, whatever goes on meanwhile, and takes no more memory for more data."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest

from tests.support.backups import back_up, ended, eventually, restore_new, started, tidied
from tests.support.clusters import Cluster
from tests.support.servers import Server

Clusters = Callable[..., Cluster]

ACCOUNTS = """
CREATE TABLE accounts (id integer PRIMARY KEY, balance integer NOT NULL, t text);
CREATE TABLE moves (id bigserial PRIMARY KEY, account integer, amount integer);
CREATE TABLE scratch (id integer);
CREATE SEQUENCE tickets;
INSERT INTO accounts SELECT n, 100, repeat(md5(n::text), 10) FROM generate_series(1, 20000) AS n;
"""


@pytest.fixture
def accounts(server18: Server, new_database: Callable[..., str]) -> Iterator[str]:
    """A database of 20,000 accounts, whose balances add up to 2,000,000."""
    with tidied(server18):
        name = new_database(server18)
        server18.psql(ACCOUNTS, name)
        yield name


def move_money(connection: psycopg.Connection[Any], number: int) -> None:
    """One transaction: the sum of all balances stays the same."""
    amount, first, second = number % 7 + 1, number % 20000 + 1, number * 31 % 20000 + 1
    with connection.transaction():
        for account, change in sorted([(first, -amount), (second, amount)]):
            connection.execute("UPDATE accounts SET balance = balance + %s WHERE id = %s", [change, account])
            connection.execute("INSERT INTO moves (account, amount) VALUES (%s, %s)", [account, change])
        connection.execute("SELECT nextval('tickets')")
    if number % 10 == 0:
        connection.execute(f"CREATE TABLE brief_{threading.get_ident()} AS SELECT 1 AS id")
        connection.execute(f"DROP TABLE brief_{threading.get_ident()}")


def empty_and_refill(connection: psycopg.Connection[Any], number: int) -> None:
    """Every second a transaction that needs the table for itself: it has to wait while a backup reads it."""
    time.sleep(1)
    with connection.transaction():
        connection.execute("TRUNCATE scratch")
        connection.execute("INSERT INTO scratch SELECT generate_series(1, %s)", [number % 50])


@contextmanager
def busy(server: Server, database: str, *work: Callable[[psycopg.Connection[Any], int], None]) -> Iterator[list[int]]:
    """Does each kind of work again and again in a thread of its own; counts the rounds."""
    stop, rounds = threading.Event(), [0] * len(work)
    failures: list[BaseException] = []

    def run(index: int) -> None:
        try:
            with server.connect(database) as connection:
                number = index * 7919
                while not stop.is_set():
                    number += 1
                    work[index](connection, number)
                    rounds[index] += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(work))]
    with ExitStack() as stack:
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(stop.set)
        yield rounds
    assert failures == []


def test_writers_do_not_matter(server18: Server, accounts: str, cluster: Clusters) -> None:
    shop = cluster(server18)
    with busy(server18, accounts, move_money, move_money) as rounds:
        eventually(lambda: all(rounds))
        before = sum(rounds)
        taken = back_up(shop, "--database", accounts)
        assert sum(rounds) > before, "nobody wrote meanwhile"
    assert restore_new(shop, taken["id"], accounts, "again")["verdict"] == "match"
    assert server18.query("SELECT sum(balance) FROM accounts", "again") == [(2000000,)]
    assert server18.query("SELECT coalesce(sum(amount), 0) FROM moves", "again") == [(0,)]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_table_that_is_truncated_all_the_time_is_backed_up(
    server18: Server, accounts: str, cluster: Clusters, jobs: str
) -> None:
    shop = cluster(server18)
    with busy(server18, accounts, move_money, empty_and_refill) as rounds:
        eventually(lambda: all(rounds))
        taken = back_up(shop, "--database", accounts, "--jobs", jobs)
    assert restore_new(shop, taken["id"], accounts, "again")["verdict"] == "match"


def test_who_waits_for_a_table_does_not_stop_the_backup(server18: Server, accounts: str, cluster: Clusters) -> None:
    shop = cluster(server18)
    server18.psql("CREATE SEQUENCE gate", accounts)
    with server18.connect(accounts) as holder, ExitStack() as stack:
        holder.execute("BEGIN; ALTER SEQUENCE gate RENAME TO shut")
        running = stack.enter_context(started(shop, "backup", "--database", accounts))
        # Now that the backup has its locks, somebody asks for a table alone, and all others queue behind.
        eventually(lambda: server18.query("SELECT pid FROM pg_locks WHERE NOT granted"))
        stack.enter_context(busy(server18, accounts, empty_and_refill))
        eventually(
            lambda: server18.query("SELECT pid FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'")
        )
        holder.execute("ROLLBACK")
        run = ended(running)
    assert run.returncode == 0, run.stderr
    assert restore_new(shop, run.json["backup"]["id"], accounts, "again")["verdict"] == "match"


def test_memory_does_not_grow_with_the_data(
    server18: Server, new_database: Callable[..., str], cluster: Clusters
) -> None:
    peaks = []
    for megabytes in (30, 300):
        name = new_database(server18)
        server18.psql(
            "CREATE TABLE t (id integer, t text); ALTER TABLE t ALTER t SET STORAGE EXTERNAL;"
            f" INSERT INTO t SELECT n, repeat(md5(n::text), 2048) FROM generate_series(1, {megabytes * 16}) AS n",
            name,
        )
        size = server18.query("SELECT pg_database_size(current_database()) >> 20", name)[0][0]
        assert size >= megabytes
        shop = cluster(server18, name=f"shop-{megabytes}")
        peaks.append(peak_memory(shop, "backup", "--database", name))
    assert peaks[1] - peaks[0] < 30 << 20, [f"{peak >> 20} MB" for peak in peaks]


def peak_memory(shop: Cluster, verb: str, *arguments: str) -> int:
    """The most memory that a run, or one of its own children, had at once, in bytes."""
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(
        shop.command(verb, *arguments), env=shop.environment(), stdin=nowhere, stdout=nowhere, stderr=nowhere
    )
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024
