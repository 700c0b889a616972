# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan a recovery: what is broken, which backup, what would be lost, how long it takes, and what will be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..config import ClusterConfig
from ..errors import ConfigError, NotFoundError, PreflightError
from ..postgres import engine
from ..postgres.access import ContainerAccess
from ..postgres.quarantine import Holder, holder_of, is_empty, place_for
from ..repository.entry import Entry
from ..repository.records import UNFINISHED, Recoveries
from ..repository.store import Repository
from ..system import System
from .catalogue import brief, select, time_of
from .checks import Check
from .context import explained, open_repository
from .recover_assess import Assessment, assess, lost, restore_seconds

LATEST = "latest"
_LISTED = 10
#: What a recovery that has not ended well is in; the next run goes on with it.
OPEN = UNFINISHED


@dataclass(frozen=True)
class RecoverRequest:
    """What is asked for.

    :param database: this one only; None means the whole cluster.
    :param backup: an id, or ``latest``: the newest sound one whose files fit their checksums.
    :param fallback: if that one cannot be restored, or is not what it should be, try the next older one.
    :param confirm: the cluster's name, as the say-so.
    :param safety_backup: back up what is there, if the server still answers.
    """

    database: Optional[str] = None
    backup: str = LATEST
    fallback: bool = False
    confirm: Optional[str] = None
    safety_backup: bool = True
    who: str = ""
    note: str = ""
    wait: float = 0.0


@dataclass(frozen=True)
class RecoverPlan:
    """What a run will do.

    :param candidates: the backups, the one to be restored first.
    :param rejected: newer ones that were not chosen, with the reason.
    :param holder: what the data lie in; None for a database of its own, or where there is no container.
    :param unfinished: the record of a recovery that has not ended, with which this one goes on.
    """

    assessment: Assessment
    candidates: tuple[Entry, ...]
    rejected: tuple[str, ...]
    holder: Optional[Holder]
    checks: tuple[Check, ...]
    rto: Optional[float]
    rto_source: str
    loss: str
    listed: tuple[Mapping[str, Any], ...]
    steps: tuple[str, ...]
    unfinished: Optional[Mapping[str, Any]]

    @property
    def feasible(self) -> bool:
        """Whether nothing stands in the way."""
        return not any(check.result == "error" for check in self.checks)

    @property
    def needs_provisioning(self) -> bool:
        """Whether there is no container to recover into."""
        return self.assessment.facts is None

    def as_dict(self) -> dict[str, Any]:
        """As JSON, for check mode and ``--dry-run``."""
        return {
            "healthy": self.assessment.healthy, "feasible": self.feasible, "needs_provisioning": self.needs_provisioning,
            "findings": [check.as_dict() for check in self.assessment.checks],
            "checks": [check.as_dict() for check in self.checks],
            "backup": self.candidates[0].id if self.candidates else None, "rejected": list(self.rejected),
            "backups": [dict(one) for one in self.listed], "loss": self.loss,
            "rto": self.rto, "rto_source": self.rto_source,
            "services": [one.name for one in self.assessment.services if one.runs],
            "unfinished": self.unfinished["id"] if self.unfinished else None, "steps": list(self.steps),
        }  # fmt: skip


@explained("recover")
def plan(config: ClusterConfig, request: RecoverRequest, system: System) -> RecoverPlan:
    """Assess, and decide. Changes nothing.

    :raises NotFoundError: there is no backup to recover from.
    :raises HoldfastError: the repository cannot be read.
    """
    return plan_with(config, request, open_repository(config), system)


def plan_with(config: ClusterConfig, request: RecoverRequest, repository: Repository, system: System) -> RecoverPlan:
    """The plan for a repository that is at hand already.

    :raises NotFoundError: there is no backup to recover from.
    """
    entries = repository.entries()
    candidates, rejected = _candidates(config, request, repository, entries)
    found = assess(config, repository, candidates[0], system)
    checks, holder = _obstacles(config, request, found, system)
    seconds, source = restore_seconds(repository, candidates[0])
    now = system.now()
    newest = sorted(entries, key=lambda one: (one.state != "proven", -time_of(one).timestamp()))
    record = Recoveries(repository.path, repository.owner).latest()
    unfinished = record if record and record["state"] in OPEN and record["database"] == request.database else None
    steps = _steps(config, request, found, candidates, holder)
    return RecoverPlan(
        found, tuple(candidates), tuple(rejected), holder, tuple(checks), seconds, source, lost(candidates[0], now),
        tuple(brief(one, now) for one in newest[:_LISTED]), tuple(steps), unfinished,
    )  # fmt: skip


