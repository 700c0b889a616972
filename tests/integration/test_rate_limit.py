# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A dump writes no faster than the limit, and whoever is killed while it stands still, it does not stand there for ever."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import containers
from tests.support.backups import back_up, restore_new
from tests.support.clusters import Cluster
from tests.support.containers import Container, Engine
from tests.support.processes import mentioning, started, until
from tests.support.rates import MIB, Watch, brakes, dumps, stand_still, watched
from tests.support.servers import Server

RUN = f"holdfast-rate-{os.getpid()}"
#: Random text hardly compresses: about 7.5 MiB a table.
ROWS = 100_000
TABLE = "CREATE TABLE {} AS SELECT i AS id, sha512(('{}' || i)::bytea) AS note FROM generate_series(1, {}) i;"
TABLES = "".join(TABLE.format(name, name, ROWS) for name in ("orders", "invoices"))
#: `pg_dump --jobs=2` is three processes.
LEADER_AND_WORKERS = 3


def require_limit(watch: Watch, limit: int, what: str) -> None:
    rate = watch.size / watch.seconds / MIB
    print(
        f"{what}: {watch.size / MIB:.1f} MiB in {watch.seconds:.2f} s: {rate:.2f} MiB/s of {limit}"
        f" ({rate / limit:.2f}), in its fastest second {watch.fastest(1) / MIB:.2f}"
    )
    assert watch.size > 10 * MIB
    assert watch.size / watch.seconds <= limit * MIB * 1.25


def warnings_of(cluster: Cluster) -> list[str]:
    newest = max(path for path in cluster.backups if not path.name.startswith("."))
    said: list[str] = json.loads((newest / "manifest.json").read_text(encoding="ascii"))["warnings"]
    return said


# --- a server of the host -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def big(server18: Server) -> Iterator[str]:
    """The name of a database of about 15 MiB of dump."""
    server18.create_database("big")
    server18.psql(TABLES, "big")
    yield "big"
    server18.drop_database("big")


@pytest.fixture
def shop(server18: Server, cluster: Callable[..., Cluster], big: str) -> Cluster:
    return cluster(server18, backup={"databases": [big], "jobs": 2, "compression": "gzip:1", "rate_limit": 1})


@pytest.mark.parametrize(("limit", "jobs"), [(2, 1), (4, 2)])
def test_a_dump_writes_no_faster_than_the_limit(shop: Cluster, big: str, limit: int, jobs: int) -> None:
    shop.configure(backup={"rate_limit": limit, "jobs": jobs})
    with watched(shop) as watch:
        taken = back_up(shop)
    require_limit(watch, limit, f"a server of the host, {jobs} jobs")
    assert taken["warnings"] == []
    try:
        assert restore_new(shop, taken["id"], big, "big_again")["verdict"] == "match"
    finally:
        shop.server.drop_database("big_again")


