"""When what is due: whatever the clocks of the zone do, every job comes once a day, week or month."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.config_schedule import JOBS, TIER_JOBS, WEEKDAYS, ScheduleOptions
from holdfast.repository.retention import RetentionPolicy
from holdfast.scheduling import entries, forecast
from holdfast.scheduling.due import Point, due
from holdfast.scheduling.times import Timetable, share_of_jitter

# Half an hour of daylight saving, a day that is left out, midnight that is left out, a hour that is there twice at
# midnight, and the usual ones on both halves of the world.
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "Asia/Beirut",
    "Asia/Kathmandu", "America/Havana", "Africa/Casablanca",
)  # fmt: skip
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

zones = st.sampled_from(ZONES)
instants = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
clocks = st.builds(lambda hour, minute: f"{hour:02d}:{minute:02d}", st.integers(0, 22), st.integers(0, 59))
monthdays = st.one_of(st.integers(1, 28), st.just("last"))


@st.composite
def tables(draw: st.DrawFn) -> Timetable:
    raw = {
        "timezone": draw(zones),
        "jitter": 45,
        "daily": {"at": draw(clocks)},
        "weekly": {"at": draw(clocks), "day": draw(st.sampled_from(WEEKDAYS))},
        "monthly": {"at": draw(clocks), "day": draw(monthdays)},
        "drill": {"at": draw(clocks), "day": draw(st.sampled_from(WEEKDAYS))},
    }
    options = ScheduleOptions.from_config(raw, "test")
    return Timetable(options, timedelta(minutes=draw(st.integers(0, 45))))


def days_of(table: Timetable, job: str, since: datetime, until: datetime) -> list[date]:
    """The local days of a job's runs, without the jitter."""
    zone = table.options.zone
    return [(at - table.shift).astimezone(zone).date() for at in table.each(table.options.jobs[job], since, until)]


@given(tables(), instants)
def test_a_daily_job_comes_once_on_every_day(table: Timetable, now: datetime) -> None:
    days = days_of(table, "daily", now, now + 400 * DAY)
    assert len(set(days)) == len(days)
    missing = {days[0] + DAY * n for n in range((days[-1] - days[0]).days)} - set(days)
    # Samoa had no 30 December 2011, and a time that the clocks leave out at midnight is the next day's.
    assert len(missing) <= 3


def test_a_day_that_is_left_out_is_no_day_for_a_daily_job_and_the_next_one_for_a_weekly_job() -> None:
    raw = {"timezone": "Pacific/Apia", "daily": {"at": "10:00"}, "weekly": {"at": "10:00", "day": "friday"}}
    table = Timetable(ScheduleOptions.from_config(raw, "test"), timedelta())
    since = datetime(2011, 12, 28, tzinfo=UTC)
    days = days_of(table, "daily", since, since + 5 * DAY)
    assert [f"{day:%d}" for day in days] == ["28", "29", "31", "01", "02"]
    # 30 December 2011 was a Friday.
    assert days_of(table, "weekly", since, since + 5 * DAY) == [date(2011, 12, 31)]


@given(tables(), instants)
def test_a_weekly_and_a_monthly_job_come_once_a_week_and_once_a_month(table: Timetable, now: datetime) -> None:
    instants = list(table.each(table.options.jobs["weekly"], now, now + 400 * DAY))
    gaps = [later - earlier for earlier, later in itertools.pairwise(instants)]
    assert all(abs(gap - 7 * DAY) <= timedelta(hours=25) for gap in gaps)
    months = {(day.year, day.month) for day in days_of(table, "monthly", now, now + 400 * DAY)}
    assert len(months) >= 12
    assert len(list(table.each(table.options.jobs["monthly"], now, now + 400 * DAY))) <= 14


@given(tables(), instants, st.sampled_from(JOBS))
def test_next_and_previous_are_neighbours(table: Timetable, now: datetime, name: str) -> None:
    job = table.options.jobs[name]
    before, after = table.previous(job, now), table.next(job, now)
    assert before <= now < after
    assert table.previous(job, after) == after
    assert table.next(job, before) == after
    assert list(table.each(job, before, after)) == [after]


@given(tables(), instants)
def test_of_what_falls_due_together_there_is_one_backup(table: Timetable, now: datetime) -> None:
    runs = [run for run in table.runs(now, now + 60 * DAY) if run.jobs != ("drill",)]
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(runs)]
    assert all(gap > timedelta(minutes=table.options.together) for gap in gaps)
    for tier in TIER_JOBS:
        due_at = list(table.each(table.options.jobs[tier], now, now + 60 * DAY))
        served = [run.at for run in runs if tier in run.jobs]
        assert len(served) == len(due_at)


@given(tables(), instants, st.timedeltas(timedelta(), timedelta(days=40)))
def test_a_machine_that_was_off_catches_up_once(table: Timetable, last: datetime, away: timedelta) -> None:
    """Whatever was missed meanwhile, one backup of all tiers serves it, and after it nothing is due."""
    now = last + away
    points = [Point("a", last, TIER_JOBS, True)]
    found = due(table, points, [last], now, LONG_AGO)
    for state in found.states:
        assert state.served == (state.due <= last + timedelta(minutes=table.options.together))
    if found.tiers:
        taken = [*points, Point("b", now, found.tiers, True)]
        after = due(table, taken, [now], now + timedelta(seconds=1), LONG_AGO)
        assert not after.tiers
        assert not after.drill_newest


