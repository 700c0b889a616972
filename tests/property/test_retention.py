# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the retention planner promises for every catalogue, every policy and every zone."""

from __future__ import annotations

import calendar
import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.repository.periods import TIERS, Calendar, Period, RetentionPolicy
from holdfast.repository.retention import PITR_WINDOW, Candidate, plan

OUTSIDE = (PITR_WINDOW, "elsewhere")
TOLERANCE = timedelta(minutes=5)
TICK = timedelta(microseconds=1)
SOUND = ("complete", "proven")
ZONES = (
    "UTC",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Casey",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
)
# Around these a zone changes its clock across midnight, or a month, a leap day or an ISO year ends.
TURNS = (
    datetime(2010, 3, 4, 15, tzinfo=UTC),  # Casey: 02:00 became 23:00 of yesterday
    datetime(2010, 11, 7, 2, 31, tzinfo=UTC),  # St John's: 00:01 became 23:01 of yesterday
    datetime(2011, 12, 30, 10, tzinfo=UTC),  # Apia left this day out
    datetime(2018, 11, 4, 3, tzinfo=UTC),  # Sao Paulo: 00:00 became 01:00
    datetime(2021, 1, 3, tzinfo=UTC),  # end of ISO week 53
    datetime(2026, 10, 25, 1, tzinfo=UTC),  # Berlin: 03:00 became 02:00
    datetime(2028, 2, 29, tzinfo=UTC),
    datetime(2027, 2, 28, tzinfo=UTC),
    datetime(2027, 3, 31, tzinfo=UTC),
)
PERIODS = ("0 days", "1 day", "7 days", "2 weeks", "1 month", "3 months", "1 year", "forever")

generously = settings(max_examples=200)

pauses = st.timedeltas(timedelta(0), timedelta(days=400))


class Scene(NamedTuple):
    """A catalogue, a policy for it, and the moment of planning, all around one of the turns."""

    backups: list[Candidate]
    policy: RetentionPolicy
    now: datetime


@st.composite
def policies(draw: st.DrawFn) -> RetentionPolicy:
    periods = {name: draw(st.sampled_from(PERIODS)) for name in (*TIERS, "failed")}
    periods[draw(st.sampled_from(TIERS))] = draw(st.sampled_from(PERIODS[1:]))
    zone, minimum = draw(st.sampled_from(ZONES)), draw(st.integers(1, 4))
    return RetentionPolicy.from_config({"timezone": zone, "minimum": minimum, **periods})


@st.composite
def scenes(draw: st.DrawFn, odd: bool = True, needs: bool = True) -> Scene:
    """Up to a dozen backups; with ``odd`` also such as are from a wrong clock or not recognised."""
    turn = draw(st.sampled_from(TURNS))
    count = draw(st.integers(0, 12))
    ages = st.one_of(st.integers(-86400, 3 * 86400), st.integers(-86400, 500 * 86400))
    tiers = st.lists(st.sampled_from(TIERS), min_size=1, max_size=3, unique=True).map(tuple)
    states = st.sampled_from(("complete", "proven", "failed", "corrupt", *(["blessed"] if odd else [])))
    needers = st.lists(st.sampled_from([*map(str, range(count)), *OUTSIDE]), max_size=2).map(tuple)
    rarely = st.sampled_from((False,) * 9 + (True,))
    backups = []
    for number in range(count):
        time = turn - timedelta(seconds=draw(ages))
        if odd and draw(rarely):
            time = draw(st.sampled_from((datetime(1970, 1, 1, tzinfo=UTC), turn + timedelta(days=900))))
        names = ("hourly",) if odd and draw(rarely) else draw(tiers)
        needed_by = draw(needers) if needs and draw(st.booleans()) else ()
        marks = (draw(rarely), draw(rarely), needed_by, draw(st.integers(0, 9)))
        backups.append(Candidate(str(number), time, names, draw(states), *marks))
    now = turn + timedelta(seconds=draw(st.integers(-86400, 40 * 86400)))
    return Scene(backups, draw(policies()), now)


def kept(backups: Iterable[Candidate], policy: RetentionPolicy, now: datetime) -> set[str]:
    return {decision.id for decision in plan(list(backups), policy, now).keep}


