# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A retention policy, its periods and its calendar days, by example: dates written out."""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from holdfast.errors import ConfigError
from holdfast.repository.periods import DEFAULTS, Calendar, Period, RetentionPolicy, load_zone


def rows(table: str) -> list[list[str]]:
    """The cells of a table whose columns are two spaces or more apart; `#` begins a comment."""
    lines = [line.split("#")[0].strip() for line in table.strip().splitlines()]
    return [re.split(r"  +", line) for line in lines]


def policy(**settings: Any) -> RetentionPolicy:
    return RetentionPolicy.from_config(settings)


class TestAPolicyIsValidated:
    def test_the_seed_policy_is_the_default(self) -> None:
        seed = policy()
        assert (seed.timezone, seed.zone, seed.minimum) == ("UTC", UTC, 3)
        assert {name: str(period) for name, period in seed.periods.items()} == {
            "daily": "7 days",
            "weekly": "1 month",
            "monthly": "6 months",
            "predeploy": "1 month",
            "manual": "3 months",
            "safety": "1 month",
            "failed": "7 days",
            "corrupt": "7 days",
        }

    def test_the_defaults_written_out_are_the_defaults(self) -> None:
        assert policy(**DEFAULTS) == policy()

    def test_null_means_the_default(self) -> None:
        assert policy(timezone=None, minimum=None, daily=None) == policy()

    @pytest.mark.parametrize(
        ("text", "read"),
        [
            ("7 days", "7 days"),
            ("1 DAY", "1 day"),
            (" 2  Weeks ", "2 weeks"),
            ("1 months", "1 month"),
            ("10 year", "10 years"),
            ("0 days", "0 days"),
            ("Forever", "forever"),
        ],
    )
    def test_a_period_is_read_in_any_case(self, text: str, read: str) -> None:
        assert str(Period.parse(text)) == read

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "7",
            "days",
            "7days",
            "-1 days",
            "1.5 days",
            "7 hours",
            "7 days 2 weeks",
            "٧ days",
            "1000000 days",
            "never",
            7,
            True,
            [],
        ],
    )
    def test_anything_else_is_no_period(self, text: Any) -> None:
        with pytest.raises(
            ConfigError, match=r"^Cannot use retention policy: daily: .* is not a period\. Give '<n> day"
        ):
            policy(daily=text)

    @pytest.mark.parametrize("minimum", [0, -1, "3", 2.0, True])
    def test_a_floor_below_one_is_refused(self, minimum: Any) -> None:
        with pytest.raises(ConfigError, match=r"minimum is .*\. Give a whole number of at least 1"):
            policy(minimum=minimum)

    def test_an_unknown_key_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(ConfigError, match=r"unknown keys \['hourly'\]\. Known keys: timezone, minimum, daily, "):
            policy(hourly="1 day")

    def test_a_policy_that_would_keep_nothing_is_refused(self) -> None:
        nothing = dict.fromkeys(["daily", "weekly", "monthly", "predeploy", "manual", "safety"], "0 days")
        with pytest.raises(ConfigError, match="it would keep nothing but the floor"):
            policy(**nothing)
        assert policy(**{**nothing, "weekly": "1 week"}).periods["daily"].keeps_nothing

    @pytest.mark.parametrize("name", ["Europe/Atlantis", "Europe", "", "../../etc/passwd", "/etc/localtime", "a\0b", 1])
    def test_an_unknown_time_zone_is_refused(self, name: Any) -> None:
        with pytest.raises(ConfigError, match="it is not a name of the IANA time zone database"):
            policy(timezone=name)

    def test_a_missing_time_zone_database_names_the_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing(name: str) -> None:
            raise zoneinfo.ZoneInfoNotFoundError(name)

        monkeypatch.setattr(zoneinfo, "ZoneInfo", missing)
        with pytest.raises(ConfigError, match=r"no time zone database\. Install the package tzdata"):
            policy(timezone="Europe/Berlin")
        assert policy(timezone="UTC").zone == UTC


PERIODS = """
7 days        2026-11-15  2026-11-22
7 days        2026-12-28  2027-01-04
1 week        2020-12-28  2021-01-04  # ISO week 53
1 week        2025-12-29  2026-01-05  # ISO week 1 of the next year
1 month       2026-01-15  2026-02-15
1 month       2026-01-28  2026-02-28
1 month       2026-01-31  2026-02-28
1 month       2028-01-31  2028-02-29
1 month       2026-02-28  2026-03-31  # 31 March less one month is 28 February
1 month       2028-02-28  2028-03-28
1 month       2028-02-29  2028-03-31
1 month       2026-04-30  2026-05-31
6 months      2026-05-22  2026-11-22
6 months      2026-08-31  2027-02-28
1 year        2028-02-29  2029-02-28
1 year        2027-02-28  2028-02-29
1 year        2028-02-28  2029-02-28
12 months     2026-12-31  2027-12-31
999999 years  2026-11-22  9999-12-31
999999 weeks  2026-11-22  9999-12-31
forever       2026-11-22  9999-12-31
0 months      2026-11-22  0001-01-01
"""


@pytest.mark.parametrize(("period", "day", "last"), rows(PERIODS))
def test_a_period_ends_on_a_calendar_day(period: str, day: str, last: str) -> None:
    assert Period.parse(period).last_day(date.fromisoformat(day)) == date.fromisoformat(last)


STARTS = """
UTC                2026-11-22  2026-11-22T00:00:00+00:00
Europe/Berlin      2026-11-22  2026-11-22T00:00:00+01:00
Europe/Berlin      2026-03-29  2026-03-29T00:00:00+01:00  # 23 hours long
Europe/Berlin      2026-03-30  2026-03-30T00:00:00+02:00
Europe/Berlin      2026-10-25  2026-10-25T00:00:00+02:00  # 25 hours long
Asia/Kathmandu     2026-11-22  2026-11-22T00:00:00+05:45
America/Sao_Paulo  2018-11-04  2018-11-04T01:00:00-02:00  # no midnight on that day
America/Sao_Paulo  2018-02-18  2018-02-18T00:00:00-03:00  # midnight put off by an hour
America/Toronto    1919-03-31  1919-03-31T00:30:00-04:00  # 23:30 became 00:30
America/St_Johns   2010-11-07  2010-11-07T00:00:00-02:30  # midnight came twice
America/Havana     2026-11-01  2026-11-01T00:00:00-04:00  # midnight comes twice
Pacific/Apia       2011-12-30  2011-12-31T00:00:00+14:00  # no such day
Pacific/Apia       2011-12-31  2011-12-31T00:00:00+14:00
"""


@pytest.mark.parametrize(("zone", "day", "start"), rows(STARTS))
def test_a_day_starts_at_the_first_instant_of_its_date(zone: str, day: str, start: str) -> None:
    assert Calendar(load_zone(zone)).start(date.fromisoformat(day)) == datetime.fromisoformat(start)


def test_a_day_has_begun_though_the_clock_shows_yesterday_once_more() -> None:
    calendar = Calendar(load_zone("America/St_Johns"))
    midnight = datetime(2010, 11, 7, 2, 30, tzinfo=UTC)
    minutes = (-1, 0, 1, 30, 61, 62)
    assert [calendar.day(midnight + timedelta(minutes=n)).day for n in minutes] == [6, 7, 7, 7, 7, 7]
