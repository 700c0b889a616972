# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pruning: what the plan says is what is done, and nothing else is touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.config import ClusterConfig
from holdfast.errors import ConfigError, RepositoryError
from holdfast.operations.prune import describe, plan, prune
from holdfast.reporting.progress import Progress
from holdfast.repository.store import DELETING, PARTIAL, Repository
from tests.support import sets
from tests.support.clusters import Cluster
from tests.support.servers import Server

NOW = sets.NOW
GOOD = "20261122T101500Z-daily-3f9c1e"


class Shop:
    """A cluster without a server: pruning needs none."""

    def __init__(self, directory: Path, **retention: Any) -> None:
        self.directory = directory
        self.repository = sets.repository(directory)
        self.configure(**retention)

    def configure(self, **retention: Any) -> None:
        self.config: ClusterConfig = sets.configuration(self.directory, retention=retention)

    def add(self, days: float, **changes: Any) -> str:
        return sets.add(self.repository, when=NOW - timedelta(days=days), **changes)

    def prove(self, backup: str) -> str:
        self.repository.mark(backup, "proof", {"verdict": "match", "databases": {"shop": {}}})
        return backup

    def plan(self, now: datetime = NOW) -> Any:
        return plan(self.config, sets.at(now))

    def prune(self, now: datetime = NOW) -> dict[str, Any]:
        return prune(self.config, sets.at(now), Progress())

    @property
    def ids(self) -> list[str]:
        return [entry.id for entry in self.repository.entries()]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def history(shop: Shop) -> list[str]:
    """A backup a day for 40 days, oldest first."""
    return [shop.add(days) for days in range(40, 0, -1)]


def files(repository: Repository) -> dict[str, bytes]:
    paths = [path for path in repository.path.rglob("*") if path.is_file() and not path.name.endswith(".lock")]
    return {path.relative_to(repository.path).as_posix(): path.read_bytes() for path in paths}


def test_what_is_planned_is_done(shop: Shop, history: list[str]) -> None:
    chosen = shop.plan()
    before = files(shop.repository)
    assert files(shop.repository) == before, "a plan changes nothing"
    done = shop.prune()
    planned = chosen.as_dict()
    assert {key: done[key] for key in planned} == planned
    assert done["removed"] == planned["delete"] == list(reversed(history[:33]))
    assert shop.ids == history[33:]
    kept = {name: content for name, content in before.items() if not any(one in name for one in done["removed"])}
    assert files(shop.repository) == kept


def test_a_second_run_changes_nothing(shop: Shop, history: list[str]) -> None:
    assert shop.prune()["changed"]
    before = files(shop.repository)
    again = shop.prune()
    assert (again["changed"], again["removed"], again["freed"]) == (False, [], 0)
    assert files(shop.repository) == before


def test_what_is_freed_is_what_the_sets_took(shop: Shop) -> None:
    shop.configure(minimum=1)
    shop.add(100, files={"databases/shop/1.dat": b"x" * 5000})
    shop.add(1)
    assert 5000 < shop.plan().retention.freed < 5200
    assert 5000 < shop.prune()["freed"] < 5200


def test_the_diff_shows_each_backup_with_its_reason(shop: Shop) -> None:
    shop.configure(minimum=1)
    old, pinned, new = shop.add(100), shop.add(99), shop.add(1)
    shop.repository.mark(pinned, "pin", {"note": ""})
    (shop.repository.backups / (PARTIAL + GOOD)).mkdir()
    diff = shop.plan().before_and_after()
    before, after = diff["before"].splitlines(), diff["after"].splitlines()
    assert before[0] == f"{PARTIAL}{GOOD}  left by a process that died"
    assert [line.split("  ")[0] for line in before[1:]] == [old, pinned, new]
    assert [line.split("  ")[0] for line in after] == [pinned, new]
    assert "expired: daily ended" in before[1]
    assert "pinned: kept until it is unpinned" in after[0]
    assert set(after) < set(before)


def test_the_plan_for_people_has_one_line_a_backup(shop: Shop) -> None:
    shop.configure(minimum=1)
    old, new = shop.add(100), shop.add(1)
    lines = describe(shop.plan(), shop.config, sets.at(NOW)).splitlines()
    assert lines[0] == "retention of cluster shop at 2026-11-22T12:00:00.000Z, by the calendar of UTC:"
    assert lines[1].startswith(f"  delete  {old}  expired: ")
    assert lines[2].startswith(f"  keep    {new}  ")
    assert lines[3].startswith("keep 1, delete 1 (")


def test_the_floor_stays_whatever_its_age(shop: Shop) -> None:
    old = [shop.add(days) for days in (900, 800, 700, 600)]
    assert shop.prune()["removed"] == [old[0]]
    assert shop.ids == old[1:]


def test_the_proven_ones_are_the_floor_and_the_newest_of_them_stays(shop: Shop) -> None:
    shop.configure(minimum=1)
    proven = [shop.prove(shop.add(days)) for days in (900, 800)]
    unproven = [shop.add(days) for days in (700, 600)]
    assert set(shop.prune()["removed"]) == {proven[0], unproven[0]}
    assert shop.ids == [proven[1], unproven[1]]


def test_what_is_pinned_stays_until_it_is_not(shop: Shop) -> None:
    shop.configure(minimum=1)
    old = shop.add(900)
    shop.add(1)
    shop.repository.mark(old, "pin", {"note": "before the audit"})
    assert shop.prune()["removed"] == []
    shop.repository.mark(old, "pin", None)
    assert shop.prune()["removed"] == [old]


