# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calendar days of every zone that the time zone database knows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.repository.periods import Calendar, load_zone

generously = settings(max_examples=300)
zones = st.sampled_from(sorted(available_timezones()))

# A zone and an instant at which it set its clocks across midnight.
ACROSS_MIDNIGHT = (
    ("America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),  # 00:00 became 01:00
    ("America/St_Johns", datetime(2010, 11, 7, 2, 31, tzinfo=UTC)),  # 00:01 became 23:01 of yesterday
    ("Antarctica/Casey", datetime(2010, 3, 4, 15, tzinfo=UTC)),  # 02:00 became 23:00 of yesterday
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),  # a day was left out
)


@generously
@given(zones, st.dates(date(2001, 1, 2), date(2037, 12, 31)))
def test_a_day_starts_where_its_date_first_shows(name: str, day: date) -> None:
    zone = load_zone(name)
    start = Calendar(zone).start(day)
    assert (start - timedelta(seconds=1)).astimezone(zone).date() < day <= start.astimezone(zone).date()


@generously
@given(zones, st.datetimes(datetime(2001, 1, 2), datetime(2037, 12, 31)))
def test_an_instant_lies_between_the_start_of_its_day_and_of_the_next(name: str, naive: datetime) -> None:
    days, instant = Calendar(load_zone(name)), naive.replace(tzinfo=UTC)
    day = days.day(instant)
    assert days.start(day) <= instant < days.start(day + timedelta(days=1))


@pytest.mark.parametrize(("name", "change"), ACROSS_MIDNIGHT)
def test_days_never_run_backwards(name: str, change: datetime) -> None:
    days = Calendar(load_zone(name))
    seen = [days.day(change + timedelta(minutes=minute)) for minute in range(-1500, 1500)]
    assert seen == sorted(seen)
