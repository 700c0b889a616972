"""Backups of what a restore replaced hold what was wrong: they are kept, but never taken for good ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.config import ClusterConfig
from holdfast.errors import NotFoundError
from holdfast.operations.catalogue import select
from holdfast.repository.entry import Entry
from holdfast.repository.manifest import Manifest
from holdfast.repository.retention import Candidate, RetentionPolicy, plan

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
CONFIG = ClusterConfig.from_mapping(
    {"schema": 1, "cluster": "shop", "repository": "/nowhere", "access": {"kind": "host"}}, "of this test", Path("/x")
)


def entry(name: str, days: int, tier: str, state: str = "complete") -> Entry:
    time = (NOW - timedelta(days=days)).isoformat()
    facts = {"id": name, "time": time, "tiers": [tier], "outcome": "complete", "databases": [{"name": "shop"}]}
    marks: dict[str, Any] = {"proof": {"databases": {"shop": {}}}} if state == "proven" else {}
    return Entry(name, Manifest(facts), None, marks)


def candidate(name: str, days: int, tier: str) -> Candidate:
    return Candidate(id=name, time=NOW - timedelta(days=days), tiers=(tier,), state="complete")


@pytest.mark.parametrize("wanted", ["latest", "latest_proven"])
def test_the_latest_backup_is_never_the_one_of_what_was_broken(wanted: str) -> None:
    entries = [entry("good", 2, "daily", "proven"), entry("broken", 0, "safety", "proven")]
    assert select(CONFIG, entries, wanted, None, "shop").id == "good"


def test_a_safety_backup_can_be_chosen_by_its_id() -> None:
    entries = [entry("good", 2, "daily"), entry("broken", 0, "safety")]
    assert select(CONFIG, entries, "broken", None, "shop").id == "broken"


def test_without_any_other_backup_latest_finds_none_and_says_so() -> None:
    with pytest.raises(NotFoundError, match="there is no sound backup"):
        select(CONFIG, [entry("broken", 0, "safety")], "latest", None, "shop")


def test_attempts_to_restore_do_not_push_the_last_good_backups_out() -> None:
    good = [candidate(f"good-{number}", 300 + number, "daily") for number in range(3)]
    attempts = [candidate(f"attempt-{number}", 40 + number, "safety") for number in range(5)]
    kept = {one.id for one in plan([*good, *attempts], RetentionPolicy.from_config({"minimum": 3}), NOW).keep}
    assert kept == {"good-0", "good-1", "good-2"}


def test_safety_backups_fill_a_floor_that_has_too_few_others() -> None:
    backups = [
        candidate("good", 300, "daily"),
        *(candidate(f"attempt-{number}", 40 + number, "safety") for number in range(5)),
    ]
    kept = {one.id for one in plan(backups, RetentionPolicy.from_config({"minimum": 3}), NOW).keep}
    assert kept == {"good", "attempt-0", "attempt-1"}