def test_each_tier_has_its_own_period(shop: Shop) -> None:
    shop.configure(minimum=1)
    kept = [shop.add(20, tiers=["weekly"]), shop.add(170, tiers=["monthly"]), shop.add(60, tiers=["manual"])]
    kept += [shop.add(25, tiers=["daily", "weekly"]), shop.add(1)]
    gone = [shop.add(20), shop.add(40, tiers=["weekly"]), shop.add(200, tiers=["monthly"])]
    assert set(shop.prune()["removed"]) == set(gone)
    assert set(shop.ids) == set(kept)


def test_failed_sets_go_after_their_time_and_push_no_good_one_out(shop: Shop) -> None:
    shop.configure(minimum=1)
    good = shop.add(30)
    failed = [shop.add(days, outcome="failed", failures=[{"database": "x", "reason": "y"}]) for days in (25, 20, 2)]
    assert shop.prune()["removed"] == []
    newer = shop.add(1)
    assert set(shop.prune()["removed"]) == {good, *failed[:2]}
    assert set(shop.ids) == {failed[2], newer}


def test_a_corrupt_set_goes_after_its_time_once_a_good_one_is_newer(shop: Shop) -> None:
    shop.configure(minimum=1)
    corrupt = shop.add(30)
    (shop.repository.path_of(corrupt) / "manifest.json").write_bytes(b"{")
    assert shop.prune()["removed"] == []
    shop.add(1)
    assert shop.prune()["removed"] == [corrupt]


def test_only_the_partial_sets_of_the_dead_are_removed(shop: Shop) -> None:
    dead, removing = f"{PARTIAL}{GOOD}", f"{DELETING}{GOOD}"
    for name in (dead, removing):
        (shop.repository.backups / name / "databases").mkdir(parents=True)
    alive = "20261122T101501Z-daily-3f9c1e"
    with shop.repository.partial(alive):
        assert shop.plan().stale == (removing, dead)
        done = shop.prune()
        assert (done["changed"], done["stale_removed"]) == (True, [removing, dead])
        assert [path.name for path in shop.repository.backups.iterdir()] == [PARTIAL + alive]
        assert not shop.prune()["changed"]


def test_what_is_not_ours_is_never_touched(shop: Shop, history: list[str], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "thesis.tex").touch()
    foreign = [
        shop.repository.path / "notes.txt",
        shop.repository.backups / "notes.txt",
        shop.repository.backups / f"{history[0]}.old" / "thesis.tex",
        shop.repository.backups / ".partial-mine" / "thesis.tex",
        shop.repository.backups / "shop-staging-20200101" / "dump.sql",
        shop.repository.states / "notes.txt",
        elsewhere / "thesis.tex",
    ]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (shop.repository.backups / "20200101T000000Z-daily-abcdef").symlink_to(elsewhere)
    (shop.repository.backups / f"{PARTIAL}20200101T000000Z-daily-abcdef").symlink_to(elsewhere)
    assert len(shop.prune()["removed"]) == 33
    assert all(path.exists() for path in foreign)
    assert (shop.repository.backups / "20200101T000000Z-daily-abcdef").is_symlink()
    assert (shop.repository.backups / f"{PARTIAL}20200101T000000Z-daily-abcdef").is_symlink()


def test_pruning_one_cluster_never_touches_another(tmp_path: Path) -> None:
    """Names that begin alike have been deleted together by tools that go by name."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app-staging").mkdir()
    app, staging = Shop(tmp_path / "app", minimum=1), Shop(tmp_path / "app-staging", minimum=1)
    for one in (app, staging):
        one.add(900)
        one.add(1)
    before = files(staging.repository)
    assert len(app.prune()["removed"]) == 1
    assert files(staging.repository) == before


def test_a_policy_that_would_keep_nothing_prunes_nothing(shop: Shop, history: list[str]) -> None:
    nothing = dict.fromkeys(("daily", "weekly", "monthly", "predeploy", "manual", "safety"), "0 days")
    with pytest.raises(ConfigError, match="would keep nothing"):
        shop.configure(**nothing)
    assert shop.ids == history


def test_a_repository_that_has_gone_is_no_reason_to_prune(shop: Shop) -> None:
    shop.repository.path.rename(shop.directory / "away")
    with pytest.raises(RepositoryError, match="If its disk is not mounted"):
        shop.prune()


def test_the_program_shows_the_plan_and_does_it(server18: Server, cluster: Callable[..., Cluster]) -> None:
    running = cluster(server18, retention={"minimum": 1, "timezone": "Europe/Berlin"})
    repository = Repository.open(running.repository, "shop")
    old, new = (sets.add(repository, when=datetime.now(UTC) - timedelta(days=days)) for days in (900, 1))
    planned = running.holdfast("prune", "--dry-run", check=True).stdout
    assert f"delete  {old}" in planned
    assert f"keep    {new}" in planned
    assert len(running.backups) == 2
    planned_ids = running.holdfast("prune", "--dry-run", "--json", check=True).json["plan"]["delete"]
    done = running.holdfast("prune", "--json", check=True).json
    assert done["removed"] == planned_ids == [old]
    assert json.loads(json.dumps(done)) == done
    assert "kept 1, removed 0" in running.holdfast("prune", check=True).stdout


def test_the_program_refuses_a_policy_that_would_keep_nothing(
    server18: Server, cluster: Callable[..., Cluster]
) -> None:
    running = cluster(server18)
    tiers = ("daily", "weekly", "monthly", "predeploy", "manual", "safety")
    running.configure(retention=dict.fromkeys(tiers, "0 days"))
    done = running.holdfast("prune")
    assert done.returncode == 2
    assert "would keep nothing" in done.stderr
