# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan a deployment: what it would do, and everything that could stop it. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Optional

from ..config import ClusterConfig
from ..errors import ConfigError, GuardError, PreflightError
from ..postgres import engine
from ..postgres.access import ContainerAccess
from ..postgres.throwaway_container import storage
from ..reporting.text import duration
from ..repository.entry import Entry
from ..repository.records import UNFINISHED, Deployments
from ..repository.store import Repository
from ..services import migration as migrating
from ..services.options import DeployOptions
from ..services.replace import Change, names
from ..system import System
from . import backup as backups
from .catalogue import time_of
from .checks import Check, check_space
from .context import explained, open_repository
from .deploy_target import Target, Wanted, find_target
from .guard import guard
from .guard_survey import GuardRequest

#: Of the databases' size, where no earlier backup says how much of it a backup takes.
_USUAL_SHARE = 0.5
_SPACE_FACTOR = 1.2
#: A throwaway server needs this much besides the data: WAL, and what initdb makes.
_THROWAWAY_BYTES = 512 << 20


@dataclass(frozen=True)
class DeployRequest:
    """What is asked for.

    :param options: how services are deployed, in the place of the cluster's own options.
    :param if_older_than: take no backup while a proven one is younger than this.
    :param recreate: the cluster's name, if its database's container may be recreated as the compose files say.
    :param who: who deploys, for the record.
    :param wait: seconds to wait for another deployment, and for a backup that is being taken.
    """

    wanted: Wanted = field(default_factory=Wanted)
    options: Optional[DeployOptions] = None
    if_older_than: Optional[timedelta] = None
    recreate: Optional[str] = None
    who: str = ""
    note: str = ""
    wait: float = 0.0


