# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retention by example: dates written out, and the documented example run as it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import IntegrityError
from holdfast.repository.periods import load_zone
from holdfast.repository.retention import (
    PITR_WINDOW,
    Candidate,
    Decision,
    RetentionPlan,
    RetentionPolicy,
    plan,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "retention.md"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def policy(**settings: Any) -> RetentionPolicy:
    return RetentionPolicy.from_config(settings)


def at(when: str) -> datetime:
    """An instant, in UTC where the text does not say otherwise."""
    time = datetime.fromisoformat(when)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def backup(id: str, when: str = "2026-01-01", **fields: Any) -> Candidate:
    """A proven daily backup, long expired by default."""
    return Candidate(id, at(when), **{"tiers": ("daily",), "state": "proven", **fields})


def newer(count: int = 3, state: str = "proven") -> list[Candidate]:
    """So many sound backups of today, so that no floor reaches what is older."""
    return [backup(f"newer-{n}", f"2026-11-22T0{n}:00", state=state) for n in range(count)]


def decide(*backups: Candidate, now: datetime = NOW, **settings: Any) -> dict[str, Decision]:
    return {decision.id: decision for decision in plan(backups, policy(**settings), now).decisions}


def ids(decisions: Iterable[Decision]) -> str:
    return " ".join(decision.id for decision in decisions)


TIERS_IN_ZONES = """
UTC                daily      2026-11-15T00:00:00+00:00  2026-11-22T23:59:59+00:00  2026-11-23T00:00:00+00:00
UTC                daily      2026-11-15T23:59:59+00:00  2026-11-22T23:59:59+00:00  2026-11-23T00:00:00+00:00
UTC                weekly     2026-02-28T01:00:00+00:00  2026-03-31T23:59:59+00:00  2026-04-01T00:00:00+00:00
UTC                monthly    2027-08-31T01:00:00+00:00  2028-02-29T23:59:59+00:00  2028-03-01T00:00:00+00:00
UTC                predeploy  2026-12-31T01:00:00+00:00  2027-01-31T23:59:59+00:00  2027-02-01T00:00:00+00:00
UTC                manual     2026-11-30T01:00:00+00:00  2027-02-28T23:59:59+00:00  2027-03-01T00:00:00+00:00
UTC                safety     2026-10-22T12:00:00+00:00  2026-11-22T12:00:00+00:00  2026-11-23T12:00:00+00:00
Europe/Berlin      daily      2026-11-15T23:30:00+00:00  2026-11-23T22:59:59+00:00  2026-11-23T23:00:00+00:00
Europe/Berlin      daily      2026-10-20T23:59:59+02:00  2026-10-27T23:59:59+01:00  2026-10-28T00:00:00+01:00
Asia/Kathmandu     daily      2026-11-15T18:15:00+00:00  2026-11-23T18:14:59+00:00  2026-11-23T18:15:00+00:00
America/Sao_Paulo  daily      2018-10-27T12:00:00-03:00  2018-11-03T23:59:59-03:00  2018-11-04T01:00:00-02:00
Pacific/Apia       daily      2011-12-23T12:00:00-10:00  2011-12-29T23:59:59-10:00  2011-12-31T00:00:00+14:00
"""


@pytest.mark.parametrize(
    ("zone", "tier", "taken", "last", "over"), [line.split() for line in TIERS_IN_ZONES.split("\n") if line]
)
def test_a_tier_keeps_a_backup_until_its_last_day_is_over(
    zone: str, tier: str, taken: str, last: str, over: str
) -> None:
    old = backup("old", taken, tiers=(tier,))
    floor = [replace(old, id=f"floor-{n}", time=old.time + timedelta(hours=n)) for n in (1, 2, 3)]
    kept = decide(old, *floor, now=datetime.fromisoformat(last), timezone=zone)["old"]
    gone = decide(old, *floor, now=datetime.fromisoformat(over), timezone=zone)["old"]
    assert (kept.action, kept.rule) == ("keep", tier)
    assert (gone.action, gone.rule) == ("delete", "expired")


class TestAPeriod:
    def test_the_reason_says_until_when_and_why(self) -> None:
        decision = decide(backup("a", "2026-11-21T02:00"), *newer())["a"]
        assert (decision.rule, decision.reason) == ("daily", "daily: kept until 2026-11-28 (7 days)")

    def test_of_several_tiers_the_longest_keeps_it(self) -> None:
        decision = decide(backup("a", "2026-11-01T02:00", tiers=("daily", "monthly", "weekly")), *newer())["a"]
        assert (decision.rule, decision.reason) == ("monthly", "monthly: kept until 2027-05-01 (6 months)")

    def test_when_all_tiers_are_over_the_end_of_each_is_told(self) -> None:
        decision = decide(backup("a", "2026-10-05T02:00", tiers=("daily", "weekly")), *newer())["a"]
        assert decision.reason == "expired: daily ended 2026-10-12; weekly ended 2026-11-05"

    def test_a_period_of_zero_keeps_not_even_todays(self) -> None:
        decision = decide(backup("a", "2026-11-22"), *newer(4), daily="0 days")["a"]
        assert (decision.action, decision.reason) == ("delete", "expired: daily keeps nothing (0 days)")

    def test_forever_is_forever(self) -> None:
        decision = decide(backup("a", "2001-01-01", tiers=("manual",)), *newer(), manual="forever")["a"]
        assert (decision.action, decision.reason) == ("keep", "manual: kept forever")


class TestTheFloorHoldsWhateverTheAge:
    def test_the_newest_proven_ones_stay(self) -> None:
        old = [backup(f"{year}", f"{year}-06-01") for year in range(2015, 2020)]
        decisions = decide(*old)
        assert [decision.action for decision in decisions.values()] == ["delete"] * 2 + ["keep"] * 3
        assert decisions["2017"].reason == "floor: among the newest 3 proven"
        assert decisions["2019"].reason == "newest proven: the last that is known to restore"

    def test_with_nothing_proven_the_newest_complete_ones_stay(self) -> None:
        old = [backup(f"{year}", f"{year}-06-01", state="complete") for year in range(2015, 2020)]
        decisions = decide(*old, minimum=2)
        assert [decision.action for decision in decisions.values()] == ["delete"] * 3 + ["keep"] * 2
        assert decisions["2019"].reason == "floor: among the newest 2 sound"

    def test_newer_unproven_ones_do_not_push_out_the_newest_proven(self) -> None:
        decision = decide(backup("proven"), *newer(9, state="complete"), minimum=1)["proven"]
        assert decision.rule == "newest-proven"

    @pytest.mark.parametrize("state", ["failed", "corrupt"])
    def test_broken_ones_do_not_count(self, state: str) -> None:
        good = [backup(f"good-{n}", f"2020-01-0{n}", state="complete") for n in (1, 2, 3)]
        decisions = decide(*good, *newer(9, state=state))
        assert {decisions[one.id].rule for one in good} == {"floor"}

    def test_the_reason_names_the_period_too_while_it_lasts(self) -> None:
        decision = decide(backup("a", "2026-11-15T02:00"))["a"]
        assert decision.rule == "newest-proven"
        assert decision.reason.endswith("; daily: kept until 2026-11-22 (7 days)")


class TestBrokenBackups:
    @pytest.mark.parametrize("state", ["failed", "corrupt"])
    def test_stay_for_their_own_period_whatever_their_tier(self, state: str) -> None:
        recent = backup("recent", "2026-11-20", state=state, tiers=("monthly",))
        over = backup("over", "2026-11-10", state=state, tiers=("monthly",))
        decisions = decide(recent, over, *newer())
        assert decisions["recent"].reason == f"{state}: kept until 2026-11-27 (7 days)"
        assert decisions["over"].reason == f"expired: {state} ended 2026-11-17"

    @pytest.mark.parametrize("state", ["failed", "corrupt"])
    def test_stay_until_a_newer_backup_is_sound(self, state: str) -> None:
        older = backup("older", "2026-01-01", state="complete")
        broken = backup("broken", "2026-01-02", state=state, tiers=())
        assert decide(older, broken)["broken"].rule == "unreplaced"
        assert decide(older, broken, replace(broken, id="again", time=NOW))["broken"].rule == "unreplaced"
        assert decide(replace(older, time=broken.time), broken)["broken"].rule == "unreplaced"
        assert decide(older, broken, replace(older, id="newer", time=NOW))["broken"].action == "delete"

    def test_a_sound_backup_from_the_future_replaces_nothing(self) -> None:
        broken = backup("broken", state="failed")
        assert decide(broken, backup("ahead", "2027-01-01"))["broken"].rule == "unreplaced"


class TestWhatIsNeverDeleted:
    def test_pinned(self) -> None:
        decision = decide(backup("a", pinned=True), *newer())["a"]
        assert (decision.rule, decision.reason) == ("pinned", "pinned: kept until it is unpinned")

    def test_in_use(self) -> None:
        assert decide(backup("a", in_use=True, state="failed"), *newer())["a"].rule == "in-use"

    def test_needed_by_a_kept_one_and_what_that_one_needs_in_turn(self) -> None:
        full = backup("full", "2025-01-01", needed_by=("first",))
        first = backup("first", "2025-02-01", needed_by=("second",))
        second = backup("second", "2025-03-01", pinned=True)
        decisions = decide(full, first, second, *newer())
        assert decisions["full"].reason == "needed: by backup first"
        assert decisions["first"].reason == "needed: by backup second"

    def test_not_what_only_deleted_ones_need(self) -> None:
        full = backup("full", "2025-01-01", needed_by=("first",))
        first = backup("first", "2025-02-01")
        result = plan([full, first, *newer()], policy(), NOW)
        assert ids(result.delete) == "first full", "what needs another goes before it"

    def test_needed_by_the_pitr_window(self) -> None:
        decision = decide(backup("a", needed_by=(PITR_WINDOW,)), *newer())["a"]
        assert (decision.rule, decision.reason) == ("needed", "needed: by the PITR window")

    def test_needed_by_something_that_is_not_in_the_catalogue(self) -> None:
        decision = decide(backup("a", needed_by=("gone",)), *newer())["a"]
        assert decision.reason == "needed: by gone, which is not in the catalogue"

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"tiers": ("hourly",)}, "not recognised: tier 'hourly'"),
            ({"tiers": ("daily", "hourly")}, "not recognised: tier 'hourly'"),
            ({"tiers": ("failed",)}, "not recognised: tier 'failed'"),
            ({"tiers": ()}, "not recognised: it has no tier"),
            ({"state": "blessed"}, "not recognised: state 'blessed'"),
        ],
    )
    def test_unrecognised(self, fields: dict[str, Any], reason: str) -> None:
        decision = decide(backup("a", **fields), *newer())["a"]
        assert (decision.action, decision.rule, decision.reason) == ("keep", "unrecognised", reason)


