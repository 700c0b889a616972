# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told, and when: once at the beginning, now and then while it lasts, once at the end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.reporting.notify_decide import decide, unheard
from holdfast.reporting.notify_event import Ended, Event

START = datetime(2026, 11, 22, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
DAY = timedelta(hours=24)
HOUR = timedelta(hours=1)
JOBS = ("backup", "prune", "drill")


def ended(success: bool, job: str = "backup") -> Ended:
    return Ended("shop", "db1", job, success, "" if success else "no room", "" if success else "Free some.", {"n": 1})


def story(steps: list[tuple[datetime, Ended]], remind: timedelta = DAY) -> list[Event]:
    """Everything that is told, with the state going through JSON as it does on disk."""
    state: Any = None
    events = []
    for now, what in steps:
        state, event = decide(state, what, now, remind)
        state = json.loads(json.dumps(state))
        events += [event] if event else []
    return events


def test_a_failure_is_told_once_then_reminded_then_its_end_is_told() -> None:
    hours = [0, 1, 23, 24, 25, 48, 49]
    events = story([(START + hour * HOUR, ended(False)) for hour in hours] + [(START + 50 * HOUR, ended(True))])
    assert [event.kind for event in events] == ["failure", "reminder", "reminder", "recovery"]
    assert [event.title for event in events[1:]] == ["backup still FAILED", "backup still FAILED", "backup works again"]
    assert {event.since for event in events} == {START}
    assert (events[0].reason, events[0].next_step, events[0].details) == ("no room", "Free some.", {"n": 1})
    assert events[-1].reason == "It had failed for 2d 2h: no room"


def test_a_job_that_works_is_nothing_to_tell() -> None:
    assert story([(START + n * DAY, ended(True)) for n in range(9)]) == []


def test_each_job_has_its_own_series() -> None:
    steps = [(START, ended(False)), (START, ended(False, "drill")), (START + HOUR, ended(True)), (START + HOUR, ended(False, "drill"))]  # fmt: skip
    assert [(event.job, event.kind) for event in story(steps)] == [
        ("backup", "failure"), ("drill", "failure"), ("backup", "recovery"),
    ]  # fmt: skip


def test_no_reminders_where_none_are_wanted() -> None:
    events = story([(START + n * DAY, ended(False)) for n in range(99)], timedelta())
    assert [event.kind for event in events] == ["failure"]


def test_times_are_told_in_the_zone_of_now() -> None:
    state, _event = decide(None, ended(False), START.astimezone(UTC), DAY)
    _state, event = decide(state, ended(True), START + HOUR, DAY)
    assert event is not None
    assert (event.since, event.since.tzinfo) == (START, START.tzinfo)


def test_a_clock_that_was_put_back_delays_a_reminder_by_no_more_than_the_usual() -> None:
    years = timedelta(days=3000)
    steps = [(START + years, ended(False)), *((START + n * HOUR, ended(False)) for n in range(50))]
    events = story(steps)
    assert [event.kind for event in events] == ["failure", "reminder", "reminder"]
    assert all(event.since <= START + 50 * HOUR for event in events[1:])


@pytest.mark.parametrize("success", [False, True])
@pytest.mark.parametrize(
    "damaged",
    [
        None, 7, "x", [], {"series": []}, {"series": {"backup": 3}}, {"series": {"backup": {}}}, {"series": {"backup": {"since": 1, "told": []}}},
        {"series": {"drill": {"since": float("inf")}}},
        {"series": {"backup": {"since": "2026-11-22", "told": "yesterday"}}}, {"series": {"backup": {"since": "0001-01-01T00:00:00+14:00", "told": None}}},
    ],
)  # fmt: skip
def test_a_state_that_cannot_be_read_tells_rather_twice(damaged: Any, success: bool) -> None:
    _state, event = decide(damaged, ended(success), START, DAY)
    assert success or (event is not None and event.kind == "failure")


def test_what_reached_nobody_is_told_by_the_next_run() -> None:
    state: Any = None
    told = []
    for hour, success, heard in [(0, False, False), (1, False, True), (2, False, True), (30, False, False), (31, False, True),
                                 (32, True, False), (33, True, True), (34, True, True)]:  # fmt: skip
        decided, event = decide(state, ended(success), START + hour * HOUR, DAY)
        told += [(hour, event.kind, event.since)] if event else []
        state = json.loads(json.dumps(unheard(state, decided, event) if event and not heard else decided))
    assert told == [
        (0, "failure", START), (1, "failure", START), (30, "reminder", START), (31, "reminder", START),
        (32, "recovery", START), (33, "recovery", START),
    ]  # fmt: skip


RUNS = st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.sampled_from(JOBS)), max_size=60)


@given(RUNS, st.integers(1, 72))
def test_every_first_failure_and_every_recovery_is_told_once(runs: list[tuple[int, bool, str]], hours: int) -> None:
    """A model with nothing but flags says what has to be told; the windows of reminders are measured."""
    remind = hours * HOUR
    now, state = START, None
    failing: dict[str, datetime] = {}
    last: dict[str, datetime] = {}
    for pause, success, job in runs:
        now += pause * HOUR
        state, event = decide(state, ended(success, job), now, remind)
        began = not success and job not in failing
        over = success and job in failing
        if began or over:
            assert event is not None
            assert (event.kind, event.job) == ("failure" if began else "recovery", job)
            assert event.since == (now if began else failing[job])
        elif success:
            assert event is None
        else:
            assert (event is not None) == (now - last[job] >= remind)
            assert event is None or (event.kind, event.since) == ("reminder", failing[job])
        if over:
            del failing[job]
        elif began:
            failing[job] = now
        if event:
            last[job] = now


@given(st.lists(st.integers(-100_000, 100_000), max_size=60), st.integers(1, 72))
def test_whatever_the_clock_does_nobody_is_flooded(steps: list[int], hours: int) -> None:
    """One message at the beginning, then at most one for every window that the clock went forwards."""
    now, state, forwards, told = START, None, 0, 0
    for step in [0, *steps]:
        now += timedelta(minutes=step)
        forwards += max(step, 0)
        state, event = decide(state, ended(False), now, hours * HOUR)
        told += event is not None
        assert event is None or event.since <= now
    assert 1 <= told <= 1 + forwards // (hours * 60)


@given(st.lists(st.integers(-100_000, 100_000), max_size=30), st.integers(1, 72))
def test_whatever_the_clock_did_the_next_reminder_is_never_further_than_usual(steps: list[int], hours: int) -> None:
    now, state = START, None
    for step in [0, *steps]:
        now += timedelta(minutes=step)
        state, _event = decide(state, ended(False), now, hours * HOUR)
    state, event = decide(state, ended(False), now + hours * HOUR, hours * HOUR)
    assert event is not None


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.just("2026-11-22T00:00:00+00:00")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["series", "backup", "since", "told", "reason"]), inner)),
)  # fmt: skip


@given(JSON, st.booleans())
def test_whatever_was_remembered_nothing_is_raised(state: Any, success: bool) -> None:
    decided, event = decide(state, ended(success), START, DAY)
    json.dumps(decided, allow_nan=False)
    assert decide(decided, ended(True), START, DAY)[0] == {"series": {k: v for k, v in decided["series"].items() if k != "backup"}}  # fmt: skip
    assert not event or unheard(state, decided, event)