@dataclass(frozen=True)
class DeployPlan:
    """What a run would do.

    :param identity: of the database's server, before.
    :param existing: a proven backup that serves; None means that one is taken.
    :param recreates: whether the database's container is recreated, because that was asked for by name.
    :param unfinished: the record of an earlier deployment that never ended.
    """

    target: Target
    options: DeployOptions
    checks: Sequence[Check]
    identity: Mapping[str, Any]
    existing: Optional[Entry]
    recreates: bool
    unfinished: Optional[Mapping[str, Any]]

    @property
    def changes(self) -> tuple[Change, ...]:
        """Those services that are changed, in their order."""
        return tuple(change for change in self.target.changes if change.action != "none")

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.changes) or self.recreates

    @property
    def migrates(self) -> bool:
        """Whether migrations are rehearsed and run."""
        return self.options.migrate is not None and bool(self.changes)

    @property
    def restores(self) -> bool:
        """Whether the backup is restored into a throwaway server."""
        return self.migrates or self.recreates

    @property
    def feasible(self) -> bool:
        """Whether nothing forbids it."""
        return all(check.result != "error" for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON, for check mode and ``--dry-run``."""
        return {
            "project": self.target.project.name,
            "action": "deploy" if self.needed else "none",
            "feasible": self.feasible,
            "checks": [check.as_dict() for check in self.checks],
            "services": [change.as_dict() for change in self.target.changes],
            "backup": self.existing.id if self.existing else None,
            "steps": self.steps() if self.needed else [],
        }

    def steps(self) -> list[str]:
        """What would be done, in order, one sentence each."""
        migrate, cluster = self.options.migrate, str(self.identity.get("container") or "")[:12]
        steps = [f"pull {change.service.image}" for change in self.changes if change.image_id is None]
        steps.append(f"see that the data are where they should be, and remember that the server is container {cluster}")
        if self.existing is not None:
            steps.append(f"use backup {self.existing.id}, which is proven and young enough")
        else:
            steps.append("take a backup (tier predeploy); without one, nothing goes on")
        if self.restores:
            steps.append(
                "restore that very backup into a throwaway server of the same image, and compare its fingerprint"
            )
        if migrate is not None and self.migrates:
            command = " ".join(migrate.command) or "the image's own command"
            steps.append(f"rehearse the migrations there ({command}, image of service {migrate.service})")
        if self.recreates:
            steps.append(f"recreate the database's container, as {self.target.project.name}'s compose files say")
        if self.migrates and migrate is not None:
            steps.append(f"run the migrations on the database, waiting {migrate.lock_timeout} s at most for a lock")
        steps += [_sentence(change, self.options) for change in self.changes]
        health = self.options.health
        asked = [text for text in (health.url and "its address", health.sql and "the database") if text]
        if asked:
            steps.append(f"ask {' and '.join(asked)} whether all is well; if not, put the old containers back")
        steps.append("see that the database is the same container, not restarted, on the same volume")
        if self.options.unchanged:
            steps.append(f"see that these tables have as many rows as before: {', '.join(self.options.unchanged)}")
        if any(change.old for change in self.changes):
            steps.append("remove the old containers, and write the record")
        return steps


@explained("deploy")
def plan(config: ClusterConfig, request: DeployRequest, system: System) -> DeployPlan:
    """Decide what a deployment would do, without changing anything.

    :raises ConfigError: compose refuses the files, or what was asked for does not fit them.
    :raises HoldfastError: the repository, the engine or the server cannot be reached.
    """
    repository = open_repository(config)
    return plan_with(config, request, system, repository, Deployments(repository.path, repository.owner))


def plan_with(
    config: ClusterConfig, request: DeployRequest, system: System, repository: Repository, records: Deployments
) -> DeployPlan:
    """The plan for a repository that is at hand already."""
    access, options = container_access(config), request.options or config.deploy
    database = engine.find(access, system)
    target = find_target(access, database, options, request.wanted, system)
    checks, looked = _guard(config, request, target, system)
    checks += target.checks
    compose = looked.get("compose") or {}
    recreates = compose.get("action") == "recreate" and request.recreate == config.cluster
    chosen = DeployPlan(target, options, checks, looked.get("identity") or {}, None, recreates, _unfinished(records))
    checks += _check_migration(config, access, chosen, system)
    if chosen.unfinished is not None:
        checks.append(_tell_unfinished(config, chosen.unfinished))
    if not chosen.needed:
        return chosen
    # A database that is about to be recreated gets a backup of this moment, whatever there is.
    existing = None if recreates else _proven(repository, request, system)
    planned = backups.plan(config, backup_request(config, request), system)
    total = planned.dumps.size if planned.dumps else 0
    checks += _check_space(access, repository, total, existing is None, chosen.restores, system)
    if existing is not None:
        age = duration((system.now() - time_of(existing)).total_seconds())
        checks.append(Check("backup", "ok", f"{existing.id} is proven and {age} old: it serves"))
    return DeployPlan(target, options, checks, chosen.identity, existing, recreates, chosen.unfinished)


def require_feasible(chosen: DeployPlan) -> None:
    """Refuse to go on when something forbids it.

    :raises PreflightError: naming all of it.
    """
    errors = [check for check in chosen.checks if check.result == "error"]
    if errors:
        steps = dict.fromkeys(check.next_step for check in errors if check.next_step)
        raise PreflightError(
            "deploy",
            f"project {chosen.target.project.name}",
            "; ".join(f"{check.name}: {check.detail}" for check in errors),
            " ".join(["Nothing was touched.", *steps]),
            plan=chosen.as_dict(),
        )


def container_access(config: ClusterConfig) -> ContainerAccess:
    """How the database's container is found.

    :raises ConfigError: the database is not in a container.
    """
    if not isinstance(config.access, ContainerAccess):
        raise ConfigError(
            "deploy", f"applications of cluster {config.cluster}", "its server is not in a container",
            "Deployments are for compose projects. Take a backup (holdfast backup --tier predeploy), and deploy as you do.",
        )  # fmt: skip
    return config.access


def backup_request(config: ClusterConfig, request: DeployRequest) -> backups.BackupRequest:
    """The backup before a deployment."""
    return backups.BackupRequest(
        tiers=("predeploy",), note=request.note or "before a deployment", wait=request.wait, options=config.backup
    )


def _guard(
    config: ClusterConfig, request: DeployRequest, target: Target, system: System
) -> tuple[list[Check], Mapping[str, Any]]:
    """What the guard says of the data, and of what the project's files would do to the database."""
    files = target.project.files if target.database is not None else ()
    try:
        looked = guard(config, GuardRequest(files=files), system)
    except GuardError as error:
        looked = error.details
    checks = [Check("data", "ok", f"they are on volume {(looked.get('identity') or {}).get('volume')}")]
    told = looked.get("compose") or {}
    recreate = told.get("action") == "recreate" and not told.get("moves_data")
    for one in looked["checks"]:
        if one["check"] == "compose" and recreate:
            continue
        if one["result"] != "ok":
            checks.append(Check(one["check"], one["result"], one["detail"], one["next_step"]))
    if recreate:
        why = "; ".join(told.get("reasons", ()))
        if request.recreate == config.cluster:
            checks.append(Check("database", "warning", f"its container is recreated, as was asked for: {why}"))
        else:
            checks.append(Check(
                "database", "error", f"the compose files would recreate the database's container: {why}",
                "Take the change back; or have the database restart on purpose, after a backup that is proven first:"
                f" recreate={config.cluster} (--recreate-database {config.cluster}).",
            ))  # fmt: skip
    elif request.recreate is not None:
        checks.append(Check("database", "warning", "nothing would be recreated: the compose files fit what runs"))
    return checks, looked


def _check_migration(config: ClusterConfig, access: ContainerAccess, chosen: DeployPlan, system: System) -> list[Check]:
    migrate = chosen.options.migrate
    if migrate is None:
        return []
    checks = []
    known = [name for name in chosen.target.services if name != chosen.target.database]
    if migrate.service not in known:
        checks.append(Check(
            "migrations", "error", f"the project has no service {migrate.service}, only: {', '.join(known)}",
            "Correct deploy.migrate.service.",
        ))  # fmt: skip
    running = migrating.running_for(access, system, config.cluster)
    if running:
        checks.append(Check(
            "migrations", "error",
            f"a migration of an earlier deployment still runs in container {', '.join(one[:12] for one in running)}",
            f"Wait until it has ended ('{access.engine} logs -f {running[0][:12]}'), then run this again.",
        ))  # fmt: skip
    return checks


def _proven(repository: Repository, request: DeployRequest, system: System) -> Optional[Entry]:
    """The newest proven backup of everything that is young enough."""
    if request.if_older_than is None:
        return None
    found = [
        entry
        for entry in repository.entries()
        if entry.state == "proven"
        and not entry.of_something_wrong
        and entry.known.facts.get("scope") == "all"
        and timedelta(0) <= system.now() - time_of(entry) < request.if_older_than
    ]
    return max(found, key=time_of, default=None)


def _check_space(
    access: ContainerAccess, repository: Repository, total: int, takes: bool, restores: bool, system: System
) -> list[Check]:
    checks = []
    if takes:
        needed = int(total * _share(repository) * _SPACE_FACTOR)
        checks.append(check_space("backup", repository.path, needed, "Free space there (holdfast prune)."))
    where = storage(access, system) if restores else None
    if where is not None:
        needed = int(total * _SPACE_FACTOR) + _THROWAWAY_BYTES
        checks.append(check_space("rehearsal", Path(where), needed, f"Free space there ('{access.engine} system df')."))
    return checks


def _share(repository: Repository) -> float:
    """How much of the databases' size the last backup took."""
    for entry in reversed(repository.entries()):
        databases = [one.get("database_size") for one in entry.manifest.facts["databases"]] if entry.manifest else []
        if entry.sound and databases and all(databases):
            return float(entry.known.facts["size"] / sum(databases))
    return _USUAL_SHARE


def _unfinished(records: Deployments) -> Optional[Mapping[str, Any]]:
    latest = records.latest()
    return latest if latest is not None and latest["state"] in UNFINISHED else None


def _tell_unfinished(config: ClusterConfig, record: Mapping[str, Any]) -> Check:
    steps = record.get("steps") or [{}]
    last, done = steps[-1], [str(text) for text in record.get("events", [])[-3:]]
    text = (
        f"deployment {record['id']} by {record['who'] or 'somebody'} never ended; it was at step '{last.get('name')}'"
    )
    text += f" ({'; '.join(done)})" if done else ""
    changed = record.get("services") or []
    if not changed:
        return Check("interrupted", "warning", f"{text}. It had changed no service, and this run begins anew")
    return Check(
        "interrupted", "warning", f"{text}. This run goes on from what it finds running",
        f"To put the old containers back instead: holdfast deploy --rollback --cluster {config.cluster}"
        " (playbooks/deploy.yml -e rollback=true).",
    )  # fmt: skip


def _sentence(change: Change, options: DeployOptions) -> str:
    name, why = change.service.name, "; ".join(change.reasons)
    if change.action == "start":
        return f"start service {name} with {change.service.image} ({why})"
    if change.action == "rolling":
        return (
            f"roll service {name} ({why}): start {change.replicas - len(change.new)} new, wait until healthy and {options.settle} s"
            f" for the proxy, then drain {names(change.old)}"
        )
    return f"recreate service {name} ({why}): stop {names(change.old)}, start the new one; the gap is measured"