class TestASuspectClock:
    def test_a_backup_from_the_future_stays_and_counts_for_nothing(self) -> None:
        ahead = [backup(f"ahead-{n}", f"2026-11-23T0{n}:00") for n in range(3)]
        good = [backup(f"good-{n}", f"2020-01-0{n}") for n in (1, 2, 3)]
        decisions = decide(*ahead, *good)
        assert {decision.action for decision in decisions.values()} == {"keep"}
        assert decisions["ahead-0"].reason == "future: 2026-11-23 00:00 UTC is to come, the clock is suspect"

    @pytest.mark.parametrize(("ahead", "rule"), [(300, "newest-proven"), (301, "future")])
    def test_five_minutes_ahead_are_tolerated(self, ahead: int, rule: str) -> None:
        assert decide(replace(backup("a"), time=NOW + timedelta(seconds=ahead)))["a"].rule == rule

    def test_when_the_clock_is_set_back_nothing_goes(self) -> None:
        history = [backup(f"{day:02}", f"2026-10-{day:02}") for day in range(1, 31)]
        result = plan(history, policy(), datetime(2026, 9, 1, tzinfo=UTC))
        assert (len(result.keep), result.next_expiry) == (30, None)

    @pytest.mark.parametrize("taken", ["0001-01-01", "1970-01-01T00:03", "2000-12-31T23:59:59+00:00"])
    def test_a_backup_from_before_all_backups_stays_and_counts_for_nothing(self, taken: str) -> None:
        decisions = decide(backup("a", taken), timezone="America/New_York")
        assert (decisions["a"].rule, decisions["a"].reason[:5]) == ("past", "past:")


