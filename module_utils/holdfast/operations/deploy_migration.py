# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Migrations of a deployment: rehearsed on a copy that was restored from its backup, then run on the database."""

from __future__ import annotations

import shlex
from typing import Any

from ..config import ClusterConfig
from ..errors import DeployError
from ..postgres import engine
from ..postgres.access import ContainerAccess
from ..postgres.rehearsal import Observer
from ..postgres.throwaway_container import ContainerThrowaway, options_of
from ..reporting.progress import Progress
from ..repository.store import Repository
from ..services import migration as migrating
from ..services.options import Migration
from ..services.service import Service
from ..system import System
from .deploy_plan import DeployPlan, container_access
from .proof import prove
from .throwaway import started

#: What throwaways of deployments are labelled with, behind the repository's id.
PURPOSE = "rehearsal"


def rehearse(
    config: ClusterConfig,
    chosen: DeployPlan,
    backup_id: str,
    repository: Repository,
    system: System,
    progress: Progress,
) -> dict[str, Any]:
    """Restore a backup into a throwaway server, which proves it, and run the migrations there, if there are any.

    :returns: ``restore_seconds``; with migrations also their ``seconds``, ``locks``, ``rewritten``, ``statements``
        and ``warnings``.
    :raises DeployError: the migrations failed; the database knows nothing of it.
    :raises HoldfastError: the backup could not be restored, or what came of it differs from what was backed up.
    """
    access, label = container_access(config), f"{repository.uuid}-{PURPOSE}"
    with started(config, repository, PURPOSE, system, progress) as restored:
        facts: dict[str, Any] = prove(
            config, restored, backup_id, "a rehearsal before a deployment", repository, system, progress
        )
        migrate = chosen.options.migrate
        copy = restored.copy
        if migrate is None or not chosen.migrates or not isinstance(copy, ContainerThrowaway):
            return facts
        progress.say("rehearsing the migrations")
        observer = Observer(restored.server, [str(one["database"]) for one in restored.databases])
        seconds = _run_there(access, chosen, copy, observer, migrate, label, system)
        facts |= {"seconds": seconds, **observer.finish(copy.log())}
        facts["warnings"] = _warnings(observer, migrate)
    return facts


def migrate_for_real(config: ClusterConfig, chosen: DeployPlan, migrate: Migration, system: System) -> dict[str, Any]:
    """Run the migrations on the database.

    :returns: ``seconds``.
    :raises DeployError: they failed. What they had committed by then stays.
    """
    target = chosen.target
    access, service = container_access(config), target.services[migrate.service]
    name = f"holdfast-migration-{system.token()}"
    command = migrating.real(target.compose, target.deployed, service, migrate, config.cluster, name)

    def stop() -> None:
        engine.ask(access, system, "rm", "--force", "--volumes", name)

    what = f"the database of project {target.project.name}"
    _done, seconds = migrating.run(command, migrate, what, system, stop)
    return {"seconds": seconds}


def _run_there(
    access: ContainerAccess, chosen: DeployPlan, copy: ContainerThrowaway, observer: Observer, migrate: Migration, label: str,
    system: System,
) -> float:  # fmt: skip
    service = chosen.target.services[migrate.service]
    mounts = [one for one in service.mounts if one.kind != "volume" or _volume_exists(access, one.source, system)]
    name = f"holdfast-rehearsal-{system.token()}"

    def stop() -> None:
        engine.ask(access, system, "rm", "--force", "--volumes", name)

    with migrating.rehearsal(access, service, migrate, mounts, copy.container_id, name, options_of(label)) as command:
        try:
            _done, seconds = migrating.run(command, migrate, "the copy", system, stop, observer.sample)
        except DeployError as error:
            raise _not_rehearsed(error, chosen, service) from error
    return seconds


def _volume_exists(access: ContainerAccess, name: str, system: System) -> bool:
    return bool(engine.inspect(access, system, "volume", name))


def _not_rehearsed(error: DeployError, chosen: DeployPlan, service: Service) -> DeployError:
    migrate = chosen.options.migrate
    said = shlex.join(migrate.command) if migrate and migrate.command else "the image's own command"
    return DeployError(
        "rehearse", f"the migrations of {service.image} ({said})", error.reason,
        "The database was not touched. Mend the migrations, and run this again."
        " In the rehearsal the database answers under its container's and its service's names only.",
        **error.details,
    )  # fmt: skip


def _warnings(observer: Observer, migrate: Migration) -> list[str]:
    said = []
    if observer.lock_timeouts - {migrate.lock_timeout * 1000}:
        found = ", ".join(f"{one / 1000:g} s" for one in sorted(observer.lock_timeouts))
        said.append(
            f"the migrations ran with a lock_timeout of {found}, not {migrate.lock_timeout} s: their driver does not read"
            " PGOPTIONS, or they set it themselves; on the database they may wait for a lock while all others wait for them"
        )
    return said
