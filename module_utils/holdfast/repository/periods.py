# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long: the retention policy, its periods, and the calendar days that they are counted in.

A day is the unit on purpose: see ``docs/adr/0002-retention-by-calendar-day.md``.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Any

from ..errors import ConfigError

TIERS = ("daily", "weekly", "monthly", "predeploy", "manual", "safety")
DEFAULTS: Mapping[str, Any] = {
    "timezone": "UTC",
    "minimum": 3,
    "daily": "7 days",
    "weekly": "1 month",
    "monthly": "6 months",
    "predeploy": "1 month",
    "manual": "3 months",
    "safety": "1 month",
    "failed": "7 days",
}

GRAMMAR = "'<n> day(s)', '<n> week(s)', '<n> month(s)', '<n> year(s)' or 'forever'"
_PERIOD = re.compile(r"([0-9]{1,6})\s+(day|week|month|year)s?", re.IGNORECASE | re.ASCII)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Period:
    """A length of time in calendar units; ``count`` is not used for ``forever``.

    :param count: how many units, at least 0. With 0 the period keeps nothing, not even today's.
    :param unit: ``day``, ``week``, ``month``, ``year`` or ``forever``.
    """

    count: int
    unit: str

    @classmethod
    def parse(cls, text: Any) -> Period:
        """Read a period such as ``7 days``, in any case.

        :raises ValueError: the text is not of the form in :data:`GRAMMAR`.
        """
        words = text.strip() if isinstance(text, str) else ""
        if words.lower() == "forever":
            return cls(0, "forever")
        match = _PERIOD.fullmatch(words)
        if match is None:
            raise ValueError(f"{text!r} is not a period")
        return cls(int(match.group(1)), match.group(2).lower())

    def __str__(self) -> str:
        if self.is_forever:
            return self.unit
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"

    @property
    def is_forever(self) -> bool:
        """Whether what is kept by this period never expires."""
        return self.unit == "forever"

    @property
    def keeps_nothing(self) -> bool:
        """Whether nothing is kept by this period."""
        return self.count == 0 and not self.is_forever

    def last_day(self, day: date) -> date:
        """The last day D on which ``D - period <= day``; months are taken back with a clamp to month end.

        That is how long something of ``day`` is kept. Because of the clamp a month after the last
        day of a month is the last day of the next: 28 February is kept for "1 month" until 31 March.

        :returns: ``date.max`` when there is no last day, ``date.min`` when the period keeps nothing.
        """
        if self.is_forever:
            return date.max
        if self.keeps_nothing:
            return date.min
        try:
            if self.unit == "day":
                return day + timedelta(days=self.count)
            if self.unit == "week":
                return day + timedelta(weeks=self.count)
            return _months_later(day, self.count * (12 if self.unit == "year" else 1))
        except (OverflowError, ValueError):  # beyond the year 9999
            return date.max


def _months_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    last = monthrange(year, month)[1]
    if day.day == monthrange(day.year, day.month)[1]:
        return date(year, month, last)
    return date(year, month, min(day.day, last))


class Calendar:
    """The days of one time zone, as spans between instants in UTC.

    A day starts at the first instant that carries its date, or, when the zone leaves the day out, at
    the first instant after it. Where clocks are set back across midnight, yesterday's date shows
    once more; the day has begun nonetheless, so that days never run backwards.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._starts: dict[date, datetime] = {}

    def start(self, day: date) -> datetime:
        """The instant at which ``day`` starts, in UTC."""
        found = self._starts.get(day)
        if found is None:
            found = self._starts[day] = self._find_start(day)
        return found

    def day(self, instant: datetime) -> date:
        """The day that an aware ``instant`` belongs to."""
        day = instant.astimezone(self._zone).date()
        tomorrow = day + timedelta(days=1)
        return tomorrow if instant >= self.start(tomorrow) else day

    def _find_start(self, day: date) -> datetime:
        midnight = datetime.combine(day, time(), tzinfo=self._zone)
        first = midnight.astimezone(timezone.utc)
        second = midnight.replace(fold=1).astimezone(timezone.utc)
        if first <= second:  # one midnight, or two of which the first counts
            return first
        # Clocks were set forward over midnight: `second` is before the change, `first` at it or after it.
        while first - second > _SECOND:
            middle = second + (first - second) // 2
            if middle.astimezone(self._zone).date() >= day:
                first = middle
            else:
                second = middle
        return first.replace(microsecond=0)


def load_zone(name: Any) -> tzinfo:
    """Find a time zone by its IANA name. UTC needs no time zone database.

    :raises ConfigError: the name is unknown, or this host has no time zone database.
    """
    if name == "UTC":
        return timezone.utc
    from zoneinfo import ZoneInfo

    try:
        if isinstance(name, str) and name:
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; not a relative path; a directory such as "Europe"
        pass
    try:
        ZoneInfo("UTC")
    except (KeyError, OSError):
        raise ConfigError(
            "use",
            f"time zone {name!r}",
            "this host has no time zone database",
            "Install the package tzdata (with apt, dnf or pip, the name is the same), or use UTC.",
            timezone=name,
        ) from None
    raise ConfigError(
        "use",
        f"time zone {name!r}",
        "it is not a name of the IANA time zone database",
        "Give a name such as Europe/Berlin or UTC; `timedatectl list-timezones` lists them.",
        timezone=name,
    )


@dataclass(frozen=True)
class RetentionPolicy:
    """How long backups are kept, in calendar days of ``zone``.

    :param minimum: how many of the newest are kept whatever their age.
    :param periods: by tier for what is sound, by state for what is not.
    """

    timezone: str
    zone: tzinfo
    minimum: int
    periods: Mapping[str, Period]

    @classmethod
    def from_config(cls, raw: Mapping[str, Any]) -> RetentionPolicy:
        """Validate the ``retention`` object of a configuration; what is absent or null has its default.

        :raises ConfigError: an unknown key, period or time zone, a floor below 1, or nothing would be kept.
        """
        unknown = sorted(str(key) for key in raw if key not in DEFAULTS)
        if unknown:
            raise _refused(f"it has unknown keys {unknown}", f"Known keys: {', '.join(DEFAULTS)}.")
        values = {**DEFAULTS, **{key: value for key, value in raw.items() if value is not None}}
        minimum = values["minimum"]
        if isinstance(minimum, bool) or not isinstance(minimum, int) or minimum < 1:
            raise _refused(f"minimum is {minimum!r}", "Give a whole number of at least 1.")
        periods = {name: _period(name, values[name]) for name in (*TIERS, "failed")}
        periods["corrupt"] = periods["failed"]
        if all(periods[tier].keeps_nothing for tier in TIERS):
            raise _refused(
                "every tier has a period of 0, so it would keep nothing but the floor",
                f"Give at least one of {', '.join(TIERS)} a longer period.",
            )
        return cls(values["timezone"], load_zone(values["timezone"]), minimum, periods)


def _period(name: str, text: Any) -> Period:
    try:
        return Period.parse(text)
    except ValueError as error:
        raise _refused(f"{name}: {error}", f"Give {GRAMMAR}.") from None


def _refused(reason: str, next_step: str) -> ConfigError:
    return ConfigError("use", "retention policy", reason, next_step)
