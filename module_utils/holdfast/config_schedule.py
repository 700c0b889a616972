# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When backups and drills are taken: the ``schedule`` object of a cluster's configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta, tzinfo
from datetime import timezone as fixed_zone
from typing import Any, Optional

from .config_reader import Reader
from .repository.periods import load_zone

BACKENDS = ("cron", "systemd", "none")
#: The jobs that fall due by the calendar. A tier's job is a backup.
TIER_JOBS = ("daily", "weekly", "monthly")
JOBS = (*TIER_JOBS, "drill")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LAST = "last"
IO_CLASSES = ("none", "best-effort", "idle")
_AT = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_DEFAULTS: Mapping[str, tuple[str, Any]] = {
    "daily": ("02:30", None), "weekly": ("02:30", "sunday"), "monthly": ("02:30", 1), "drill": ("04:30", "wednesday"),
}  # fmt: skip
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class Job:
    """One job of the calendar.

    :param at: wall clock of the schedule's zone, before the jitter.
    :param weekday: 0 is Monday; None: not by the week.
    :param monthday: 1 to 28, or 0 for the last day of the month; None: not by the month.
    """

    name: str
    at: time
    weekday: Optional[int] = None
    monthday: Optional[int] = None

    @property
    def interval(self) -> timedelta:
        """The shortest time between two of its runs."""
        return timedelta(
            days=1 if self.weekday is None and self.monthday is None else 7 if self.monthday is None else 28
        )


@dataclass(frozen=True)
class ScheduleOptions:
    """When, and with how much of the machine.

    :param backend: who starts runs; ``none``: nobody, there is no schedule.
    :param jitter: minutes; each machine and cluster takes its own share of it, always the same one.
    :param jobs: those that are enabled, by name.
    :param together: minutes; a tier that falls due within them after another is served by the same backup.
    :param grace: minutes after which what was due and is not done counts as missed.
    :param backup_limit: minutes that a backup may take until it is ended; ``drill_limit``: a drill.
    :param nice: 0 to 19; ``io_class`` of ionice.
    :param cron_dir: where cron finds the files of packages.
    """

    backend: str = "none"
    timezone: str = "UTC"
    zone: tzinfo = fixed_zone.utc
    jitter: int = 30
    jobs: Mapping[str, Job] = field(default_factory=dict)
    together: int = 60
    grace: int = 120
    backup_limit: int = 720
    drill_limit: int = 720
    nice: int = 10
    io_class: str = "best-effort"
    cron_dir: str = "/etc/cron.d"

    @classmethod
    def from_config(cls, raw: Mapping[str, Any], where: str, usual_zone: str = "UTC") -> ScheduleOptions:
        """Read the ``schedule`` object of a configuration.

        :param where: what to call the configuration in a message.
        :param usual_zone: that of the retention, in whose days backups are counted.
        :raises ConfigError: an unknown key, or a value of the wrong type or out of range.
        """
        known = set(cls.__dataclass_fields__) - {"zone", "jobs"} | set(JOBS)
        read = Reader(raw, where, "schedule", known)
        zone = read.text("timezone") or usual_zone
        jitter = read.whole("jitter", 30, 0, _DAY_MINUTES)
        jobs = {name: job for name in JOBS for job in [_job(name, read.mapping(name), jitter, where)] if job}
        return cls(
            backend=_one_of(read, "backend", BACKENDS, "none"), timezone=zone, zone=load_zone(zone), jitter=jitter,
            jobs=jobs, together=read.whole("together", 60, 0, 12 * 60), grace=read.whole("grace", 120, 1, 7 * _DAY_MINUTES),
            backup_limit=read.whole("backup_limit", 720, 1, 7 * _DAY_MINUTES),
            drill_limit=read.whole("drill_limit", 720, 1, 7 * _DAY_MINUTES),
            nice=read.whole("nice", 10, 0, 19), io_class=_one_of(read, "io_class", IO_CLASSES, "best-effort"),
            cron_dir=read.directory("cron_dir") or "/etc/cron.d",
        )  # fmt: skip


def _job(name: str, raw: Mapping[str, Any], jitter: int, where: str) -> Optional[Job]:
    usual_at, usual_day = _DEFAULTS[name]
    known = {"at", "enabled"} | ({"day"} if usual_day is not None else set())
    read = Reader(raw, where, f"schedule.{name}", known)
    if not isinstance(read.raw.get("enabled", True), bool):
        raise read.bad("enabled", "Give true or false.")
    found = _AT.fullmatch(str(read.raw.get("at", usual_at)))
    if found is None:
        raise read.bad("at", 'Give a time of day in quotes, such as "02:30".')
    at = time(int(found.group(1)), int(found.group(2)))
    if at.hour * 60 + at.minute + jitter >= _DAY_MINUTES:
        raise read.bad(
            "at",
            f"With schedule.jitter ({jitter} minutes) it could pass midnight: make it earlier, or the jitter smaller.",
        )
    day = read.raw.get("day", usual_day)
    if not read.raw.get("enabled", True):
        return None
    if name == "monthly":
        if day != LAST and (isinstance(day, bool) or not isinstance(day, int) or not 1 <= day <= 28):
            raise read.bad("day", "Give a day that every month has, 1 to 28, or last.")
        return Job(name, at, monthday=0 if day == LAST else day)
    if day is None:
        return Job(name, at)
    if not isinstance(day, str) or day.lower() not in WEEKDAYS:
        raise read.bad("day", f"Give one of {', '.join(WEEKDAYS)}.")
    return Job(name, at, weekday=WEEKDAYS.index(day.lower()))


def _one_of(read: Reader, key: str, choices: tuple[str, ...], usual: str) -> str:
    value = read.raw.get(key, usual)
    if value not in choices:
        raise read.bad(key, f"Give one of {', '.join(choices)}.")
    return str(value)
