# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When what is due, on this host: the timetable of a cluster, and where each of its jobs stands."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, Optional

from ..config import ClusterConfig
from ..errors import HoldfastError, PreflightError
from ..reporting.text import duration
from ..repository.evidence import Evidence
from ..repository.manifest import format_time, parse_time
from ..repository.periods import load_zone
from ..repository.store import Repository
from ..scheduling import backend, entries, forecast
from ..scheduling.due import Due, Point, due
from ..scheduling.state import RunState
from ..scheduling.times import Timetable, share_of_jitter
from ..system import System
from .catalogue import time_of
from .checks import Check
from .context import explained, open_repository

#: How many runs ``holdfast schedule`` shows, and how far it looks ahead for what is kept.
_SHOWN = 14
_YEAR = timedelta(days=365)
_LOCALTIME = "/etc/localtime"
_MACHINE_ID = Path("/etc/machine-id")
#: A run that took this share of its limit will soon be ended by it.
_NEAR = 0.8
#: Minutes that a run needs besides its backup and its drills: a prune, waiting for an operator's jobs, telling people.
_SLACK = 240


def timetable(config: ClusterConfig) -> Timetable:
    """The timetable of a cluster on this machine."""
    options = config.schedule
    return Timetable(options, share_of_jitter(_machine(), config.cluster, options.jitter))


def look(config: ClusterConfig, repository: Repository, system: System) -> Due:
    """What is due now.

    :raises RepositoryError: the catalogue cannot be read.
    """
    points = [
        Point(
            entry.id,
            time_of(entry),
            tuple(entry.known.facts["tiers"]),
            "drill" in entry.marks or entry.state == "proven",
        )
        for entry in repository.entries()
        if entry.sound and entry.manifest
    ]
    return due(timetable(config), points, _drills(repository), system.now(), repository.created)


@explained("show the schedule of")
def schedule(config: ClusterConfig, system: System) -> dict[str, Any]:
    """What will run, and what will be kept.

    :returns: the next ``runs``, where each of the ``jobs`` stands, and the ``calendar`` of what is kept in a year.
    """
    table, now = timetable(config), system.now()
    repository = open_repository(config)
    points = forecast.retained(table, config.retention, now, _YEAR)
    state = look(config, repository, system)
    return {
        "cluster": config.cluster, "backend": config.schedule.backend, "timezone": config.schedule.timezone,
        "jitter_seconds": int(table.shift.total_seconds()),
        "runs": [_run(table, one.at, one.jobs) for one in table.runs(now, now + timedelta(days=2 * _SHOWN))[:_SHOWN]],
        "jobs": [_job(one, now) for one in state.states],
        "checks": [check.as_dict() for check in feasibility(config, durations(config, repository))],
        "kept_on": format_time(now + _YEAR), "kept": len(points),
        "calendar": forecast.calendar(points, config.retention.zone),
    }  # fmt: skip


def lines(config: ClusterConfig, unit_dir: str, system: System) -> dict[str, Any]:
    """What cron or systemd is told, and what is wrong with it.

    :param unit_dir: where systemd looks for units.
    :returns: ``cron`` (fields of crontab(5)), ``calendar`` (OnCalendar=), names and places, what is ``left`` of another
        backend, and ``checks``.
    :raises PreflightError: it can never be met.
    """
    table, options = timetable(config), config.schedule
    found: Mapping[str, float] = {}
    try:
        found = durations(config, open_repository(config))
    except HoldfastError:
        found = {}  # There is no repository yet: nothing has been measured.
    checks = feasibility(config, found)
    errors = [check for check in checks if check.result == "error"]
    if errors:
        raise PreflightError(
            "schedule", f"the backups of cluster {config.cluster}", "; ".join(check.detail for check in errors),
            errors[0].next_step, checks=[check.as_dict() for check in checks],
        )  # fmt: skip
    cron = entries.cron_lines(table, machine_zone(), system.now()) if options.backend == "cron" else []
    minutes = config.monitor.interval if config.monitor.textfile is not None else None
    if cron and minutes is not None:
        cron.append(entries.CronLine(entries.METRICS, minute=f"*/{minutes}"))
    return {
        "cluster": config.cluster, "backend": options.backend, "cron": [line.as_dict() for line in cron],
        "cron_file": backend.cron_file(config.cluster), "cron_dir": options.cron_dir,
        "left": backend.leftovers(options, config.cluster, unit_dir),
        "alive": backend.alive(options, config.cluster, system),
        "calendar": entries.calendar_events(table) if options.backend == "systemd" else [],
        "unit": backend.unit_name(config.cluster), "metrics_minutes": minutes,
        "state_dir": str(config.state_dir / config.cluster), "nice": options.nice, "io_class": options.io_class,
        "limit_minutes": options.backup_limit + options.drill_limit * 2 + _SLACK,
        "checks": [check.as_dict() for check in checks],
        "warnings": [f"{check.detail}. {check.next_step}" for check in checks if check.result == "warning"],
    }  # fmt: skip


