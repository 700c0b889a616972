# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring data back: into a new database, in the place of one, or a whole cluster.

select → preflight → plan → safety backup of what is there → restore beside → compare the fingerprint →
swap by rename. A failure before the swap leaves the target untouched; the swap is one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional

from ..config import ClusterConfig
from ..errors import ConfigError, HoldfastError
from ..postgres.properties import beside_name
from ..postgres.swap import Rename, TargetLock, drop, swap, way_back
from ..reporting.progress import Progress
from ..reporting.text import duration
from ..repository.manifest import Manifest, format_time
from ..repository.store import Entry, Repository
from ..system import System
from . import load
from .backup import BackupRequest, backup, override
from .catalogue import select, summary, time_of
from .context import Connected, connect, explained, open_repository
from .preflight import Check, check_backup, check_empty, check_server, check_target, check_tools, require_no_errors

MODES = ("new", "in_place", "whole_cluster")


@dataclass(frozen=True)
class RestoreRequest:
    """What is asked for.

    :param backup: an id, ``latest`` or ``latest_proven``.
    :param before: only backups taken at or before this instant.
    :param mode: ``new`` (into a database that does not exist), ``in_place`` or ``whole_cluster``.
    :param database: which one of the backup; None for a whole cluster.
    :param into: the new database's name (mode ``new``).
    :param confirm: the say-so: for ``in_place`` the database's name, for ``whole_cluster`` the cluster's.
    :param keep_replaced: keep the old database under a dated name.
    :param safety_backup: back up what is about to be replaced.
    :param compare: hold the restored data against the backup's fingerprint before the swap.
    :param analyze: gather the planner's statistics before the swap.
    """

    backup: str = "latest_proven"
    before: Optional[datetime] = None
    mode: str = "new"
    database: Optional[str] = None
    into: Optional[str] = None
    confirm: Optional[str] = None
    keep_replaced: bool = True
    safety_backup: bool = True
    compare: bool = True
    analyze: bool = True
    jobs: Optional[int] = None


@dataclass(frozen=True)
class Target:
    """One database of a restore: from which of the backup, under which name first, and finally."""

    database: str
    temporary: str
    name: str
    exists: bool
    aside: Optional[str]


