# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two runs at once: one of them waits, or is told who is in its way, and neither hurts the other."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from holdfast.config import load
from holdfast.operations.catalogue import check
from holdfast.operations.context import open_repository
from holdfast.operations.prune import plan, prune
from holdfast.operations.restore import restore
from holdfast.operations.restore_plan import RestoreRequest
from holdfast.reporting.progress import Progress
from holdfast.repository.store import PARTIAL, Repository
from holdfast.system import System
from tests.support import sets
from tests.support.clusters import Cluster
from tests.support.needs import lacking
from tests.support.processes import started, until
from tests.support.servers import Server


@pytest.fixture
def shop(server18: Server, cluster: Callable[..., Cluster], new_database: Callable[..., str]) -> Cluster:
    database = new_database(server18)
    server18.query("CREATE TABLE orders AS SELECT 1 AS id", database)
    return cluster(server18, backup={"databases": [database], "lock_timeout": 60}, retention={"minimum": 1})


def repository_of(cluster: Cluster) -> Repository:
    return open_repository(load(cluster.name, str(cluster.config_dir)))


@contextmanager
def holding(cluster: Cluster) -> Iterator[None]:
    """Somebody holds the table before the backup comes."""
    (database,) = cluster.config()["backup"]["databases"]
    with cluster.server.connect(database) as holder, holder.transaction():
        holder.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.fixture
def busy(shop: Cluster) -> Iterator[subprocess.Popen[str]]:
    """A backup of `shop` that goes on until the test is over, and then succeeds."""
    with ExitStack() as stack:
        with holding(shop):
            process = stack.enter_context(started(shop, "backup"))
            until(lambda: [path for path in shop.backups if (path / "globals.sql").exists()], "it writes")
            yield process
        _stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
    assert [path.name[0] for path in shop.backups if path.name.startswith(".")] == []


def test_a_second_backup_is_told_who_is_in_its_way(shop: Cluster, busy: subprocess.Popen[str]) -> None:
    done = shop.holdfast("backup", "--json")
    assert done.returncode == 5, done.stderr
    assert done.json["details"]["holder"]["pid"] == busy.pid
    assert f"back up by process {busy.pid} on {os.uname().nodename} since 20" in done.json["msg"]
    assert "Wait until it has ended" in done.json["next_step"]


def test_a_second_backup_waits_only_as_long_as_it_was_told(shop: Cluster, busy: subprocess.Popen[str]) -> None:
    assert shop.holdfast("backup", "--wait", "0.5").returncode == 5
    assert busy.poll() is None


def test_a_second_backup_that_waits_gets_its_turn(shop: Cluster) -> None:
    with ExitStack() as stack:
        with holding(shop):
            first = stack.enter_context(started(shop, "backup"))
            until(lambda: shop.backups, "the first one writes")
            second = stack.enter_context(started(shop, "backup", "--wait", "60"))
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(1.5)
        for process in (first, second):
            _stdout, stderr = process.communicate(timeout=60)
            assert process.returncode == 0, stderr
    assert len(shop.backups) == 2


def test_whoever_waited_takes_none_if_the_other_one_was_enough(shop: Cluster) -> None:
    with ExitStack() as stack:
        with holding(shop):
            first = stack.enter_context(started(shop, "backup"))
            until(lambda: shop.backups, "the first one writes")
            second = stack.enter_context(started(shop, "backup", "--wait", "60", "--if-older-than", "1h"))
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(1.0)
        assert first.wait(60) == 0
        stdout, stderr = second.communicate(timeout=60)
    assert second.returncode == 0, stderr
    assert "is younger than" in stdout
    assert len(shop.backups) == 1


def test_the_backup_of_another_container_is_seen(shop: Cluster) -> None:
    """There the processes have numbers of their own, so that only the lock itself says who lives."""
    wrap = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    if subprocess.run([*wrap, "true"], capture_output=True, check=False).returncode != 0:
        lacking("no process namespace of its own can be made here")
    with ExitStack() as stack:
        with holding(shop):
            inside = stack.enter_context(started(shop, "backup", wrap=wrap))
            until(lambda: [path for path in shop.backups if (path / "globals.sql").exists()], "it writes")
            assert shop.holdfast("backup").returncode == 5
            assert shop.holdfast("prune", "--json", check=True).json["stale_removed"] == []
            assert [path.name.startswith(PARTIAL) for path in shop.backups] == [True]
            done = subprocess.run(
                [*wrap, *shop.command("backup")], env=shop.environment(), cwd="/", capture_output=True, check=False
            )
            assert done.returncode == 5
        _stdout, stderr = inside.communicate(timeout=60)
        assert inside.returncode == 0, stderr
    assert len(shop.backups) == 1