def require_feasible(config: ClusterConfig, request: RecoverRequest, chosen: RecoverPlan) -> None:
    """Refuse what cannot be done, or was not confirmed.

    :raises PreflightError: something stands in the way.
    :raises ConfigError: the say-so is missing.
    """
    errors = [check for check in chosen.checks if check.result == "error"]
    if errors:
        raise PreflightError(
            "recover", f"cluster {config.cluster}", "; ".join(check.detail for check in errors),
            " ".join(dict.fromkeys(check.next_step for check in errors if check.next_step)) + " Nothing was touched.",
            checks=[check.as_dict() for check in errors],
        )  # fmt: skip
    if request.confirm != config.cluster:
        raise ConfigError(
            "recover", f"cluster {config.cluster}",
            f"it needs your say-so: confirm is {request.confirm!r}, not {config.cluster!r}",
            "Look at the plan (--dry-run, or check mode), then confirm with the name of the cluster.",
        )  # fmt: skip


def container_access(config: ClusterConfig) -> ContainerAccess:
    """The access of a server in a container.

    :raises ConfigError: it is a host's.
    """
    if not isinstance(config.access, ContainerAccess):
        raise ConfigError(
            "recover", f"cluster {config.cluster} as a whole", "its server runs in no container",
            "Recover one database (--database), or follow the RUNBOOK beside its repository.",
        )  # fmt: skip
    return config.access


def _candidates(
    config: ClusterConfig, request: RecoverRequest, repository: Repository, entries: Sequence[Entry]
) -> tuple[list[Entry], list[str]]:
    """The backups in the order in which they are tried; and those that were passed over, with the reason."""
    rejected: list[str] = []
    if request.backup != LATEST:
        first = select(config, entries, request.backup, None, request.database)
        older = [one for one in _usable(entries, request) if time_of(one) < time_of(first)]
        return [first, *older], rejected
    usable = _usable(entries, request)
    newest = max(entries, key=lambda one: (time_of(one), one.id), default=None)
    if newest is not None and not newest.of_something_wrong and newest not in usable:
        rejected.append(
            f"{newest.id} is {newest.state}: {newest.problem or newest.marks.get('drill', {}).get('why') or 'see holdfast show'}"
        )
    while usable:
        problems = repository.verify(usable[0])
        if not problems:
            return usable, rejected
        rejected.append(f"{usable[0].id} is corrupt: {problems[0]}")
        usable.pop(0)
    raise NotFoundError(
        "recover", f"cluster {config.cluster}",
        f"there is no sound backup{f' of database {request.database!r}' if request.database else ''} to recover from"
        + (f" ({'; '.join(rejected)})" if rejected else ""),
        "See 'holdfast list --check'; bring one from where copies are kept.",
    )  # fmt: skip


def _usable(entries: Sequence[Entry], request: RecoverRequest) -> list[Entry]:
    found = [
        one for one in entries
        if one.sound and not one.of_something_wrong and (request.database is None or one.known.database(request.database))
        and (request.database is not None or one.known.facts.get("scope") == "all")
    ]  # fmt: skip
    return sorted(found, key=lambda one: (time_of(one), one.id), reverse=True)


def _obstacles(
    config: ClusterConfig, request: RecoverRequest, found: Assessment, system: System
) -> tuple[list[Check], Optional[Holder]]:
    if request.database is not None:
        if found.server is None:
            return [Check(
                "server", "error", f"the server does not answer, so database {request.database!r} alone cannot be recovered",
                "Recover the whole cluster: leave the database out.",
            )], None  # fmt: skip
        return [], None
    access = container_access(config)
    if found.facts is None:
        return [Check(
            "container", "error", f"there is no container {access.label} to recover into",
            "Have it made: playbooks/disaster-recovery.yml does it (role cluster), or 'docker compose up -d --no-deps' of the"
            " database's service; then run this again.",
        )], None  # fmt: skip
    data = str((found.guarded.get("identity") or {}).get("data_directory") or "/var/lib/postgresql/data")
    return [], holder_of(access, system, found.facts, data)


def _steps(
    config: ClusterConfig, request: RecoverRequest, found: Assessment, candidates: Sequence[Entry], holder: Optional[Holder]
) -> list[str]:  # fmt: skip
    running = [one.name for one in found.services if one.runs]
    steps = [f"stop {', '.join(running)}"] if running else []
    if request.safety_backup and found.server is not None:
        steps.append("take a safety backup of what is there; if it cannot be taken, go on without")
    if request.database is not None:
        steps += [
            f"restore database {request.database!r} from {candidates[0].id} beside, compare it with its fingerprint, and swap the names",
        ]
    elif holder is not None:
        aside = place_for(holder, "quarantine", "<time>").name
        name = engine.name(found.facts or {})
        if not is_empty(holder):
            steps.append(
                f"stop {name}, and move all that is in {holder.kind} {holder.name} to {aside}: nothing is deleted"
            )
        steps += [
            f"start {name} with the empty {holder.kind} {holder.name}, which makes a new server",
            f"restore the whole cluster from {candidates[0].id}, and compare it with its fingerprint",
        ]
    if request.fallback and len(candidates) > 1:
        steps.append(f"should that fail, try {candidates[1].id}, then older ones")
    steps.append("verify: extensions, views and functions, sequences, your own checks")
    steps += [f"start {', '.join(running)} again, and see that they are well"] if running else []
    return [*steps, "should anything fail before that, put back what was there"]
