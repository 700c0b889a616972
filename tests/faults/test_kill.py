# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is killed at any instant leaves a true catalogue behind, and nothing that lives on.

`HOLDFAST_ROUNDS` says how often to kill, `HOLDFAST_SEED` repeats the instants of an earlier run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.config import load
from holdfast.operations.catalogue import catalogue
from holdfast.operations.context import open_repository
from holdfast.operations.prune import prune
from holdfast.reporting.progress import Progress
from holdfast.repository.store import DELETING, PARTIAL, Repository
from holdfast.system import System
from tests.support import sets
from tests.support.clusters import Cluster
from tests.support.processes import dice, mentioning, rounds, started, until
from tests.support.servers import Server

ROUNDS = 50
# Two databases, so that there is a time between two dumps; big enough that most instants are within one.
TABLES = """
    CREATE TABLE orders AS SELECT i AS id, repeat(md5(i::text), 20) AS note FROM generate_series(1, 15000) i;
    CREATE TABLE customers AS SELECT i AS id, md5(i::text) AS name FROM generate_series(1, 15000) i;
    SELECT lo_from_bytea(0, 'a large object');
"""


@pytest.fixture
def shop(server18: Server, cluster: Callable[..., Cluster], new_database: Callable[..., str]) -> Cluster:
    databases = [new_database(server18), new_database(server18)]
    for name in databases:
        server18.psql(TABLES, name)
    return cluster(server18, backup={"jobs": 2, "databases": databases})


def repository_of(cluster: Cluster) -> Repository:
    return open_repository(load(cluster.name, str(cluster.config_dir)))


def require_true_catalogue(cluster: Cluster, known: set[str]) -> set[str]:
    """Every set that is listed is whole, none that was listed is lost; returns them all."""
    config = load(cluster.name, str(cluster.config_dir))
    repository = open_repository(config)
    listed = {one["id"]: one["state"] for one in catalogue(config, System())["backups"]}
    assert known <= listed.keys()
    assert set(listed.values()) <= {"complete"}
    assert listed.keys() == {path.name for path in cluster.backups if not path.name.startswith(".")}
    for entry in repository.entries():
        if entry.id not in known:
            assert repository.verify(entry) == []
    return set(listed)


def require_nothing_lives(cluster: Cluster) -> None:
    """No tool goes on writing, and no session goes on in the server."""
    until(lambda: not mentioning(str(cluster.repository)), "the tools ended with the program that was killed")
    sessions = "SELECT application_name FROM pg_stat_activity WHERE application_name IN ('holdfast', 'pg_dump')"
    until(lambda: not cluster.server.query(sessions), "the sessions ended with the program that was killed")


def prune_now(cluster: Cluster) -> list[str]:
    done = prune(load(cluster.name, str(cluster.config_dir)), System(), Progress())
    assert done["removed"] == []
    return list(done["stale_removed"])


def require_killed_at_any_instant(cluster: Cluster, count: int) -> None:
    """Kills `count` backups, each at another instant of its run, and looks at what is left each time."""
    chance = dice(f"{count} backups are killed")
    began = time.monotonic()
    cluster.holdfast("backup", check=True)
    lasts = time.monotonic() - began
    known = require_true_catalogue(cluster, set())
    ends: Counter[str] = Counter()
    for _ in range(count):
        with started(cluster, "backup") as process:
            try:
                process.wait(chance.uniform(0, lasts))
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
        require_nothing_lives(cluster)
        found = require_true_catalogue(cluster, known)
        partial = [path.name for path in cluster.backups if path.name.startswith(".")]
        assert all(name.startswith(PARTIAL) for name in partial)
        with repository_of(cluster).writer("see whether the dead one holds it"):
            pass
        assert prune_now(cluster) == partial
        assert [path.name for path in cluster.backups] == sorted(found)
        ends["killed while it wrote" if partial else "was through" if found > known else "had not begun to write"] += 1
        known = found
    print(f"a backup takes {lasts:.2f} s; {dict(ends)}")
    assert ends["killed while it wrote"] > count / 10
    cluster.holdfast("backup", check=True)
    assert len(require_true_catalogue(cluster, known)) == len(known) + 1


def test_a_backup_killed_at_any_instant_leaves_a_true_catalogue(shop: Cluster) -> None:
    require_killed_at_any_instant(shop, rounds(ROUNDS))


@pytest.mark.soak
def test_a_backup_killed_at_a_thousand_instants_leaves_a_true_catalogue(shop: Cluster) -> None:
    require_killed_at_any_instant(shop, rounds(1000))


def test_two_backups_killed_at_once_leave_a_true_catalogue(shop: Cluster) -> None:
    chance = dice("two backups are killed at once")
    for _ in range(3):
        with started(shop, "backup") as first, started(shop, "backup", "--wait", "30") as second:
            until(lambda: [path for path in shop.backups if path.name.startswith(PARTIAL)], "one of them writes")
            time.sleep(chance.uniform(0, 0.3))
            first.kill()
            second.kill()
            first.communicate()
            second.communicate()
        require_nothing_lives(shop)
    known = require_true_catalogue(shop, set())
    shop.holdfast("backup", check=True)
    assert len(require_true_catalogue(shop, known)) == len(known) + 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_backup_that_is_asked_to_end_cleans_up_behind_itself(shop: Cluster, number: signal.Signals) -> None:
    """Whatever it does just then: no half set is left, and it says in one line what happened."""
    for _ in range(3):
        require_it_cleans_up(shop, number)
    shop.holdfast("backup", check=True)


