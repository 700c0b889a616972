# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan a restore: what it would do, and everything that could stop it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional

from ..config import ClusterConfig
from ..errors import ConfigError
from ..postgres.properties import beside_name, is_being_restored
from ..repository.entry import Entry
from ..repository.manifest import Manifest
from ..repository.store import Repository
from ..system import System
from .catalogue import select, time_of
from .checks import Check
from .context import Connected, connect, explained, open_repository
from .preflight import check_backup, check_empty, check_server, check_target, check_tools

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
        """What the backup says of itself."""
        return self.entry.known

    def path_of(self, database: str) -> str:
        """Where the dump of a database is, relative to the backup."""
        return next(str(one["path"]) for one in self.manifest.facts["databases"] if one["name"] == database)

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
    return plan_with(config, request, system, repository, connect(config, system, repository, "restore"))


def plan_with(
    config: ClusterConfig, request: RestoreRequest, system: System, repository: Repository, connected: Connected
) -> RestorePlan:
    """The plan for a repository and a server that are at hand already.

    :raises NotFoundError: there is no such backup.
    """
    _check(request)
    entry = select(config, repository.entries(), request.backup, request.before, request.database)
    names = [request.database] if request.database else [one["name"] for one in entry.known.facts["databases"]]
    present = {one["name"] for one in connected.server.databases()}
    tag = f"{system.now():%Y%m%dt%H%M%S}"
    targets = []
    for name in names:
        final = request.into or name if request.mode == "new" else name
        aside = beside_name(final, f"before_{tag}") if request.mode != "new" and final in present else None
        # A name that is nobody's: long ones are cut and may begin alike, and a failure drops what has this name.
        beside = beside_name(final, f"restoring_{tag}_{system.token()}")
        targets.append(Target(name, beside, final, final in present, aside))
    whole = request.mode == "whole_cluster"
    checks = check_backup(repository, entry, names, system)
    checks.append(check_tools(connected.tools, connected.server))
    checks += check_server(connected.server, entry.known, names, whole)
    if whole:
        checks += check_empty(connected.server)
        if entry.known.facts["globals"].get("role_passwords") and config.access.passfile:
            text = "roles get the passwords of the backup: the passfile must hold that one of its account too, or the restore ends there"
            checks.append(Check("passwords", "warning", text))
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
    leftovers = sorted(name for name in present if is_being_restored(name))
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