class TestAPlan:
    def test_is_in_order_of_time_and_adds_up(self) -> None:
        history = [backup("b", "2026-02-01", size=10), *newer(), backup("a", size=32)]
        result = plan(history, policy(), NOW)
        assert ids(result.decisions) == "a b newer-0 newer-1 newer-2"
        assert ids(result.delete) == "b a"
        assert ids(result.keep) == "newer-0 newer-1 newer-2"
        assert result.freed == 42

    def test_knows_when_the_next_backup_expires(self) -> None:
        history = [backup("a", "2026-11-18T02:00+01:00"), backup("b", "2026-11-20T02:00+01:00"), *newer()]
        result = plan(history, policy(timezone="Europe/Berlin"), NOW)
        assert result.next_expiry == datetime(2026, 11, 25, 23, 0, tzinfo=UTC)

    def test_compares_instants_and_not_wall_clocks(self) -> None:
        berlin = load_zone("Europe/Berlin")
        summer = Candidate("summer", datetime(2026, 10, 25, 2, 40, tzinfo=berlin), ("daily",), "complete")
        winter = Candidate("winter", datetime(2026, 10, 25, 2, 20, tzinfo=berlin, fold=1), ("daily",), "complete")
        assert ids(plan([winter, summer], policy(), NOW).decisions) == "summer winter"

    def test_of_nothing_is_nothing(self) -> None:
        assert plan([], policy(), NOW) == RetentionPlan((), None)

    def test_refuses_two_backups_of_one_id(self) -> None:
        with pytest.raises(IntegrityError, match="Cannot plan retention of backups a: ") as caught:
            plan([backup("a"), backup("b"), backup("a", "2026-11-01")], policy(), NOW)
        assert caught.value.details == {"ids": ["a"]}

    def test_refuses_a_time_without_a_zone(self) -> None:
        naive = NOW.replace(tzinfo=None)
        with pytest.raises(ValueError, match="has no time zone"):
            plan([backup("a")], policy(), naive)
        with pytest.raises(ValueError, match="has no time zone"):
            plan([replace(backup("a"), time=naive)], policy(), NOW)


def test_the_documented_example_is_what_the_planner_does() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    settings, moment, table = re.findall(
        r"```json\n(.*?)```.*planned at `([^`]+)`.*?\n\| backup .*?\n\|[-|]+\n(.*?)\n\n", text, re.DOTALL
    )[0]
    backups, expected = [], {}
    for line in table.splitlines():
        id, taken, tiers, state, marks, *decision = (cell.strip().strip("`") for cell in line.strip("|").split("|"))
        flags = {"pinned": "pinned" in marks, "in_use": "in use" in marks}
        needed_by = tuple(re.findall(r"needed by (.+)", marks))
        backups.append(backup(id, taken, tiers=tuple(tiers.split()), state=state, needed_by=needed_by, **flags))
        expected[id] = decision
    result = plan(backups, policy(**json.loads(settings)), at(moment))
    assert {one.id: [one.action, one.rule, one.reason] for one in result.decisions} == expected
    assert len(expected) > 10