def require_it_cleans_up(shop: Cluster, number: signal.Signals) -> None:
    pause = dice(f"after the first file comes {number.name}").uniform(0, 0.4)
    with started(shop, "backup", "--json") as process:
        until(lambda: [path for path in shop.backups if path.name.startswith(".")], "it writes")
        time.sleep(pause)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=20)
    assert "Traceback" not in stderr
    assert (process.returncode, stdout) == (130, "") or process.returncode == 0, stderr
    assert "interrupted" in stderr or process.returncode == 0
    require_nothing_lives(shop)
    require_true_catalogue(shop, set())
    assert not [path for path in shop.backups if path.name.startswith(".")]


def test_a_second_interruption_does_not_make_a_partial_set_a_backup(shop: Cluster) -> None:
    with started(shop, "backup") as process:
        until(lambda: shop.backups, "it writes")
        for _ in range(20):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.002)
        process.communicate(timeout=20)
    assert process.returncode != 0
    require_nothing_lives(shop)
    assert require_true_catalogue(shop, set()) == set()
    prune_now(shop)
    assert shop.backups == []


def history(repository: Repository, count: int, files: int) -> list[str]:
    """Backups of a year ago, each of many files, and one of today."""
    content = {f"databases/shop/{n}.dat": b"rows" for n in range(files)}
    long_ago = datetime.now(UTC) - timedelta(days=365)
    old = [sets.add(repository, content, when=long_ago + timedelta(minutes=n)) for n in range(count)]
    return [*old, sets.add(repository, when=datetime.now(UTC))]


def half_removed(cluster: Cluster) -> set[str]:
    return {path.name for path in cluster.backups if path.name.startswith(DELETING)}


def test_a_prune_killed_at_any_instant_leaves_a_true_catalogue(
    server18: Server, cluster: Callable[..., Cluster]
) -> None:
    shop = cluster(server18, retention={"minimum": 1})
    repository = repository_of(shop)
    count = max(8, rounds(ROUNDS) // 6)
    chance = dice(f"{count} prunes are killed")
    interrupted = 0
    history(repository, 2, 100)
    began = time.monotonic()
    shop.holdfast("prune", check=True)
    lasts = time.monotonic() - began
    for _ in range(count):
        known = {entry.id for entry in repository.entries()} | set(history(repository, 2, 100))
        left = half_removed(shop)
        with started(shop, "prune") as process:
            try:
                process.wait(chance.uniform(lasts / 4, lasts))
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
        entries = repository.entries()
        assert {entry.id for entry in entries} <= known
        assert all(repository.verify(entry) == [] for entry in entries if entry.id in known)
        interrupted += half_removed(shop) > left
    print(f"{interrupted} of them left a set half removed")
    shop.holdfast("prune", check=True)
    assert [path.name for path in shop.backups] == [entry.id for entry in repository.entries()]
    assert list(repository.states.iterdir()) == []


def test_what_a_killed_prune_left_half_removed_goes_with_the_next_one(
    server18: Server, cluster: Callable[..., Cluster]
) -> None:
    shop = cluster(server18)
    repository = repository_of(shop)
    kept = sets.add(repository, when=datetime.now(UTC))
    doomed = sets.add(repository, when=datetime.now(UTC))
    repository.mark(doomed, "check", {"result": "ok", "time": "", "problems": []})
    os.rename(repository.path_of(doomed), repository.backups / f"{DELETING}{doomed}")
    (repository.backups / f"{DELETING}{doomed}" / "manifest.json").unlink()
    assert require_true_catalogue(shop, set()) == {kept}
    assert prune_now(shop) == [f"{DELETING}{doomed}"]
    assert [path.name for path in shop.backups] == [kept]
    assert list(repository.states.iterdir()) == []


def test_an_init_that_was_killed_can_be_run_again(server18: Server, cluster: Callable[..., Cluster]) -> None:
    shop = cluster(server18, initialised=False)
    (shop.repository / "backups").mkdir(parents=True)
    (shop.repository / ".holdfast-repository.json.0a1b2c3d.tmp").write_text('{"sch')
    shop.holdfast("init", check=True)
    assert sorted(path.name for path in shop.repository.iterdir()) == ["backups", "holdfast-repository.json", "state"]


def test_tools_end_with_a_program_that_is_killed_as_it_starts_them(tmp_path: Path) -> None:
    """The kernel is asked to end the child with its parent, which may be dead by then."""
    script = (
        "import os, signal, sys; from holdfast import system\n"
        "asked = system._die_with_parent\n"
        "def late(*arguments): os.kill(os.getppid(), signal.SIGKILL); asked(*arguments)\n"
        "system._die_with_parent = late\n"
        "system.start(system.Command(['/bin/sleep', sys.argv[1]]))\n"
    )
    asleep = f"{60 + os.getpid() / 1e7:.7f}"
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script, asleep], env=environment, cwd="/", check=False)
    until(lambda: not mentioning(asleep), "the tool ended")