def survivors(backups: Iterable[Candidate], policy: RetentionPolicy, now: datetime) -> list[Candidate]:
    """The catalogue as it reads after a prune: what is gone needs nothing any more."""
    backups = list(backups)
    stay = kept(backups, policy, now)
    gone = {backup.id for backup in backups} - stay
    return [
        replace(backup, needed_by=tuple(needer for needer in backup.needed_by if needer not in gone))
        for backup in backups
        if backup.id in stay
    ]


def back(day: date, period: Period) -> date:
    """``day - period``, as the documentation defines it."""
    if period.unit in ("day", "week"):
        return day - timedelta(days=period.count * (7 if period.unit == "week" else 1))
    months = period.count * (12 if period.unit == "year" else 1)
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def in_period(time: datetime, names: Iterable[str], policy: RetentionPolicy, now: datetime) -> bool:
    days = Calendar(policy.zone)
    return any(
        period.is_forever or (period.count > 0 and time >= days.start(back(days.day(now), period)))
        for period in (policy.periods[name] for name in names)
    )


def by_the_book(backups: list[Candidate], policy: RetentionPolicy, now: datetime) -> set[str]:
    """The rules of docs/explanation/retention.md said once more, as plainly and slowly as can be."""
    keep = set()
    trusted = []
    for backup in sorted(backups, key=lambda backup: (backup.time, backup.id)):
        unknown = backup.state == "blessed" or "hourly" in backup.tiers
        if unknown or backup.time > now + TOLERANCE or backup.time.year < 2001:
            keep.add(backup.id)
        else:
            trusted.append(backup)
    sound = [backup for backup in trusted if backup.state in SOUND]
    sound.sort(key=lambda backup: backup.tiers != ("safety",))  # safety backups fill a floor, last of all
    proven = [backup for backup in sound if backup.state == "proven"]
    keep.update(backup.id for backup in sound[-policy.minimum :] + proven[-policy.minimum :])
    for backup in trusted:
        names = backup.tiers if backup.state in SOUND else (backup.state,)
        unreplaced = backup.state not in SOUND and not any(other.time > backup.time for other in sound)
        if backup.pinned or backup.in_use or unreplaced or in_period(backup.time, names, policy, now):
            keep.add(backup.id)
    known = {backup.id for backup in backups}
    for _ in backups:  # as many rounds as a chain can have links
        keep |= {one.id for one in backups if any(by in keep or by not in known for by in one.needed_by)}
    return keep


@generously
@given(scenes())
def test_the_planner_does_what_the_rules_say(scene: Scene) -> None:
    backups, policy, now = scene
    assert kept(backups, policy, now) == by_the_book(backups, policy, now)


@generously
@given(scenes())
def test_survivors_are_never_fewer_than_the_floor(scene: Scene) -> None:
    backups, policy, now = scene
    sound = {backup.id for backup in backups if backup.state in SOUND}
    assert len(kept(backups, policy, now) & sound) >= min(policy.minimum, len(sound))


@generously
@given(scenes())
def test_the_newest_proven_is_never_deleted(scene: Scene) -> None:
    backups, policy, now = scene
    trusted = [one for one in backups if one.state == "proven" and one.time <= now + TOLERANCE]
    # One that only keeps what a restore replaced is the last that anybody would want back.
    proven = sorted((one.tiers != ("safety",), one.time, one.id) for one in trusted)
    assert {id for _, _, id in proven[-1:]} <= kept(backups, policy, now)


@generously
@given(scenes())
def test_what_is_pinned_in_use_or_needed_is_never_deleted(scene: Scene) -> None:
    backups, policy, now = scene
    stay = kept(backups, policy, now)
    for backup in backups:
        if backup.pinned or backup.in_use or stay.union(OUTSIDE) & set(backup.needed_by):
            assert backup.id in stay


@generously
@given(scenes())
def test_planning_the_survivors_deletes_nothing(scene: Scene) -> None:
    backups, policy, now = scene
    assert plan(survivors(backups, policy, now), policy, now).delete == ()


@generously
@given(scenes(), pauses)
def test_as_time_passes_what_was_deleted_is_never_kept(scene: Scene, pause: timedelta) -> None:
    backups, policy, now = scene
    assert kept(backups, policy, now + pause) <= kept(backups, policy, now)


@generously
@given(scenes(), st.lists(pauses, max_size=6))
def test_pruning_step_by_step_ends_as_pruning_once(scene: Scene, steps: list[timedelta]) -> None:
    backups, policy, now = scene
    remaining, moment = survivors(backups, policy, now), now
    for step in steps:
        moment += step
        remaining = survivors(remaining, policy, moment)
    assert {backup.id for backup in remaining} == kept(backups, policy, moment)


