# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A disk that fills up makes no backup, loses none, and is freed again."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.config import load
from holdfast.operations.context import open_repository
from holdfast.repository.manifest import NAME
from tests.support import sets
from tests.support.clusters import Cluster, Run
from tests.support.disks import fill, free, mounted
from tests.support.processes import started
from tests.support.servers import Server

MIB = 1 << 20
# About 3 MiB of dump: random text hardly compresses.
TABLES = """
    CREATE TABLE orders AS SELECT i AS id, sha512(i::text::bytea) AS note FROM generate_series(1, 40000) i;
    CREATE TABLE customers AS SELECT i AS id FROM generate_series(1, 100) i;
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "repository", "12m") as path:
        yield path


@pytest.fixture
def shop(server18: Server, cluster: Callable[..., Cluster], new_database: Callable[..., str], disk: Path) -> Cluster:
    database = new_database(server18)
    server18.psql(TABLES, database)
    assert disk.exists()
    return cluster(server18, backup={"databases": [database], "jobs": 1})


def require_refused_and_clean(shop: Cluster, known: list[Path]) -> None:
    """A backup fails for want of space; the older ones are whole, and nothing of it takes up space."""
    before = free(shop.repository)
    done = shop.holdfast("backup", "--json")
    assert done.returncode == 4, done.stderr
    assert re.search("no space (is )?left on", done.stderr, re.IGNORECASE)
    assert "holdfast prune" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.json["error"] == "RepositoryError"
    assert shop.backups == known
    assert abs(free(shop.repository) - before) < 64 << 10
    listed = shop.holdfast("list", "--json", check=True).json["backups"]
    assert sorted(one["id"] for one in listed) == sorted(path.name for path in known)
    for one in known:
        repository = open_repository(load(shop.name, str(shop.config_dir)))
        assert repository.verify(repository.entry(one.name)) == []


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("compression", ["none", "gzip:1"])
def test_a_disk_that_fills_up_in_the_middle_of_a_dump(shop: Cluster, jobs: int, compression: str) -> None:
    shop.configure(backup={"jobs": jobs, "compression": compression})
    shop.holdfast("backup", check=True)
    known = shop.backups
    ballast = fill(shop.repository, MIB)
    require_refused_and_clean(shop, known)
    ballast.unlink()
    shop.holdfast("backup", check=True)
    assert len(shop.backups) == 2


def test_no_instant_of_a_backup_survives_a_full_disk(shop: Cluster) -> None:
    """From a disk without one free page to one with all but a page of what a backup takes."""
    # The first one writes what the later ones find there: the directories, the RUNBOOK.
    shop.holdfast("backup", check=True)
    before = free(shop.repository)
    shop.holdfast("backup", check=True)
    known = shop.backups
    takes = before - free(shop.repository)
    page = 4096
    for leave in (0, page, 3 * page, 6 * page, takes // 2, takes - 4 * page, takes - 3 * page, takes - 2 * page):
        ballast = fill(shop.repository, leave)
        require_refused_and_clean(shop, known)
        ballast.unlink()


def backup_on_a_disk_that_fills_up(shop: Cluster, tmp_path: Path, written: str) -> Run:
    """Another process takes all the space just before a file is written."""
    directory = tmp_path / "site"
    directory.mkdir()
    shutil.copy(Path(__file__).parents[1] / "support" / "full_at.py", directory / "sitecustomize.py")
    path = f"{directory}:{shop.environment().get('PYTHONPATH', '')}"
    full = {"FULL_AT": written, "FULL_ON": str(shop.repository)}
    return shop.holdfast("backup", env={"PYTHONPATH": path, **full})


@pytest.mark.parametrize("written", ["globals.sql", "fingerprint.json", "checksums.sha256", NAME])
def test_a_disk_that_fills_up_just_before_a_file_is_written(shop: Cluster, tmp_path: Path, written: str) -> None:
    """Whatever was written before is whole, and yet no backup. (pg_dumpall itself ends with exit code 0.)"""
    shop.holdfast("backup", check=True)
    known = shop.backups
    done = backup_on_a_disk_that_fills_up(shop, tmp_path, written)
    assert (shop.repository / "lost+found" / "ballast").exists()
    assert done.returncode == 4, done.stderr
    assert re.search("no space (is )?left on", done.stderr, re.IGNORECASE)
    assert shop.backups == known


def test_a_file_that_may_not_grow_is_no_backup(
    server18: Server, cluster: Callable[..., Cluster], new_database: Callable[..., str]
) -> None:
    """A limit on the size of files needs no right to mount anything: it works for everybody."""
    database = new_database(server18)
    server18.psql(TABLES, database)
    limited = cluster(server18, backup={"databases": [database], "compression": "none"})
    with started(limited, "backup", wrap=("prlimit", "--fsize=200000")) as process:
        _stdout, stderr = process.communicate(timeout=60)
    assert process.returncode in (4, 6), stderr
    assert "Traceback" not in stderr
    assert limited.backups == []
    limited.holdfast("backup", check=True)


def test_a_full_disk_can_be_pruned(shop: Cluster) -> None:
    repository = open_repository(load(shop.name, str(shop.config_dir)))
    long_ago = datetime.now(UTC) - timedelta(days=400)
    old = sets.add(repository, {"databases/shop/1.dat": b"x" * MIB}, when=long_ago)
    shop.configure(retention={"minimum": 1})
    shop.holdfast("backup", check=True)
    fill(shop.repository, 0)
    assert free(shop.repository) == 0
    done = shop.holdfast("prune", "--json", check=True).json
    assert done["removed"] == [old]
    assert free(shop.repository) >= MIB


def test_a_full_disk_can_be_listed_and_restored_from(shop: Cluster) -> None:
    shop.holdfast("backup", check=True)
    fill(shop.repository, 0)
    assert len(shop.holdfast("list", "--json", check=True).json["backups"]) == 1
    database = shop.config()["backup"]["databases"][0]
    into = f"{database}_again"
    try:
        done = shop.holdfast("restore", "--latest", "--database", database, "--into", into)
        assert shop.server.query("SELECT count(*) FROM orders", into) == [(40000,)]
        assert done.returncode in (0, 4), done.stderr
    finally:
        shop.server.drop_database(into)