@dataclass
class RestorePlan:
    """What a run will do, what was looked at, and what it will take."""

    entry: Entry
    mode: str
    targets: tuple[Target, ...]
    checks: list[Check]
    steps: list[str] = field(default_factory=list)

    @property
    def manifest(self) -> Manifest:
        assert self.entry.manifest is not None
        return self.entry.manifest

    @property
    def feasible(self) -> bool:
        """Whether no check found an error."""
        return not any(check.result == "error" for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON, for check mode and ``--dry-run``."""
        return {
            "backup": self.entry.id, "mode": self.mode, "feasible": self.feasible,
            "targets": [
                {"database": one.database, "name": one.name, "exists": one.exists, "kept_aside_as": one.aside} for one in self.targets
            ],
            "checks": [check.as_dict() for check in self.checks],
            "steps": self.steps,
        }  # fmt: skip


@explained("restore")
def plan(config: ClusterConfig, request: RestoreRequest, system: System) -> RestorePlan:
    """Decide what a restore would do, and look at everything that could stop it. Changes nothing.

    :raises NotFoundError: there is no such backup.
    :raises HoldfastError: the repository or the server cannot be reached.
    """
    repository = open_repository(config)
    return _plan(config, request, system, repository, connect(config, system, repository, "restore"))


@explained("restore")
def restore(config: ClusterConfig, request: RestoreRequest, system: System, progress: Progress) -> dict[str, Any]:
    """Restore.

    :returns: ``changed``, the plan, for each database its comparison, sizes and times, and ``rto``, ``rpo`` in seconds.
    :raises PreflightError: refused; nothing was touched.
    :raises VerificationError: the restored data differ from what was backed up; the target is as before.
    :raises RestoreError: anything else that failed; the target is as before.
    """
    began = system.now()
    repository = open_repository(config)
    connected = connect(config, system, repository, "restore")
    chosen = _plan(config, request, system, repository, connected)
    what = f"{request.database or config.cluster} from {chosen.entry.id}"
    require_no_errors(chosen.checks, what)
    _require_confirmation(config, request)
    with ExitStack() as stack:
        stack.enter_context(repository.reading(chosen.entry.id, "restore"))
        for target in chosen.targets:
            stack.enter_context(TargetLock(connected.server, target.name))
        safety = _safety_backup(config, request, chosen, system, progress)
        databases, ended = _restore_and_swap(config, request, chosen, repository, connected, system, progress)
    finished = system.now()
    result = {
        "changed": True, "backup": summary(chosen.entry, finished), "plan": chosen.as_dict(), "databases": databases,
        "safety_backup": safety, "sessions_ended": ended,
        "rto": round((finished - began).total_seconds(), 3), "rpo": round((began - time_of(chosen.entry)).total_seconds(), 3),
        "verdict": _verdict(databases),
    }  # fmt: skip
    if (
        result["verdict"] == "match"
        and len(databases) == len(chosen.manifest.facts["databases"])
        and chosen.entry.state == "complete"
    ):
        repository.mark(chosen.entry.id, "proof", {
            "verdict": "match", "time": format_time(finished), "by": f"restore ({chosen.mode})", "rto": result["rto"],
            "rows": sum(one["comparison"]["rows"] for one in databases),
        })  # fmt: skip
        result["backup"] = summary(repository.entry(chosen.entry.id), finished)
    progress.say(f"restored {what} in {duration((finished - began).total_seconds())}: {result['verdict']}")
    return result


def _plan(
    config: ClusterConfig, request: RestoreRequest, system: System, repository: Repository, connected: Connected
) -> RestorePlan:
    _check(request)
    entry = select(config, repository.entries(), request.backup, request.before, request.database)
    assert entry.manifest is not None
    names = [request.database] if request.database else [one["name"] for one in entry.manifest.facts["databases"]]
    present = {one["name"] for one in connected.server.databases()}
    tag = f"{system.now():%Y%m%dt%H%M%S}"
    targets = []
    for number, name in enumerate(names, 1):
        final = request.into or name if request.mode == "new" else name
        aside = beside_name(final, f"before_{tag}") if request.mode != "new" and final in present else None
        # Long names are cut, and two of them may begin alike: the number keeps them apart.
        beside = beside_name(final, f"restoring_{tag}" + (f"_{number}" if len(names) > 1 else ""))
        targets.append(Target(name, beside, final, final in present, aside))
    whole = request.mode == "whole_cluster"
    checks = check_backup(repository, entry, names, system)
    checks.append(check_tools(connected.tools, connected.server))
    checks += check_server(connected.server, entry.manifest, names, whole)
    if whole:
        checks += check_empty(connected.server)
    else:
        checks += check_target(connected.server, targets[0].name, targets[0].exists, request.mode == "in_place")
    newer = [
        one
        for one in repository.entries()
        if one.sound and not one.of_something_wrong and time_of(one) > time_of(entry)
    ]
    if newer and request.backup == "latest_proven" and request.before is None:
        checks.append(
            Check(
                "choice",
                "warning",
                f"{len(newer)} newer backups are not proven; the newest is {newer[-1].id}: choose 'latest' to use it",
            )
        )
    leftovers = sorted(name for name in present if "_restoring_" in name)
    if leftovers:
        checks.append(
            Check(
                "leftovers",
                "warning",
                f"a restore that died left {', '.join(map(repr, leftovers))}: drop them when no restore runs",
            )
        )
    chosen = RestorePlan(entry, request.mode, tuple(targets), checks)
    chosen.steps = _steps(request, chosen)
    return chosen


def _steps(request: RestoreRequest, chosen: RestorePlan) -> list[str]:
    steps = []
    if chosen.mode == "in_place" and chosen.targets[0].exists and request.safety_backup:
        steps.append(f"take a safety backup of database {chosen.targets[0].name!r}")
    if chosen.mode == "whole_cluster":
        steps.append("create roles and tablespaces from globals.sql; those that exist stay")
    for one in chosen.targets:
        steps.append(f"restore {one.database!r} of {chosen.entry.id} into a new database {one.temporary!r}")
    if request.compare:
        steps.append("compare the fingerprint of what was restored with the one of the backup")
    for one in chosen.targets:
        if one.aside:
            steps.append(f"rename {one.name!r} to {one.aside!r}, ending its sessions, and in the same transaction")
        steps.append(f"rename {one.temporary!r} to {one.name!r}")
        if one.aside:
            drops = chosen.mode == "whole_cluster" or not request.keep_replaced
            steps.append(f"drop {one.aside!r}" if drops else f"keep {one.aside!r} until somebody drops it")
    return steps


def _restore_and_swap(
    config: ClusterConfig, request: RestoreRequest, chosen: RestorePlan, repository: Repository, connected: Connected,
    system: System, progress: Progress,
) -> tuple[list[dict[str, Any]], int]:  # fmt: skip
    server, root = connected.server, repository.path_of(chosen.entry.id)
    jobs = request.jobs or config.backup.jobs
    databases: list[dict[str, Any]] = []
    expected = load.read_fingerprint(root)
    try:
        if chosen.mode == "whole_cluster":
            progress.say("creating roles and tablespaces")
            load.restore_globals(connected, root / "globals.sql", system)
        for one in chosen.targets:
            facts: Mapping[str, Any] = expected["databases"][one.database]
            held = chosen.manifest.database(one.database)
            assert held is not None
            job = load.Job(
                one.database, one.temporary, root / held["path"], facts, jobs, request.analyze, request.compare
            )
            databases.append(
                {
                    **load.restore_database(connected, job, system, progress),
                    "name": one.name,
                    "kept_aside_as": one.aside,
                }
            )
        progress.say("swapping names")
        ended = swap(server, [Rename(one.temporary, one.name, one.aside) for one in chosen.targets])
    except BaseException as error:
        left = load.drop_all(server, [one.temporary for one in chosen.targets])
        if isinstance(error, HoldfastError) and left:
            error.details["left_behind"] = left
        raise
    finally:
        server.place.close()
    for one, told in zip(chosen.targets, databases):
        if one.aside and (chosen.mode == "whole_cluster" or not request.keep_replaced):
            drop(server, one.aside)
            told["kept_aside_as"] = None
        elif one.aside:
            told["way_back"] = way_back(one.name, one.aside)
    return databases, ended


def _safety_backup(
    config: ClusterConfig, request: RestoreRequest, chosen: RestorePlan, system: System, progress: Progress
) -> Optional[str]:
    if chosen.mode != "in_place" or not request.safety_backup or not chosen.targets[0].exists:
        return None
    options = override(config.backup, databases=[chosen.targets[0].name])
    wanted = BackupRequest(("safety",), options=options, note=f"before the restore of {chosen.entry.id}")
    try:
        return str(backup(config, wanted, system, progress)["backup"]["id"])
    except HoldfastError as error:
        error.next_step += " To restore without it (the old database is kept aside all the same), set safety_backup to false (--no-safety-backup)."
        raise


def _verdict(databases: list[dict[str, Any]]) -> str:
    verdicts = {one["comparison"]["verdict"] for one in databases}
    return "match" if verdicts == {"match"} else "not_compared"


def _require_confirmation(config: ClusterConfig, request: RestoreRequest) -> None:
    expected = {"in_place": request.database, "whole_cluster": config.cluster}.get(request.mode)
    if expected is not None and request.confirm != expected:
        raise ConfigError(
            "restore",
            f"{request.mode.replace('_', ' ')}",
            f"it needs your say-so: confirm is {request.confirm!r}, not {expected!r}",
            f"Look at the plan (--dry-run, or check mode), then confirm with the name {expected!r}.",
        )


def _check(request: RestoreRequest) -> None:
    problems = {
        "new": not (request.database and request.into),
        "in_place": not request.database or request.into is not None,
        "whole_cluster": request.database is not None or request.into is not None,
    }
    if request.mode not in MODES or problems[request.mode]:
        raise ConfigError(
            "restore",
            "that",
            "it is not clear what goes where",
            "Give a database and the name of a new one (into), or a database and in_place, or whole_cluster alone.",
        )
    for name in (request.database, request.into):
        if name is not None and (not name or "\0" in name or len(name.encode("utf-8", "surrogateescape")) > 63):
            raise ConfigError(
                "restore", f"database {name!r}", "that cannot be a name of a database", "Give a name of 1 to 63 bytes."
            )