@given(tables(), instants, st.timedeltas(timedelta(minutes=1), timedelta(days=40)))
def test_what_comes_from_the_future_serves_nothing(table: Timetable, now: datetime, ahead: timedelta) -> None:
    found = due(table, [Point("a", now + ahead, TIER_JOBS, True)], [now + ahead], now, LONG_AGO)
    assert found.tiers == TIER_JOBS
    assert found.drill_newest


@given(tables(), instants)
def test_what_was_due_before_the_repository_was_made_is_due_but_not_missed(table: Timetable, now: datetime) -> None:
    found = due(table, [], [], now, now - timedelta(minutes=1))
    assert found.tiers == TIER_JOBS
    assert not any(state.missed for state in found.states)


@given(tables(), zones, instants)
def test_cron_starts_every_job_in_time(table: Timetable, machine: str, now: datetime) -> None:
    """Each instant of each job is an instant of its line, on the machine's clock."""
    zone: tzinfo = ZoneInfo(machine)
    lines = {line.name: line for line in entries.cron_lines(table, zone, now)}
    for name, job in table.options.jobs.items():
        line = lines[name]
        for at in table.each(job, now, now + 200 * DAY):
            local = at.astimezone(zone)
            wall = datetime.combine((at - table.shift).astimezone(table.options.zone).date(), job.at) + table.shift
            if local.replace(tzinfo=None) != wall and table.options.timezone == machine:
                continue  # A time that the machine's clock leaves out: the next hour's run makes up for it.
            assert str(local.minute) in line.minute.split(",")
            assert str(local.hour) in line.hour.split(",")
            assert line.day == "*" or str(local.day) in line.day.split(",")
            assert line.weekday == "*" or str(local.isoweekday() % 7) in line.weekday.split(",")


@given(st.text(max_size=40), st.text(max_size=40), st.integers(0, 720))
def test_the_share_of_the_jitter_is_stable_and_in_bounds(machine: str, cluster: str, minutes: int) -> None:
    found = share_of_jitter(machine, cluster, minutes)
    assert timedelta() <= found <= timedelta(minutes=minutes)
    assert found == share_of_jitter(machine, cluster, minutes)


def test_a_fleet_does_not_start_at_once() -> None:
    shares = [share_of_jitter(f"machine-{n}", "shop", 60) for n in range(610)]
    assert len(set(shares)) == 61
    assert max(shares.count(share) for share in set(shares)) < 30


@given(tables(), instants)
def test_a_year_of_success_leaves_what_the_retention_promises(table: Timetable, now: datetime) -> None:
    policy = RetentionPolicy.from_config({"timezone": table.options.timezone})
    points = forecast.retained(table, policy, now, timedelta(days=365))
    assert sum("daily" in point.tiers for point in points) >= 7
    assert sum("weekly" in point.tiers for point in points) >= 4
    # One that served as a monthly backup too is kept as long as that.
    assert sum("weekly" in point.tiers and "monthly" not in point.tiers for point in points) <= 6
    assert 6 <= sum("monthly" in point.tiers for point in points) <= 8
    drawn = forecast.calendar(points, policy.zone)
    assert sum(line[9:].count(letter) for line in drawn[2:] for letter in "mwd") <= len(points)


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        ("2026-03-28", "Europe/Berlin", "2026-03-28T01:30:00+00:00"),
        # 02:30 does not exist on that day: it is as if the clocks had not been set forward yet.
        ("2026-03-29", "Europe/Berlin", "2026-03-29T01:30:00+00:00"),
        ("2026-03-30", "Europe/Berlin", "2026-03-30T00:30:00+00:00"),
        # There are two of them: the first counts.
        ("2026-10-25", "Europe/Berlin", "2026-10-25T00:30:00+00:00"),
        ("2026-10-26", "Europe/Berlin", "2026-10-26T01:30:00+00:00"),
    ],
)
def test_the_days_on_which_clocks_are_set(day: str, zone: str, expected: str) -> None:
    table = Timetable(ScheduleOptions.from_config({"timezone": zone}, "test"), timedelta())
    noon = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    assert table.previous(table.options.jobs["daily"], noon).isoformat() == expected


@pytest.mark.parametrize(("year", "days"), [(2026, (31, 28, 31, 30)), (2028, (31, 29, 31, 30))])
def test_the_last_day_of_a_month(year: int, days: tuple[int, ...]) -> None:
    table = Timetable(ScheduleOptions.from_config({"monthly": {"day": "last"}}, "test"), timedelta())
    since, until = datetime(year, 1, 1, tzinfo=UTC), datetime(year, 5, 1, tzinfo=UTC)
    assert tuple(at.day for at in table.each(table.options.jobs["monthly"], since, until)) == days