def test_many_small_databases_add_up(
    server18: Server, cluster: Callable[..., Cluster], new_database: Callable[..., str]
) -> None:
    """Each is dumped before its dump could be slowed down."""
    names = [new_database(server18) for _ in range(5)]
    for name in names:
        server18.psql(TABLE.format("orders", name, ROWS // 3), name)
    shop = cluster(server18, backup={"databases": names, "compression": "gzip:1", "rate_limit": 2})
    with watched(shop) as watch:
        back_up(shop)
    require_limit(watch, 2, "five small databases")


def test_the_limit_of_a_dump_that_is_no_faster_changes_nothing(shop: Cluster) -> None:
    shop.configure(backup={"rate_limit": 10_000})
    assert back_up(shop)["warnings"] == []


def require_it_ends(cluster: Cluster) -> None:
    """No tool stands still or goes on, and no session holds its locks in the server."""
    until(lambda: not mentioning(str(cluster.repository)), "all that belongs to the backup ended")
    sessions = "SELECT application_name FROM pg_stat_activity WHERE application_name IN ('holdfast', 'pg_dump')"
    until(lambda: not cluster.server.query(sessions), "the sessions ended")


def require_next_one(cluster: Cluster) -> None:
    cluster.configure(backup={"rate_limit": None})
    assert back_up(cluster)["state"] == "complete"


@pytest.mark.parametrize("round_", range(3))
def test_a_backup_that_is_killed_while_its_dump_stands_still_leaves_nothing(shop: Cluster, round_: int) -> None:
    with started(shop, "backup") as process:
        until(lambda: stand_still(shop, LEADER_AND_WORKERS), "the dump stands still")
        process.kill()
    require_it_ends(shop)
    require_next_one(shop)


def test_a_backup_whose_whole_group_is_killed_leaves_nothing(shop: Cluster) -> None:
    with started(shop, "backup", wrap=("setsid",)) as process:
        until(lambda: stand_still(shop, LEADER_AND_WORKERS), "the dump stands still")
        os.killpg(process.pid, signal.SIGKILL)
    require_it_ends(shop)


def test_a_backup_that_is_killed_together_with_its_brake_leaves_nothing(shop: Cluster) -> None:
    """As by `killall -9 python3`: then the kernel itself sees to it."""
    with started(shop, "backup") as process:
        until(lambda: brakes(shop) and stand_still(shop, LEADER_AND_WORKERS), "the dump stands still")
        process.send_signal(signal.SIGSTOP)  # so that it does not notice that the other one is gone
        for pid in brakes(shop):
            os.kill(pid, signal.SIGKILL)
        assert stand_still(shop, LEADER_AND_WORKERS)
        process.kill()
    require_it_ends(shop)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_backup_that_is_asked_to_end_while_its_dump_stands_still_cleans_up(
    shop: Cluster, number: signal.Signals
) -> None:
    with started(shop, "backup", "--json") as process:
        until(lambda: stand_still(shop, LEADER_AND_WORKERS), "the dump stands still")
        asked = time.monotonic()
        process.send_signal(number)
        _stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert time.monotonic() - asked < 9, "it had to be ended by force"
    require_it_ends(shop)
    assert shop.backups == []


def test_a_dump_whose_brake_dies_goes_on_and_it_is_said(shop: Cluster) -> None:
    with started(shop, "backup") as process:
        until(lambda: brakes(shop) and stand_still(shop, LEADER_AND_WORKERS), "the dump stands still")
        for pid in brakes(shop):
            os.kill(pid, signal.SIGKILL)
        _stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    (said,) = warnings_of(shop)
    assert said.startswith("big: the rate limit was not kept: ")


def test_a_table_that_somebody_wants_alone_late_in_a_dump_is_waited_for_as_early_in_it(shop: Cluster, big: str) -> None:
    """Later than locks are waited for: the dump's connections ask for a table when they come to it, the smallest last."""
    shop.server.psql(f"CREATE TABLE last AS SELECT 1 AS id; {TABLE.format('third', 'third', ROWS // 2)}", big)
    shop.configure(backup={"lock_timeout": 2, "rate_limit": 4})
    try:
        with started(shop, "backup") as process:
            until(lambda: dumps(shop) and brakes(shop), "the dump is held")
            time.sleep(2.5)
            with shop.server.connect(big, options="-c lock_timeout=60s") as connection:
                connection.execute("TRUNCATE TABLE last")
            _stdout, stderr = process.communicate(timeout=120)
    finally:
        shop.server.psql("DROP TABLE last, third", big)
    assert process.returncode == 0, stderr
    assert warnings_of(shop) == [
        "database big: somebody wanted a table alone, so it was dumped anew over one connection"
    ]


def _children(pid: int) -> list[int]:
    done = subprocess.run(["pgrep", "--parent", str(pid)], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


# --- a server in a container ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["docker", "podman"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    docker = containers.docker()
    return docker if request.param == "docker" else containers.podman(tmp_path_factory.mktemp("podman") / "bin")


@pytest.fixture(scope="module")
def container(engine: Engine) -> Iterator[Container]:
    with containers.running(engine, RUN, "--network", "none") as running:
        running.server.create_database("big")
        with running.server.connect("big") as connection:
            connection.execute(TABLES.encode())
        yield running


@pytest.fixture
def boxed(container: Container, tmp_path: Path) -> Cluster:
    cluster = container.cluster(tmp_path)
    cluster.configure(backup={"databases": ["big"], "compression": "gzip:1", "rate_limit": 1})
    cluster.holdfast("init", check=True)
    return cluster


def test_the_dump_of_a_container_writes_no_faster_than_the_limit(boxed: Cluster, container: Container) -> None:
    boxed.configure(backup={"rate_limit": 3})
    before = container.identity()
    with watched(boxed) as watch:
        taken = back_up(boxed)
    require_limit(watch, 3, f"a server in a container of {container.engine.name}")
    assert taken["warnings"] == []
    assert container.identity() == before
    assert container.tools() == []


def test_an_engine_that_takes_its_time_is_waited_for(boxed: Cluster, container: Container, tmp_path: Path) -> None:
    """A busy machine starts the container of a dump after many seconds: the limit is kept all the same."""
    path = container.engine.env.get("PATH", os.environ["PATH"])
    slow = tmp_path / "slow" / container.engine.name
    slow.parent.mkdir()
    slow.write_text(
        '#!/bin/sh\ncase "$*" in run*--file=*) sleep 6 ;; esac\n'
        f'exec {shutil.which(container.engine.name, path=path)} "$@"\n'
    )
    slow.chmod(0o755)
    boxed.configure(backup={"rate_limit": 3})
    with watched(boxed) as watch:
        taken = boxed.holdfast("backup", "--json", env={"PATH": f"{slow.parent}:{path}"}, check=True).json["backup"]
    assert taken["duration"] > 6
    require_limit(watch, 3, f"a {container.engine.name} that takes its time")
    assert taken["warnings"] == []


def test_a_killed_backup_of_a_container_leaves_no_tool_that_stands_still(boxed: Cluster, container: Container) -> None:
    with started(boxed, "backup") as process:
        until(lambda: stand_still(boxed, LEADER_AND_WORKERS), "the dump stands still")
        process.kill()
        until(lambda: not brakes(boxed), "the brake ended")
    assert "T" not in dumps(boxed).values()
    require_next_one(boxed)
    assert container.tools() == []


def test_a_tool_of_a_container_that_was_left_standing_still_goes_with_the_next_backup(
    boxed: Cluster, container: Container
) -> None:
    """All that could have resumed it is killed, the engine's client too."""
    with started(boxed, "backup", wrap=("setsid",)) as process:
        until(lambda: brakes(boxed) and stand_still(boxed, LEADER_AND_WORKERS), "the dump stands still")
        process.send_signal(signal.SIGSTOP)  # so that it does not notice that the others are gone
        for pid in [*_children(process.pid), *brakes(boxed), process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert len(container.tools()) == 1
    require_next_one(boxed)
    assert container.tools() == []
    until(lambda: not dumps(boxed), "the tool ended")


def test_an_interrupted_backup_of_a_container_ends_its_tool(boxed: Cluster, container: Container) -> None:
    with started(boxed, "backup") as process:
        until(lambda: stand_still(boxed, LEADER_AND_WORKERS), "the dump stands still")
        process.send_signal(signal.SIGTERM)
        _stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert container.tools() == []
    assert boxed.backups == []
