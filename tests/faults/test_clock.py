# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clock that was wrong, or that was set: no backup is lost by it, and none is left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from holdfast.config import ClusterConfig, load
from holdfast.operations.backup import BackupRequest, backup
from holdfast.operations.catalogue import catalogue, select
from holdfast.operations.context import open_repository
from holdfast.operations.prune import plan, prune
from holdfast.reporting.progress import Progress
from holdfast.system import System
from tests.support import sets
from tests.support.clusters import Cluster
from tests.support.servers import Server

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def shop(server18: Server, cluster: Callable[..., Cluster], new_database: Callable[..., str]) -> ClusterConfig:
    database = new_database(server18)
    server18.query("CREATE TABLE orders AS SELECT 1 AS id", database)
    made = cluster(server18, backup={"databases": [database]}, retention={"minimum": 1})
    return load("shop", str(made.config_dir))


def take(config: ClusterConfig, now: datetime, younger: timedelta | None = None) -> dict[str, Any]:
    """Takes a daily backup on a host whose clock says `now`, whatever the server's says."""
    wanted = BackupRequest(tiers=("daily",), if_older_than=younger, options=config.backup)
    return backup(config, wanted, System(now=lambda: now), Progress())


def test_a_backup_from_the_future_is_said_at_the_next_one(shop: ClusterConfig) -> None:
    now = datetime.now(UTC)
    ahead = take(shop, now + 400 * DAY)["backup"]
    differ = re.compile("the clocks of this host and of the server differ by (399|400) days")
    assert any(differ.match(one) for one in ahead["warnings"]), ahead["warnings"]
    after = take(shop, now)["backup"]
    assert any(
        f"backups from the future (first: {ahead['id']}): was a clock set back?" in one for one in after["warnings"]
    )
    assert not any("clocks of this host" in one for one in after["warnings"])


def test_a_backup_from_the_future_makes_no_new_one_needless(shop: ClusterConfig) -> None:
    now = datetime.now(UTC)
    take(shop, now + DAY)
    first = take(shop, now, younger=20 * HOUR)
    assert first["changed"]
    second = take(shop, now + HOUR, younger=20 * HOUR)
    assert (second["changed"], second["backup"]["id"]) == (False, first["backup"]["id"])
    assert take(shop, now + 21 * HOUR, younger=20 * HOUR)["changed"]


def test_a_backup_from_the_future_is_kept_and_counts_towards_no_floor(shop: ClusterConfig) -> None:
    now = datetime.now(UTC)
    repository = open_repository(shop)
    ahead = sets.add(repository, when=now + 400 * DAY)
    old, older = sets.add(repository, when=now - 400 * DAY), sets.add(repository, when=now - 401 * DAY)
    decisions = {one.id: (one.action, one.rule) for one in plan(shop, sets.at(now)).retention.decisions}
    assert decisions == {ahead: ("keep", "future"), old: ("keep", "floor"), older: ("delete", "expired")}
    assert prune(shop, sets.at(now), Progress())["removed"] == [older]


def test_a_clock_that_lost_its_battery_prunes_nothing(shop: ClusterConfig) -> None:
    """At 1970 every backup is from the future, and one that is taken then is no reason to delete others."""
    now = datetime.now(UTC)
    repository = open_repository(shop)
    sound = [sets.add(repository, when=now - days * DAY) for days in (1, 2, 3)]
    dead = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
    assert take(shop, dead)["changed"]
    assert prune(shop, sets.at(dead), Progress())["removed"] == []
    assert prune(shop, sets.at(now), Progress())["removed"] == []
    assert set(sound) < {one["id"] for one in catalogue(shop, System())["backups"]}


def test_a_clock_that_is_far_ahead_keeps_the_floor(shop: ClusterConfig) -> None:
    now = datetime.now(UTC)
    repository = open_repository(shop)
    ids = [sets.add(repository, when=now - days * DAY) for days in (3, 2, 1)]
    assert set(prune(shop, sets.at(now + 10_000 * DAY), Progress())["removed"]) == set(ids[:2])
    assert [entry.id for entry in repository.entries()] == ids[2:]


def test_the_list_shows_a_backup_from_the_future_with_its_age(shop: ClusterConfig) -> None:
    now = datetime.now(UTC)
    ahead = sets.add(open_repository(shop), when=now + 2 * DAY)
    (listed,) = catalogue(shop, sets.at(now))["backups"]
    assert (listed["id"], listed["state"]) == (ahead, "complete")
    assert -2.1 * 86400 < listed["age"] < -1.9 * 86400


def test_a_restore_can_be_told_to_leave_the_future_out(shop: ClusterConfig) -> None:
    now = datetime.now(UTC)
    repository = open_repository(shop)
    past, ahead = sets.add(repository, when=now - HOUR), sets.add(repository, when=now + DAY)
    assert select(shop, repository.entries(), "latest", now, "shop").id == past
    assert select(shop, repository.entries(), "latest", now + 2 * DAY, "shop").id == ahead


def test_ids_are_in_utc_wherever_the_host_is(shop: ClusterConfig) -> None:
    here = datetime(2026, 3, 29, 3, 30, tzinfo=timezone(timedelta(hours=2)))
    taken = take(shop, here)["backup"]
    assert taken["id"].startswith("20260329T013000Z-daily-")
    assert taken["time"] == "2026-03-29T01:30:00.000Z"


def test_a_clock_that_is_set_back_while_a_backup_runs_makes_no_negative_story(shop: ClusterConfig) -> None:
    now = datetime.now(UTC)
    instants = sets.clock(now, now, now, now, now - HOUR)
    wanted = BackupRequest(tiers=("daily",), options=shop.backup)
    taken = backup(shop, wanted, System(now=instants), Progress())["backup"]
    assert taken["state"] == "complete"
    assert taken["duration"] >= 0
    assert open_repository(shop).verify(open_repository(shop).entry(taken["id"])) == []


def test_two_backups_in_one_second_are_two(shop: ClusterConfig) -> None:
    now = datetime.now(UTC)
    ids = {take(shop, now)["backup"]["id"] for _ in range(2)}
    assert len(ids) == len({entry.id for entry in open_repository(shop).entries()}) == 2