@settings(max_examples=40)
@given(scenes(odd=False, needs=False))
def test_pruning_daily_while_backups_arrive_ends_as_pruning_once(scene: Scene) -> None:
    backups, policy, now = scene
    remaining: list[Candidate] = []
    for days in range(550, -1, -1):
        today, yesterday = now - timedelta(days=days), now - timedelta(days=days + 1)
        remaining += [backup for backup in backups if yesterday < backup.time <= today]
        remaining = survivors(remaining, policy, today)
    taken = [backup for backup in backups if backup.time <= now]
    assert {backup.id for backup in remaining} == kept(taken, policy, now)


@generously
@given(scenes(), st.sampled_from(("minimum", *TIERS, "failed")))
def test_a_more_generous_policy_keeps_at_least_as_much(scene: Scene, what: str) -> None:
    backups, policy, now = scene
    if what == "minimum":
        generous = [replace(policy, minimum=policy.minimum + 1)]
    else:
        longer = PERIODS[PERIODS.index(str(policy.periods[what])) :]
        names = (what, "corrupt") if what == "failed" else (what,)
        generous = [
            replace(policy, periods={**policy.periods, **dict.fromkeys(names, Period.parse(text))}) for text in longer
        ]
    assert all(kept(backups, policy, now) <= kept(backups, more, now) for more in generous)


@generously
@given(scenes(odd=False), scenes(), pauses)
def test_further_backups_never_delete_what_a_period_keeps(scene: Scene, other: Scene, ago: timedelta) -> None:
    backups, policy, now = scene
    further = [replace(one, id=f"further-{one.id}", time=now - ago, needed_by=()) for one in other.backups]
    names = {one.id: one.tiers if one.state in SOUND else (one.state,) for one in backups}
    by_period = {one.id for one in backups if in_period(one.time, names[one.id], policy, now)}
    assert by_period <= kept(backups + further, policy, now)


@generously
@given(scenes(), st.sampled_from(("failed", "corrupt")), pauses)
def test_further_broken_ones_change_nothing_for_the_others(scene: Scene, state: str, ago: timedelta) -> None:
    backups, policy, now = scene
    copies = [replace(one, id=f"{state}-{one.id}", state=state, needed_by=()) for one in backups]
    broken = copies + [replace(one, id=f"{one.id}-again", time=now - ago) for one in copies]
    ours = {backup.id for backup in backups}
    assert kept(backups + broken, policy, now) & ours == kept(backups, policy, now)


@generously
@given(scenes(), st.randoms(use_true_random=False))
def test_the_order_of_the_catalogue_does_not_matter(scene: Scene, chance: random.Random) -> None:
    backups, policy, now = scene
    shuffled = backups[:]
    chance.shuffle(shuffled)
    assert plan(shuffled, policy, now) == plan(backups, policy, now)


@generously
@given(scenes())
def test_a_plan_has_one_reasoned_decision_for_each_backup_in_order_of_time(scene: Scene) -> None:
    backups, policy, now = scene
    result = plan(backups, policy, now)
    decided = [(decision.time, decision.id) for decision in result.decisions]
    assert decided == sorted((backup.time, backup.id) for backup in backups)
    assert all((one.action == "delete") == (one.rule == "expired") and one.reason for one in result.decisions)
    assert result.freed == sum(b.size for b in backups) - sum(decision.size for decision in result.keep)


@generously
@given(scenes())
def test_the_next_expiry_is_the_instant_of_the_next_deletion(scene: Scene) -> None:
    backups, policy, now = scene
    present = [backup for backup in backups if backup.time <= now + TOLERANCE]
    remaining = survivors(present, policy, now)
    expiry = plan(present, policy, now).next_expiry
    if expiry is None:
        assert plan(remaining, policy, now + timedelta(days=3000)).delete == ()
    else:
        assert expiry > now
        assert plan(remaining, policy, expiry - TICK).delete == ()
        assert plan(remaining, policy, expiry).delete != ()


@generously
@given(st.dates(date(2001, 1, 1), date(2060, 12, 31)), st.sampled_from(PERIODS[1:-1]), st.integers(1, 30))
def test_the_last_day_is_the_last_that_reaches_back(day: date, text: str, times: int) -> None:
    period = replace(Period.parse(text), count=times)
    last = period.last_day(day)
    assert back(last, period) <= day < back(last + timedelta(days=1), period)
