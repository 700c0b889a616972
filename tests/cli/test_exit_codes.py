"""A script can tell by the exit code what went wrong."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from hashlib import sha256

from holdfast.config import load
from holdfast.operations.context import open_repository
from tests.support import sets
from tests.support.clusters import Cluster, Run
from tests.support.servers import Server

Program = Callable[..., Run]


def code(run: Run) -> int:
    """The exit code, which the JSON and the message on standard error have to agree with."""
    assert run.json["exit_code"] == run.returncode
    assert run.stderr.rstrip().endswith(run.json["msg"])
    assert "Traceback" not in run.stderr
    assert run.json["reason"]
    assert run.json["next_step"]
    return run.returncode


def test_3_a_server_that_is_not_there(holdfast: Program, shop: Cluster) -> None:
    shop.configure(access={"port": 1})
    assert code(holdfast("backup", "--json")) == 3


def test_3_programs_that_are_not_there(holdfast: Program, shop: Cluster) -> None:
    shop.configure(access={"bin_dir": "/nonexistent"})
    assert code(holdfast("backup", "--json")) == 3


def test_4_a_repository_that_is_gone(holdfast: Program, shop: Cluster) -> None:
    shutil.rmtree(shop.repository)
    for command in ("backup", "list", "prune", "check", "init"):
        assert code(holdfast(command, "--json")) == 4


def test_5_another_backup_runs_and_130_somebody_ends_it(
    holdfast: Program, shop: Cluster, server18: Server, database: str
) -> None:
    with server18.connect(database) as connection, connection.transaction():
        connection.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        first = subprocess.Popen(
            shop.command("backup", "--quiet"),
            env=shop.environment(),
            stderr=subprocess.PIPE,
            # A shell's background job, as these tests may run in, starts with SIGINT ignored, and so would this.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            deadline = time.monotonic() + 30
            while not any(path.name.startswith(".partial-") for path in shop.backups):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            busy = holdfast("backup", "--json")
        finally:
            first.send_signal(signal.SIGINT)
            _, said = first.communicate(timeout=30)

    assert code(busy) == 5
    assert busy.json["details"]["holder"]["pid"] == first.pid
    assert first.returncode == 130
    assert said == b"interrupted; nothing half-done is in the catalogue\n"
    assert shop.backups == []


def test_6_a_dump_that_fails(holdfast: Program, shop: Cluster, server18: Server, database: str) -> None:
    shop.configure(backup={"lock_timeout": 1})
    with server18.connect(database) as connection, connection.transaction():
        connection.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        assert code(holdfast("backup", "--json")) == 6


def test_7_a_restore_into_a_database_that_exists(holdfast: Program, database: str) -> None:
    holdfast("backup", check=True)
    assert code(holdfast("restore", "--latest", "--database", database, "--into", "postgres", "--json")) == 7


def test_8_a_backup_that_was_altered(holdfast: Program, shop: Cluster, database: str) -> None:
    holdfast("backup", check=True)
    (shop.backups[0] / "globals.sql").write_text("DROP TABLE orders;")

    assert code(holdfast("check", "--json")) == 8
    assert holdfast("list", "--json").json["backups"][0]["state"] == "corrupt"


def test_9_no_such_backup_or_database(holdfast: Program, database: str) -> None:
    unknown = "20200101T000000Z-daily-abcdef"
    for arguments in (("show", unknown), ("pin", unknown), ("unpin", unknown), ("check", unknown)):
        assert code(holdfast(*arguments, "--json")) == 9
    assert code(holdfast("restore", "--latest", "--database", database, "--into", "copy", "--json")) == 9
    assert code(holdfast("backup", "--database", "nowhere", "--json")) == 9
    holdfast("backup", check=True)
    assert code(holdfast("restore", "--database", database, "--into", "copy", "--json")) == 9, "none is proven"


def test_10_a_dump_that_does_not_load(holdfast: Program, server18: Server, database: str) -> None:
    """A constraint that looks at another table holds while it is checked in the order of the application."""
    server18.psql(
        """
        CREATE TABLE zones (id int); INSERT INTO zones VALUES (1);
        CREATE FUNCTION known(int) RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM public.zones WHERE id = $1)';
        CREATE TABLE addresses (zone int CHECK (public.known(zone))); INSERT INTO addresses VALUES (1);
        """,
        database,
    )
    holdfast("backup", check=True)
    before = server18.databases()

    assert code(holdfast("restore", "--latest", "--database", database, "--into", "copy", "--json")) == 10
    assert server18.databases() == before


def test_11_a_database_that_comes_back_different(
    holdfast: Program, shop: Cluster, server18: Server, database: str
) -> None:
    """Played by a backup that says another row count than it holds, all its checksums being right."""
    backup_id = holdfast("backup", "--json", check=True).json["backup"]["id"]
    folder = shop.repository / "backups" / backup_id
    said, sums = (folder / "fingerprint.json").read_bytes(), (folder / "checksums.sha256").read_bytes()
    altered = said.replace(b'"rows": 500', b'"rows": 499')
    new_sums = sums.replace(sha256(said).hexdigest().encode(), sha256(altered).hexdigest().encode())
    (folder / "fingerprint.json").write_bytes(altered)
    (folder / "checksums.sha256").write_bytes(new_sums)
    opened = open_repository(load(shop.name, str(shop.config_dir)))
    new_sum = sha256(new_sums).hexdigest()
    sets.rewrite_manifest(opened, backup_id, lambda facts: facts["files"].update(sha256=new_sum))
    before = server18.databases()

    failed = holdfast("restore", "--latest", "--database", database, "--into", "copy", "--json")

    assert code(failed) == 11
    assert "orders" in failed.json["reason"]
    assert server18.databases() == before
