# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A timetable in the words of cron(8) and systemd.timer(5), which start the runs.

They only say when it is time to look: what a run does is decided by what is due. So a line may come up too often (where
the zone of the schedule is not that of the machine, which is all that cron knows), but never too seldom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Optional

from ..config_schedule import WEEKDAYS, Job
from .times import Timetable

#: Runs that no clock time starts: each hour, for what was missed, and at boot.
CATCH_UP, BOOT, METRICS = "catch-up", "boot", "metrics"
_FAR = timedelta(days=800)


@dataclass(frozen=True)
class CronLine:
    """One line of a cron file.

    :param special: ``reboot``, or None where the five fields count.
    """

    name: str
    minute: str = "*"
    hour: str = "*"
    day: str = "*"
    weekday: str = "*"
    special: Optional[str] = None

    def as_dict(self) -> dict[str, Any]:
        """``name``, and ``time`` as crontab(5) wants it: ``47 2 * * 0``, ``@reboot``."""
        fields = f"{self.minute} {self.hour} {self.day} * {self.weekday}"
        return {"name": self.name, "time": f"@{self.special}" if self.special else fields}


def cron_lines(table: Timetable, machine_zone: tzinfo, now: datetime) -> list[CronLine]:
    """The lines that start every job in time.

    :param machine_zone: that of the machine, in which cron reads them.
    :param now: aware; zones whose rules change later are looked at for two years.
    """
    lines = [_line(table, job, machine_zone, now) for job in table.options.jobs.values()]
    return [*lines, CronLine(CATCH_UP, minute=str(_catch_up_minute(table))), CronLine(BOOT, special="reboot")]


def calendar_events(table: Timetable) -> list[str]:
    """The same as ``OnCalendar=`` of a timer, which knows zones. Source: systemd.time(7)."""
    events = []
    for job in table.options.jobs.values():
        minutes = job.at.hour * 60 + job.at.minute + table.shift // timedelta(minutes=1)
        clock = f"{minutes // 60:02d}:{minutes % 60:02d}:00 {table.options.timezone}"
        weekday = f"{WEEKDAYS[job.weekday][:3].capitalize()} " if job.weekday is not None else ""
        day = "-*" if job.monthday is None else "~01" if job.monthday == 0 else f"-{job.monthday:02d}"
        events.append(f"{weekday}*-*{day} {clock}")
    return [*events, f"*-*-* *:{_catch_up_minute(table):02d}:00"]


def _line(table: Timetable, job: Job, zone: tzinfo, now: datetime) -> CronLine:
    instants = list(table.each(job, now, now + _FAR))
    if all(at.astimezone(zone).utcoffset() == at.astimezone(table.options.zone).utcoffset() for at in instants):
        # The same clock. What it leaves out in spring cron makes up for by itself, and so does the next hour's run.
        at = datetime.combine(now, job.at) + table.shift
        minutes, hours = {at.minute}, {at.hour}
        days = set(range(28, 32)) if job.monthday == 0 else {job.monthday or 0}
        weekdays = {((job.weekday or 0) + 1) % 7}
    else:
        local = [at.astimezone(zone) for at in instants]
        minutes, hours = {at.minute for at in local}, {at.hour for at in local}
        days, weekdays = {at.day for at in local}, {at.isoweekday() % 7 for at in local}
    return CronLine(
        job.name, minute=_field(minutes), hour=_field(hours), day=_field(days) if job.monthday is not None else "*",
        weekday=_field(weekdays) if job.weekday is not None else "*",
    )  # fmt: skip


def _field(values: set[int]) -> str:
    return ",".join(map(str, sorted(values)))


def _catch_up_minute(table: Timetable) -> int:
    """Half an hour away from the clock times, as far as they go together, and not the same on every machine."""
    first: Sequence[Job] = list(table.options.jobs.values())[:1]
    minutes = first[0].at.minute if first else 0
    return (minutes + 30 + table.shift // timedelta(minutes=1)) % 60
