# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at a cluster: is there a backup, is it proved, does the schedule run, is there room, does the server do well?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Optional

from ..config import ClusterConfig
from ..config_monitor import Threshold
from ..reporting.text import duration, size
from ..repository.manifest import format_time, parse_time
from ..system import System
from .checks import Check, worst
from .context import explained
from .measure import Measured, measure

#: Exit codes of a plugin of Nagios. Source: Monitoring Plugins Development Guidelines, "Plugin Return Codes".
EXIT_CODES: Mapping[str, int] = {"ok": 0, "warning": 1, "error": 2}
UNKNOWN = 3
_HOUR, _DAY = 3600.0, 86400.0


@explained("look at")
def status(config: ClusterConfig, system: System) -> dict[str, Any]:
    """Look at a cluster.

    :returns: ``level`` (ok, warning, error), ``exit_code``, the ``checks``, and ``perfdata`` as pairs of name and text.
    """
    found = measure(config, system)
    look = _Look(config, found)
    level = worst(look.checks)
    return {
        "cluster": config.cluster, "time": format_time(found.now), "level": level, "exit_code": EXIT_CODES[level],
        "checks": [check.as_dict() for check in look.checks], "perfdata": look.perfdata,
    }  # fmt: skip


class _Look:
    """Holds what was measured against its thresholds, in the order in which people ask."""

    def __init__(self, config: ClusterConfig, found: Measured) -> None:
        self.checks: list[Check] = []
        self.perfdata: list[tuple[str, str]] = []
        self._config = config
        self._found = found
        self._thresholds = config.monitor.thresholds
        if "repository" in found.problems:
            error = found.problems["repository"]
            self._say("repository", "error", error.reason, error.next_step)
        else:
            self._backups()
            self._proof()
            self._repository()
        self._runs()
        self._told()
        self._schedule()
        self._server()
        self._volume()

    def _backups(self) -> None:
        found = self._found
        if found.newest is None:
            self._say("backup", "error", "there is no sound backup", "Take one: holdfast backup.")
            return
        age = self._age(found.newest["time"])
        told = f"the newest is {duration(age)} old, {size(found.newest['size'])}, taken in {duration(found.newest['seconds'])}"
        level = "ok"
        if self._config.schedule.backend == "none":
            level = self._thresholds["backup_age"].level(age / _HOUR)
        missed = [job for job in found.jobs if job.missed and job.job != "drill"]
        if missed:
            self._say(
                "backup", "error",
                "; ".join(f"{job.job} was due {format_time(job.due)} and is not done" for job in missed) + f"; {told}",
                "See below what keeps it, and the log of the runs; 'holdfast run' does it now.",
            )  # fmt: skip
        else:
            self._say("backup", level, told, "" if level == "ok" else "Take one: holdfast backup.")
        self._perf("backup_age", f"{age:.0f}s")
        self._perf("backup_size", f"{found.newest['size']}B")
        ratio = found.newest["ratio"]
        if ratio is not None:
            level = self._thresholds["size_ratio"].level(ratio * 100)
            if level != "ok":
                told = f"the newest backup has {ratio:.0%} of the usual size"
                self._say(
                    "size", level, told, "See whether somebody has emptied the database, before old backups are pruned."
                )
            self._perf("backup_size_ratio", f"{ratio * 100:.1f}%", self._thresholds["size_ratio"])

    def _proof(self) -> None:
        found = self._found
        if found.drills and found.drills[0]["verdict"] != "passed":
            drill = found.drills[0]
            self._say(
                "drill", "error", f"the last one found: {drill['reason']}", f"See 'holdfast drills {drill['id']}'."
            )
        missed = any(job.missed for job in found.jobs if job.job == "drill")
        if found.proven is None:
            level = "warning" if found.newest else "error"
            self._say(
                "proof",
                "error" if missed else level,
                "no backup was ever proved to restore",
                "Prove one: holdfast verify.",
            )
            return
        age = self._age(found.proven)
        level = self._thresholds["proven_age"].level(age / _DAY)
        if missed and level == "ok":
            level = "warning"
        told = f"the newest proven backup is {duration(age)} old" + (
            "; a drill was due and is not done" if missed else ""
        )
        self._say("proof", level, told, "" if level == "ok" else "Prove one: holdfast verify.")
        self._perf("proven_age", f"{age:.0f}s")
        proved = next((drill for drill in found.drills if drill["rto"] is not None), None)
        if proved:
            self._perf("rto", f"{proved['rto']:.0f}s")

    def _repository(self) -> None:
        found = self._found
        corrupt = found.states.get("corrupt", 0)
        kept = sum(found.states.values())
        self._room("repository", "repository_free", f"{kept} backups, {size(found.repository_bytes or 0)}")
        if corrupt:
            self._say(
                "integrity", "error", f"{corrupt} backups are corrupt", "See 'holdfast list', and the disk they lie on."
            )
        self._perf("backups", str(kept))

    def _runs(self) -> None:
        if self._found.running and self._found.runs.running:
            self._say("run", "ok", f"a run is going since {self._found.runs.running['started']}")
        failed = [last for last in self._found.runs.jobs.values() if not last["success"]]
        for last in failed:
            since = duration(self._age(parse_time(last["finished"])))
            self._say(last["job"], "error", f"the last run failed {since} ago: {last['reason']}", last["next_step"])

    def _told(self) -> None:
        if self._found.told is False:
            last = self._found.runs.told["last"]
            deaf = "; ".join(f"{one['channel']}: {one['reason']}" for one in last["channels"] if not one["ok"])
            self._say(
                "notify", "warning", f"not everybody could be told: {deaf}", "Mend it, then: holdfast notify --test."
            )

    def _schedule(self) -> None:
        found, options = self._found, self._config.schedule
        if options.backend == "none":
            self._say(
                "schedule",
                "warning",
                "there is none: nobody takes backups by himself",
                "Set holdfast_schedule.backend.",
            )
            return
        if not found.installed:
            self._say(
                "schedule",
                "error",
                f"{options.backend} does not have it: it was removed, or never there",
                "Run the schedule role.",
            )
        elif not found.alive:
            what = "no cron daemon runs" if options.backend == "cron" else "its timer is not active"
            self._say("schedule", "error", f"{what}: nothing starts the runs", "Start it, and see why it ended.")
        else:
            following = min(found.jobs, key=lambda job: job.next, default=None)
            told = f"next: {following.job} at {format_time(following.next)}" if following else "nothing is enabled"
            self._say("schedule", "ok" if following else "warning", told)

    def _server(self) -> None:
        told = self._found.server
        if told is None:
            error = self._found.problems["server"]
            self._say("server", "error", error.reason, error.next_step)
            return
        used, most = told["connections"], told["max_connections"]
        if used is not None and most:
            share = used / most * 100
            level = self._thresholds["connections"].level(share)
            text = f"it answers; {used:.0f} of {most:.0f} connections, {told['idle_in_transaction'] or 0:.0f} idle in a transaction"
            self._say("server", level, text, "" if level == "ok" else "See pg_stat_activity for who holds them.")
            self._perf("connections", f"{used:.0f}", most=most)
        for name, key, unit in (("transaction", "transaction_seconds", 60.0), ("lock", "lock_wait_seconds", 1.0)):
            value = told[key]
            if value is None:
                continue
            level = self._thresholds["transaction_age" if name == "transaction" else "lock_wait"].level(value / unit)
            if level != "ok":
                what = (
                    "the oldest transaction is open for" if name == "transaction" else "a session waits for a lock for"
                )
                self._say(
                    name,
                    level,
                    f"{what} {duration(value)}",
                    "See pg_stat_activity and pg_locks; end it with pg_terminate_backend.",
                )
            self._perf(f"{name}_age", f"{value:.0f}s")
        if told["wal_bytes"] is not None:
            self._perf("wal", f"{told['wal_bytes']:.0f}B")

    def _volume(self) -> None:
        if "volume" in self._found.disks:
            told = (self._found.server or {}).get("databases_bytes")
            self._room("volume", "volume_free", f"{size(int(told))} of databases" if told is not None else "")

    def _room(self, disk: str, threshold: str, told: str) -> None:
        total, free = self._found.disks[disk]
        share = free / total * 100 if total else 0.0
        level = self._thresholds[threshold].level(share)
        text = ", ".join(part for part in (told, f"{size(free)} free ({share:.0f} %)") if part)
        self._say(disk, level, text, "" if level == "ok" else "Free space there, or give it more.")
        self._perf(f"{disk}_free", f"{share:.1f}%", self._thresholds[threshold])

    def _say(self, name: str, level: str, detail: str, step: str = "") -> None:
        self.checks.append(Check(name, level, detail, step))

    def _perf(self, name: str, value: str, threshold: Optional[Threshold] = None, most: Optional[float] = None) -> None:
        """One value. Source: Monitoring Plugins Development Guidelines, "Performance data"."""
        text = f"{name}={value};{threshold.nagios() if threshold else ';'};;{f'{most:g}' if most else ''}"
        self.perfdata.append((name, text.rstrip(";")))

    def _age(self, time: datetime) -> float:
        return max(0.0, (self._found.now - time).total_seconds())