def durations(config: ClusterConfig, repository: Repository) -> dict[str, float]:
    """Seconds that the last backup and the last drill took, where there was one."""
    found: dict[str, float] = {}
    backups = [entry for entry in repository.entries() if entry.sound and entry.manifest]
    if backups:
        told = max(backups, key=time_of).known.facts
        found["backup"] = max(0.0, (parse_time(told["finished"]) - parse_time(told["started"])).total_seconds())
    evidence = Evidence(repository.path, repository.owner)
    for drill_id in reversed(evidence.ids()):
        try:
            found["drill"] = float(evidence.read(drill_id)["seconds"]["all"])
            break
        except (HoldfastError, KeyError):
            continue
    # A run that was ended, or failed, took that long at least.
    for name, last in RunState(config.state_dir, config.cluster).read().jobs.items():
        if name in ("backup", "drill"):
            found[name] = max(found.get(name, 0.0), float(last["seconds"]))
    return found


def feasibility(config: ClusterConfig, seconds: Mapping[str, float]) -> list[Check]:
    """Whether the schedule can be met, by how long its jobs took the last time."""
    options, checks = config.schedule, []
    if options.backend == "none":
        return [Check("schedule", "ok", "there is none")]
    tiers = [job for name, job in options.jobs.items() if name != "drill"]
    limits = {"backup": options.backup_limit * 60, "drill": options.drill_limit * 60}
    for name, limit in limits.items():
        took = seconds.get(name)
        if took is None:
            continue
        if took >= limit * _NEAR:
            result = "error" if took >= limit else "warning"
            text = f"the last {name} took {duration(took)}, and schedule.{name}_limit ends one after {duration(limit)}"
            checks.append(
                Check(f"{name}_limit", result, text, f"Raise schedule.{name}_limit, or make it faster (backup.jobs).")
            )
        jobs = tiers if name == "backup" else [job for job in options.jobs.values() if job.name == "drill"]
        shortest = min((job.interval for job in jobs), default=None)
        if shortest is not None and took >= shortest.total_seconds():
            text = f"the last {name} took {duration(took)}, longer than the {duration(shortest.total_seconds())} between two of them"
            checks.append(
                Check(f"{name}_interval", "error", text, "Take them less often, or make them faster (backup.jobs).")
            )
    return checks or [Check("schedule", "ok", "it can be met")]


def machine_zone() -> tzinfo:
    """The zone of this machine's clock, in which cron reads its file; UTC where it has none."""
    return _zone_of(os.environ.get("TZ"), _LOCALTIME)


@functools.lru_cache(maxsize=4)
def _zone_of(named: Optional[str], path: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    try:
        if named:
            return load_zone(named.lstrip(":"))
        with open(path, "rb") as stream:
            return ZoneInfo.from_file(stream)
    except (OSError, ValueError, HoldfastError):
        return timezone.utc


def _machine() -> str:
    """What tells this machine from others, and stays the same."""
    try:
        return _MACHINE_ID.read_text(encoding="ascii").strip() or platform.node()
    except (OSError, UnicodeDecodeError):
        return platform.node()


def _drills(repository: Repository) -> Sequence[datetime]:
    evidence = Evidence(repository.path, repository.owner)
    found = []
    # The newest ones are enough: no job looks further back than a month.
    for drill_id in evidence.ids()[-100:]:
        try:
            found.append(parse_time(evidence.read(drill_id)["started"]))
        except (HoldfastError, KeyError, ValueError):
            continue
    return found


def _run(table: Timetable, at: datetime, jobs: Sequence[str]) -> dict[str, Any]:
    local = at.astimezone(table.options.zone)
    return {"time": format_time(at), "local": f"{local:%a %Y-%m-%d %H:%M %Z}", "jobs": list(jobs)}


def _job(one: Any, now: datetime) -> dict[str, Any]:
    return {
        "job": one.job, "due": format_time(one.due), "next": format_time(one.next),
        "done": format_time(one.done) if one.done else None, "served": one.served, "missed": one.missed,
    }  # fmt: skip
