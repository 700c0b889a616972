# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry out what is due: one backup for all tiers that are, a prune after it, and drills.

Each job is a process of its own, of this very program: one that hangs is ended at its limit, one that the kernel ends
is noticed, and all of them go when this one does. What came of them is remembered and told.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Optional

from ..config import ClusterConfig
from ..errors import BusyError, ConfigError, HoldfastError, RepositoryError, RunError
from ..reporting.notify_event import Ended
from ..reporting.progress import Progress
from ..reporting.text import duration
from ..repository.manifest import format_time
from ..scheduling.due import Due
from ..scheduling.state import RunFacts, RunState
from ..system import Command, System
from . import notify
from .context import open_repository, reach
from .schedule import look

#: Programs are asked to end; those that do not are ended after these seconds.
_GRACE = 60
#: Seconds that a job waits for one of an operator's to end.
_WAIT = 3600
_SETTLE_POLL = 2.0
_PRUNE_LIMIT = 60
_IO_CLASS = {"best-effort": ["-c", "2", "-n", "7"], "idle": ["-c", "3"]}


@dataclass(frozen=True)
class RunRequest:
    """What is asked for.

    :param settle: seconds to wait for the server to answer, at boot.
    """

    settle: float = 0.0


@dataclass
class Outcome:
    """How one job ended, as JSON: ``job``, ``started``, ``finished``, ``seconds``, ``success`` and so on."""

    job: str
    started: datetime
    finished: datetime
    success: bool
    exit_code: Optional[int] = None
    reason: str = ""
    next_step: str = ""
    result: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """What is remembered of it."""
        ids = [one["id"] for one in (self.result.get("backup"), *self.result.get("drills", ())) if one]
        return {
            "job": self.job, "started": format_time(self.started), "finished": format_time(self.finished),
            "seconds": round(max(0.0, (self.finished - self.started).total_seconds()), 3), "success": self.success,
            "exit_code": self.exit_code, "reason": self.reason, "next_step": self.next_step, "ids": ids,
        }  # fmt: skip


def plan(config: ClusterConfig, system: System) -> dict[str, Any]:
    """What a run would do now.

    :raises ConfigError: there is no schedule.
    """
    _require_schedule(config)
    return {"changed": False, "plan": planned(look(config, open_repository(config), system))}


def run(config: ClusterConfig, request: RunRequest, system: System, progress: Progress) -> dict[str, Any]:
    """Carry out what is due.

    :returns: ``changed``, the ``outcomes``, and ``reason`` where there was nothing to do.
    :raises ConfigError: there is no schedule.
    :raises RunError: a job failed; it was told to whom it may concern.
    """
    _require_schedule(config)
    state = RunState(config.state_dir, config.cluster)
    lock = state.lock()
    try:
        lock.acquire()
    except BusyError as error:
        return {"changed": False, "reason": error.reason, "outcomes": []}
    try:
        return _Run(config, request, state, system, progress).all()
    finally:
        lock.release()


def planned(found: Due) -> list[str]:
    """What is due, in words."""
    steps = [f"a backup ({', '.join(found.tiers)}), then a prune"] if found.tiers else []
    steps += ["a drill of the weekly backup"] if found.drill_ids or "weekly" in found.tiers else []
    steps += ["a drill of the newest backup"] if found.drill_newest else []
    return steps