@pytest.mark.parametrize("inside", [False, True])
def test_the_lock_of_a_dead_backup_is_free_at_once(shop: Cluster, inside: bool) -> None:
    wrap = ("unshare", "--pid", "--fork", "--kill-child") if inside else ()
    if inside and subprocess.run([*wrap, "true"], capture_output=True, check=False).returncode != 0:
        lacking("no process namespace of its own can be made here")
    with holding(shop), started(shop, "backup", wrap=wrap) as process:
        until(lambda: shop.backups, "it writes")
        process.kill()
        process.wait()
        with repository_of(shop).writer("take a backup", wait=5 if inside else 0):
            pass
    shop.holdfast("backup", check=True)


def test_prune_leaves_the_set_that_is_being_written(shop: Cluster, busy: subprocess.Popen[str]) -> None:
    for arguments in (["--dry-run"], []):
        done = shop.holdfast("prune", "--json", *arguments, check=True).json
        assert not done["changed"]
        assert done.get("stale_removed", []) == []
    assert [path.name.startswith(PARTIAL) for path in shop.backups] == [True]
    assert busy.poll() is None


def test_prune_leaves_a_set_that_is_read_and_takes_it_later(shop: Cluster) -> None:
    repository = repository_of(shop)
    old = sets.add(repository, when=sets.NOW.replace(year=2020))
    new = sets.add(repository)
    config, system = load("shop", str(shop.config_dir)), sets.at(sets.NOW)
    with repository.reading(old, "restore"):
        (decision, _) = plan(config, system).retention.decisions
        assert (decision.action, decision.rule) == ("keep", "in-use")
        done = prune(config, system, Progress())
        assert (done["changed"], done["removed"]) == (False, [])
    assert prune(config, system, Progress())["removed"] == [old]
    assert [entry.id for entry in repository.entries()] == [new]


def test_a_set_that_somebody_begins_to_read_after_the_plan_is_left(shop: Cluster) -> None:
    repository = repository_of(shop)
    old = [sets.add(repository, when=sets.NOW.replace(year=2020, month=month)) for month in (1, 2)]
    sets.add(repository)

    class Reader(Progress):
        """Begins to read the set just before it would be removed."""

        def say(self, text: str) -> None:
            if text.startswith(f"removing {old[0]}"):
                reading.acquire()

    reading = repository.reading(old[0], "restore")
    done = prune(load("shop", str(shop.config_dir)), sets.at(sets.NOW), Reader())
    reading.release()
    assert done["removed"] == [old[1]]
    assert done["left"] == [{"id": old[0], "reason": "somebody reads it"}]


def test_a_set_that_somebody_pins_after_the_plan_is_left(shop: Cluster) -> None:
    repository = repository_of(shop)
    old = sets.add(repository, when=sets.NOW.replace(year=2020))
    sets.add(repository)

    class Pinner(Progress):
        """Pins the set just before it would be removed."""

        def say(self, text: str) -> None:
            if text.startswith(f"removing {old}"):
                repository.mark(old, "pin", {"note": "wait"})

    done = prune(load("shop", str(shop.config_dir)), sets.at(sets.NOW), Pinner())
    assert (done["removed"], done["left"][0]["reason"]) == ([], "it has been pinned meanwhile")


def test_a_restore_keeps_its_set_from_being_pruned(shop: Cluster) -> None:
    backup = shop.holdfast("backup", "--json", check=True).json["backup"]["id"]
    sets.add(repository_of(shop))
    (database,) = shop.config()["backup"]["databases"]
    seen = []
    config = load("shop", str(shop.config_dir))

    class Pruner(Progress):
        """Prunes two years later, while the restore runs."""

        def say(self, text: str) -> None:
            if text.startswith("restoring"):
                later = System(now=lambda: sets.NOW.replace(year=sets.NOW.year + 2))
                seen.append(prune(config, later, Progress())["removed"])

    into = f"{database}_again"
    try:
        restore(config, RestoreRequest(backup=backup, database=database, into=into), System(), Pruner())
    finally:
        shop.server.drop_database(into)
    assert len(seen) == 1
    assert backup not in seen[0]
    assert repository_of(shop).verify(repository_of(shop).entry(backup)) == []


def test_a_check_goes_on_where_a_set_was_pruned_meanwhile(shop: Cluster) -> None:
    repository = repository_of(shop)
    old, new = sets.add(repository, when=sets.NOW.replace(year=2020)), sets.add(repository)
    config = load("shop", str(shop.config_dir))

    class Pruner(Progress):
        """Prunes just before the set would be read."""

        def say(self, text: str) -> None:
            if text == f"checking {old}":
                assert prune(config, sets.at(sets.NOW), Progress())["removed"] == [old]

    assert check(config, sets.at(sets.NOW), Pruner())["checked"] == {new: []}
    assert [path.name for path in repository.states.iterdir()] == [f"{new}.json"]


def test_two_prunes_at_once_remove_everything_once(shop: Cluster) -> None:
    repository = repository_of(shop)
    for day in range(1, 20):
        sets.add(repository, {f"{n}.dat": b"x" for n in range(20)}, when=sets.NOW.replace(year=2020, day=day))
    new = sets.add(repository)
    with started(shop, "prune", "--json") as first, started(shop, "prune", "--json") as second:
        ends = [process.communicate(timeout=60) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), ends
    assert [path.name for path in shop.backups] == [new]
