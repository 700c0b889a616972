# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove what the retention rules no longer need, and what dead processes left behind."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ..config import ClusterConfig
from ..errors import BusyError
from ..reporting.progress import Progress
from ..reporting.text import size
from ..repository.entry import Entry
from ..repository.lock import FileLock
from ..repository.manifest import NAME, format_time
from ..repository.retention import Candidate, RetentionPlan
from ..repository.retention import plan as plan_retention
from ..repository.store import Repository
from ..system import System
from .catalogue import time_of
from .context import explained, open_repository


@dataclass(frozen=True)
class PrunePlan:
    """The decisions of the retention planner, and the stale directories that go besides."""

    retention: RetentionPlan
    stale: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON: every backup with its action and the reason for it."""
        decisions = [
            {"id": one.id, "action": one.action, "rule": one.rule, "reason": one.reason}
            for one in self.retention.decisions
        ]
        return {
            "decisions": decisions,
            "keep": len(self.retention.keep),
            "delete": [one.id for one in self.retention.delete],
            "stale": list(self.stale),
            "freed": self.retention.freed,
        }

    def before_and_after(self) -> dict[str, str]:
        """Ansible's diff: each backup on a line, with the reason why it stays or goes."""
        lines = [(one.action, f"{one.id}  {one.reason}") for one in self.retention.decisions]
        before = [f"{name}  left by a process that died" for name in self.stale]
        return {
            "before": "".join(f"{text}\n" for text in before + [text for _action, text in lines]),
            "after": "".join(f"{text}\n" for action, text in lines if action == "keep"),
        }


@explained("prune")
def plan(config: ClusterConfig, system: System) -> PrunePlan:
    """Decide what a prune would remove, without removing anything.

    :raises RepositoryError: the repository cannot be read.
    """
    return _plan(config, system, open_repository(config))


@explained("prune")
def prune(config: ClusterConfig, system: System, progress: Progress) -> dict[str, Any]:
    """Remove what the plan says. A set that somebody began to read or pinned meanwhile is left.

    :returns: ``changed``, the plan, ``removed`` ids, ``left`` (id and why), ``freed`` bytes.
    :raises RepositoryError: something cannot be removed.
    """
    repository = open_repository(config)
    chosen = _plan(config, system, repository)
    removed, left = [], []
    for decision in chosen.retention.delete:
        progress.say(f"removing {decision.id}: {decision.reason}")
        try:
            repository.remove(decision.id)
            removed.append(decision.id)
        except BusyError as busy:
            left.append({"id": decision.id, "reason": busy.reason})
    stale = []
    for name in chosen.stale:
        # Looked at again under the lock: between plan and deed its name could have become a live one's.
        with repository.catalogue("prune"):
            still = name in repository.stale_partials()
        if still:
            progress.say(f"removing {name}: left by a process that died")
            repository.remove_stale(name)
            stale.append(name)
    sizes = {decision.id: decision.size for decision in chosen.retention.delete}
    freed = sum(sizes[one] for one in removed)
    progress.say(f"removed {len(removed)} backups and {len(stale)} leftovers, {size(freed)} freed")
    return {
        "changed": bool(removed or stale), **chosen.as_dict(), "removed": removed, "stale_removed": stale, "left": left, "freed": freed,
    }  # fmt: skip


def _plan(config: ClusterConfig, system: System, repository: Repository) -> PrunePlan:
    entries, now = repository.entries(), system.now()
    first = plan_retention([_candidate(entry, ()) for entry in entries], config.retention, now)
    read_now = [one.id for one in first.delete if _is_read(repository, one.id)]
    if read_now:
        first = plan_retention([_candidate(entry, read_now) for entry in entries], config.retention, now)
    with repository.catalogue("plan a prune"):
        stale = tuple(repository.stale_partials())
    return PrunePlan(first, stale)


def _candidate(entry: Entry, in_use: Collection[str]) -> Candidate:
    facts = entry.manifest.facts if entry.manifest else {}
    return Candidate(
        id=entry.id, time=time_of(entry), tiers=tuple(facts.get("tiers", (entry.id.split("-")[1],))), state=entry.state,
        pinned=entry.pinned, in_use=entry.id in in_use, size=int(facts.get("size", 0)),
    )  # fmt: skip


def _is_read(repository: Repository, backup_id: str) -> bool:
    path = repository.path_of(backup_id) / NAME
    if not path.exists():
        return False
    lock = FileLock(path, "look for readers")
    free = lock.try_acquire()
    lock.release()
    return not free


def describe(chosen: PrunePlan, config: ClusterConfig, system: System) -> str:
    """The plan for people, one line a backup."""
    head = f"retention of cluster {config.cluster} at {format_time(system.now())}, by the calendar of {config.retention.timezone}:"
    lines = [f"  {one.action:6}  {one.id}  {one.reason}" for one in chosen.retention.decisions]
    lines += [f"  {'delete':6}  {name}  left by a process that died" for name in chosen.stale]
    tail = f"keep {len(chosen.retention.keep)}, delete {len(chosen.retention.delete)} ({size(chosen.retention.freed)})"
    return "\n".join([head, *lines, tail])