class _Run:
    def __init__(
        self, config: ClusterConfig, request: RunRequest, state: RunState, system: System, progress: Progress
    ) -> None:
        self.config = config
        self.request = request
        self.options = config.schedule
        self.state = state
        self.facts: RunFacts = state.read()
        self.outcomes: list[Outcome] = []
        self._unsaved: Optional[RepositoryError] = None
        self._system = system
        self._progress = progress

    def all(self) -> dict[str, Any]:
        """Everything that is due."""
        self._settle()
        self.facts.running = {"started": format_time(self._system.now()), "pid": os.getpid()}
        self._save()
        try:
            self._jobs()
        finally:
            self.facts.running = None
            self._save()
        failed = [one for one in self.outcomes if not one.success]
        if self._unsaved and not failed:
            raise RunError(
                "remember", f"what was done of cluster {self.config.cluster}", self._unsaved.reason, self._unsaved.next_step,
                outcomes=[one.as_dict() for one in self.outcomes],
            ) from self._unsaved  # fmt: skip
        if failed:
            raise RunError(
                "do", f"what is due of cluster {self.config.cluster}", "; ".join(f"{one.job}: {one.reason}" for one in failed),
                failed[0].next_step, outcomes=[one.as_dict() for one in self.outcomes],
            )  # fmt: skip
        reason = "" if self.outcomes else "nothing is due"
        return {"changed": bool(self.outcomes), "reason": reason, "outcomes": [one.as_dict() for one in self.outcomes]}

    def _jobs(self) -> None:
        found = self._look()
        if found is None:
            return
        if found.tiers:
            tiers = [word for tier in found.tiers for word in ("--tier", tier)]
            # What is kept for months holds everything, whatever the daily ones leave out.
            whole = ["--comprehensive"] if {"weekly", "monthly"} & set(found.tiers) else []
            note = ["--note", "scheduled"]
            notify.ping(self.config, "start", self._system)
            taken = self._child("backup", [*tiers, *whole, *note, "--wait", str(_WAIT)], self.options.backup_limit)
            if not taken.success:
                # Nothing is removed while nothing new came, and what fails now is told once, not in three ways.
                return
            self._child("prune", [], _PRUNE_LIMIT)
            found = self._look() or found
        newest = found.drill_newest
        for backup_id in found.drill_ids:
            self._child("drill", [backup_id, "--who", "schedule", "--wait", str(_WAIT)], self.options.drill_limit)
            newest = newest and not self.outcomes[-1].success
        if newest:
            self._child("drill", ["--latest", "--who", "schedule", "--wait", str(_WAIT)], self.options.drill_limit)

    def _look(self) -> Optional[Due]:
        """What is due; None where the repository cannot be read, which is a failure of the backup."""
        began = self._system.now()
        try:
            return look(self.config, open_repository(self.config), self._system)
        except HoldfastError as error:
            self._remember(
                Outcome("backup", began, self._system.now(), False, error.exit_code, error.reason, error.next_step)
            )
            return None

    def _child(self, job: str, arguments: Sequence[str], limit: int) -> Outcome:
        """Run one command of this program.

        :param limit: minutes until it is ended.
        """
        verb = "verify" if job == "drill" else job
        self._progress.say(f"{job}: {' '.join(arguments)}".rstrip(": "))
        began = self._system.now()
        running = self._system.start(self._command(verb, arguments))
        ended = False
        try:
            if not running.wait(limit * 60):
                ended = True
                running.stop(_GRACE)
        except BaseException:
            running.stop(_GRACE)
            raise
        done = running.finish()
        self._progress.relay(done.stderr)
        told = _last_json(done.stdout)
        success = done.returncode == 0
        reason = "" if success else str(told.get("reason") or told.get("msg") or done.last_error)
        step = "" if success else str(told.get("next_step", ""))
        if ended:
            reason = f"it was ended after {duration(limit * 60)} (schedule.{job}_limit): it hung, or needs longer"
            step = "See what it waited for in the log of its runs; raise the limit if it needs the time."
        outcome = Outcome(job, began, self._system.now(), success, done.returncode, reason, step, told)
        self._remember(outcome)
        return outcome

    def _command(self, verb: str, arguments: Sequence[str]) -> Command:
        argv = [sys.executable, "-m", __name__.split(".", maxsplit=1)[0], verb, *arguments]
        argv += ["--json", "--cluster", self.config.cluster]
        if self.config.source is not None:
            argv += ["--config-dir", str(self.config.source.parent)]
        if self.options.nice and shutil.which("nice"):
            argv = ["nice", "-n", str(self.options.nice), *argv]
        if self.options.io_class in _IO_CLASS and shutil.which("ionice"):
            argv = ["ionice", "-t", *_IO_CLASS[self.options.io_class], *argv]
        # The directory, or the one file, that this program was started from.
        root = str(Path(__file__).parents[2])
        inherited = os.environ.get("PYTHONPATH")
        return Command(argv, {"PYTHONPATH": f"{root}:{inherited}" if inherited else root})

    def _remember(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.facts.jobs[outcome.job] = outcome.as_dict()
        self.facts.pruned += len(outcome.result.get("removed", ())) if outcome.job == "prune" and outcome.success else 0
        self._save()
        self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        """Tell whoever is to be told; that it cannot be told is no failure of what was done."""
        details = {
            name: value for name, value in outcome.as_dict().items() if name not in ("job", "reason", "next_step")
        }
        ended = Ended(
            self.config.cluster,
            notify.host_name(),
            outcome.job,
            outcome.success,
            outcome.reason,
            outcome.next_step,
            details,
        )
        remembered, told = notify.tell(self.config, ended, self.facts.told.get("series"), self._system)
        if outcome.job == "backup":
            # A backup is what must not stay away in silence; the reason of a failure goes with it.
            pinged = notify.ping(self.config, "success" if outcome.success else "fail", self._system, outcome.reason)
            told = [*told, pinged] if pinged else told
        self.facts.told["series"] = remembered
        for one in told:
            if not one.ok:
                self._progress.say(f"cannot tell {one.channel}: {one.reason}")
        if told:
            self.facts.told["last"] = {
                "time": format_time(self._system.now()),
                "channels": [one.as_dict() for one in told],
            }
        self._save()

    def _save(self) -> None:
        """Remember; where that cannot be done, a backup is worth more than what is remembered of it."""
        try:
            self.state.write(self.facts)
        except RepositoryError as error:
            self._unsaved = error
            self._progress.say(str(error))

    def _settle(self) -> None:
        """Give the server time to come up, at boot; if it does not, that is the backup's failure to tell."""
        until = time.monotonic() + self.request.settle
        while time.monotonic() < until:
            try:
                reach(self.config, self._system, open_repository(self.config), "run").place.close()
                return
            except HoldfastError:
                time.sleep(_SETTLE_POLL)


def _require_schedule(config: ClusterConfig) -> None:
    if config.schedule.backend == "none" or not config.schedule.jobs:
        raise ConfigError(
            "run", f"what is due of cluster {config.cluster}", "it has no schedule",
            "Set holdfast_schedule.backend to cron or systemd and run the schedule role, or take a backup with 'holdfast backup'.",
        )  # fmt: skip


def _last_json(text: str) -> dict[str, Any]:
    for line in reversed(text.splitlines()):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}
