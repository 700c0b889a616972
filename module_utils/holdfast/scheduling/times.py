# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a job is due: a pure calendar that reads no clock and no disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from ..config_schedule import TIER_JOBS, Job, ScheduleOptions

_DAY = timedelta(days=1)
#: No job has more days between two of its runs: a month and its neighbour, and a day for the zones.
_LONGEST = 64


@dataclass(frozen=True)
class Run:
    """What will happen at an instant: one backup of all tiers that are due together, or a drill.

    :param at: UTC.
    """

    at: datetime
    jobs: tuple[str, ...]


def share_of_jitter(machine: str, cluster: str, minutes: int) -> timedelta:
    """How much later than the wall clock says a cluster's jobs begin: always the same for a machine and a cluster.

    :param machine: what tells the machine from others of the fleet.
    :param minutes: the jitter; the result is less than or equal to it.
    """
    digest = hashlib.sha256(f"{machine}\n{cluster}".encode()).digest()
    return timedelta(minutes=int.from_bytes(digest[:8], "big") % (minutes + 1))


class Timetable:
    """The jobs of one cluster on one machine.

    :param shift: what :func:`share_of_jitter` says.
    """

    def __init__(self, options: ScheduleOptions, shift: timedelta) -> None:
        self.options = options
        self.shift = shift

    def previous(self, job: Job, now: datetime) -> datetime:
        """The last instant (UTC) up to ``now`` at which a job was due."""
        today = now.astimezone(self.options.zone).date() + _DAY
        return next(at for day in (today - _DAY * n for n in range(_LONGEST)) for at in self._at(job, day) if at <= now)

    def next(self, job: Job, now: datetime) -> datetime:
        """The first instant (UTC) after ``now`` at which a job is due."""
        today = now.astimezone(self.options.zone).date() - _DAY
        return next(at for day in (today + _DAY * n for n in range(_LONGEST)) for at in self._at(job, day) if at > now)

    def each(self, job: Job, since: datetime, until: datetime) -> Iterator[datetime]:
        """Every instant after ``since`` and up to ``until`` at which a job is due."""
        day = since.astimezone(self.options.zone).date() - _DAY
        last = until.astimezone(self.options.zone).date() + _DAY
        while day <= last:
            yield from (at for at in self._at(job, day) if since < at <= until)
            day += _DAY

    def runs(self, since: datetime, until: datetime) -> list[Run]:
        """All runs of a span, oldest first, if each of them succeeds: what falls due together is one."""
        found: list[Run] = []
        tiers = sorted(
            (at, TIER_JOBS.index(name)) for name in TIER_JOBS if name in self.options.jobs
            for at in self.each(self.options.jobs[name], since, until)
        )  # fmt: skip
        together = timedelta(minutes=self.options.together)
        while tiers:
            first = tiers[0][0]
            served = {index for at, index in tiers if at <= first + together}
            found.append(Run(first, tuple(TIER_JOBS[index] for index in sorted(served))))
            # Of a tier that is served, whatever falls due within that time is served with it.
            tiers = [(at, index) for at, index in tiers if at > first + together]
        if "drill" in self.options.jobs:
            found += [Run(at, ("drill",)) for at in self.each(self.options.jobs["drill"], since, until)]
        return sorted(found, key=lambda run: (run.at, run.jobs))

    def _at(self, job: Job, day: date) -> Iterator[datetime]:
        """The instant of a job on a day, if it is due on it.

        A time that the zone leaves out is taken as if the clocks had not been set forward yet; of one that it has
        twice, the first counts: once a day, whatever the clocks do. Of a day that the zone leaves out (Samoa's 30 December
        2011) a weekly or monthly job comes on the next one, and a daily job does not come: the next day has its own.
        """
        if job.weekday is not None and day.weekday() != job.weekday:
            return
        if job.monthday is not None and (day + _DAY if job.monthday == 0 else day).day != (job.monthday or 1):
            return
        local = datetime.combine(day, job.at, tzinfo=self.options.zone)
        at = local.astimezone(timezone.utc)
        daily = job.weekday is None and job.monthday is None
        if not daily or at.astimezone(self.options.zone).date() == day:
            yield at + self.shift
