# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done now: decided from what is in the catalogue, never from what somebody meant to do.

A tier that was due is served by a sound backup of it that was taken since; a drill by its evidence. So a machine that
was off catches up once, a failure is tried again, and nothing has to remember anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Optional

from ..config_schedule import JOBS, TIER_JOBS
from .times import Timetable


@dataclass(frozen=True)
class Point:
    """A sound backup, as far as the schedule is concerned.

    :param drilled: a drill has looked at it.
    """

    id: str
    time: datetime
    tiers: tuple[str, ...]
    drilled: bool


@dataclass(frozen=True)
class JobState:
    """Where one job stands.

    :param due: when it was last due; ``next``: when it is due again.
    :param done: when it was last done; None: never.
    """

    job: str
    due: datetime
    next: datetime
    done: Optional[datetime]
    served: bool
    missed: bool


@dataclass(frozen=True)
class Due:
    """What a run has to do.

    :param tiers: of the one backup that serves them; empty: none is due.
    :param drill: ids of backups whose drill is due; ``newest`` where the schedule asks for the newest.
    """

    tiers: tuple[str, ...]
    drill_newest: bool
    drill_ids: tuple[str, ...]
    states: tuple[JobState, ...]

    @property
    def anything(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.tiers or self.drill_newest or self.drill_ids)


def due(table: Timetable, points: Sequence[Point], drills: Sequence[datetime], now: datetime, since: datetime) -> Due:
    """Decide what has to be done.

    :param points: the sound backups; ``drills``: when each drill began that there is evidence of.
    :param now: aware. What comes from the future proves nothing.
    :param since: when the repository was made: what was due before is to be done, but nobody has missed it.
    """
    done: Mapping[str, list[datetime]] = {
        **{tier: [one.time for one in points if tier in one.tiers and one.time <= now] for tier in TIER_JOBS},
        "drill": [time for time in drills if time <= now],
    }
    states = tuple(_state(table, name, done[name], now, since) for name in JOBS if name in table.options.jobs)
    open_jobs = [one.job for one in states if not one.served]
    tiers = [one for one in TIER_JOBS if one in open_jobs]
    if tiers:
        # What falls due soon is served by the same backup.
        soon = now + timedelta(minutes=table.options.together)
        tiers = [one.job for one in states if one.job in TIER_JOBS and (not one.served or one.next <= soon)]
    weekly = [one for one in points if "weekly" in one.tiers and one.time <= now]
    newest = max(weekly, key=lambda one: one.time, default=None)
    # The comprehensive backup is proved at once, and not only on the day of the drill.
    ids = (newest.id,) if newest and not newest.drilled and "weekly" in table.options.jobs else ()
    return Due(tuple(tiers), "drill" in open_jobs, ids, states)


def _state(table: Timetable, name: str, done: Sequence[datetime], now: datetime, since: datetime) -> JobState:
    options = table.options
    job = options.jobs[name]
    was_due, then = table.previous(job, now), table.next(job, now)
    last = max(done, default=None)
    early = timedelta(minutes=options.together)
    served = last is not None and last >= was_due - early
    missed = not served and now - max(was_due, min(since, now)) > timedelta(minutes=options.grace)
    return JobState(name, was_due, then, last, served, missed)
