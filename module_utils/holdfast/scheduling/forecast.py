# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a schedule and a retention make of each other: the restore points that there will be."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo

from ..repository.retention import Candidate, RetentionPolicy
from ..repository.retention import plan as plan_retention
from .times import Timetable

#: What a day shows of the backups of several tiers: that which is kept longest.
_LETTERS = (("monthly", "m"), ("weekly", "w"), ("daily", "d"))


def retained(table: Timetable, policy: RetentionPolicy, now: datetime, ahead: timedelta) -> list[Candidate]:
    """The backups that are kept after a time in which every run succeeded, oldest first.

    What is in the repository today is left out: it is over by then, or an operator has pinned it.
    """
    then = now + ahead
    points = [
        Candidate(f"{run.at:%Y%m%dT%H%M%SZ}", run.at, run.jobs, "complete")
        for run in table.runs(now, then)
        if run.jobs != ("drill",)
    ]
    kept = {decision.id for decision in plan_retention(points, policy, then).keep}
    return [point for point in points if point.id in kept]


def calendar(points: Iterable[Candidate], zone: tzinfo) -> list[str]:
    """Restore points as a calendar, a month a line: ``m`` monthly, ``w`` weekly, ``d`` daily."""
    months: dict[tuple[int, int], dict[int, str]] = {}
    for point in points:
        day = point.time.astimezone(zone).date()
        letter = next(letter for tier, letter in _LETTERS if tier in point.tiers)
        months.setdefault((day.year, day.month), {})[day.day] = letter
    if not months:
        return []
    lines = [
        f"         {''.join(f'{n:<10d}' if n else ' ' * 9 for n in (0, 10, 20, 30)).rstrip()}",
        f"         {'1234567890' * 3}1",
    ]
    year, month = min(months)
    while (year, month) <= max(months):
        days = months.get((year, month), {})
        marks = "".join(days.get(day, "·") for day in range(1, _length(year, month) + 1))
        lines.append(f"{year}-{month:02d}  {marks}")
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return lines


def _length(year: int, month: int) -> int:
    following = date(year + month // 12, month % 12 + 1, 1)
    return (following - timedelta(days=1)).day
