# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put the old containers back after a deployment that was interrupted: killed, or left by Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import ClusterConfig
from ..errors import NotFoundError
from ..postgres.compose import Project
from ..reporting.progress import Progress
from ..reporting.show_deploy import record_text
from ..repository.manifest import format_time
from ..repository.records import UNFINISHED, Deployments
from ..services.containers import Container, Containers
from ..services.options import DeployOptions
from ..services.pins import put
from ..system import System
from .context import explained, open_repository
from .deploy_plan import container_access


@dataclass(frozen=True)
class Return:
    """What is to be done about one service: the ``old`` containers serve again, the ``new`` ones go.

    :param rolling: whether both can run at once; where they cannot (a port of the host), the new ones stop first.
    """

    service: str
    rolling: bool
    old: tuple[Container, ...]
    new: tuple[Container, ...]

    def sentences(self) -> list[str]:
        """As steps of a plan."""
        starts = [f"start {one.name} ({one.image_name}) again" for one in self.old if not one.runs]
        stops = [] if self.rolling else [f"stop {one.name} ({one.image_name})" for one in self.new if one.runs]
        return [*stops, *starts, *(f"remove {one.name} ({one.image_name})" for one in self.new)]


@explained("roll back")
def plan_rollback(config: ClusterConfig, system: System) -> dict[str, Any]:
    """What a rollback would do.

    :raises NotFoundError: no deployment was interrupted, or its old containers have gone.
    """
    repository = open_repository(config)
    record = _interrupted(config, Deployments(repository.path, repository.owner))
    steps = [step for one in _returns(config, record, system) for step in one.sentences()]
    return {"deployment": record["id"], "project": record["project"], "steps": steps}


@explained("roll back")
def rollback(
    config: ClusterConfig, options: DeployOptions, wait: float, system: System, progress: Progress
) -> dict[str, Any]:
    """Put the old containers back. The database is not touched; what its migrations did stays.

    :returns: ``changed`` and the record (``deployment``).
    :raises NotFoundError: no deployment was interrupted, or its old containers have gone.
    :raises DeployError: an old container does not become healthy; nothing new was removed then.
    """
    repository = open_repository(config)
    records = Deployments(repository.path, repository.owner)
    with records.lock(wait):
        record = dict(_interrupted(config, records))
        containers = _containers(config, record, system)
        for one in reversed(_returns(config, record, system)):
            _put_back(one, containers, options, progress)
        if record["pins"]["written"]:
            put(Path(record["pins"]["path"]), record["pins"]["before"])
        record.update(
            state="rolled_back", finished=format_time(system.now()), error=record["error"] or "interrupted",
            services=[{**one, "state": "as before"} for one in record["services"]],
        )  # fmt: skip
        records.write(record, record_text(record))
    return {"changed": True, "deployment": record}


def _put_back(one: Return, containers: Containers, options: DeployOptions, progress: Progress) -> None:
    running = [new for new in one.new if new.runs]
    if not one.rolling:
        for new in running:
            containers.stop(new)
    for old in one.old:
        if not old.runs:
            containers.start(old)
            progress.say(f"started {old.name} again")
    containers.wait_until_healthy(one.old, options.start_timeout, options.settle)
    if one.rolling and one.old and one.new:
        time.sleep(options.settle)
    for new in one.new:
        if one.rolling and new in running:
            containers.stop(new)
        containers.remove(new)
        progress.say(f"removed {new.name}")


def _interrupted(config: ClusterConfig, records: Deployments) -> Mapping[str, Any]:
    latest = records.latest()
    if latest is not None and latest["state"] in UNFINISHED:
        return latest
    told = f"the last one, {latest['id']}, has ended ({latest['state']})" if latest else "there was none yet"
    raise NotFoundError(
        "roll back", f"a deployment of cluster {config.cluster}", f"no deployment was interrupted: {told}",
        "To go back to an older version, deploy its image (holdfast deploy --image NAME:TAG).",
    )  # fmt: skip


def _containers(config: ClusterConfig, record: Mapping[str, Any], system: System) -> Containers:
    project = Project(str(record["project"]), "", str(record["directory"]), ())
    return Containers(container_access(config), project, system)


def _returns(config: ClusterConfig, record: Mapping[str, Any], system: System) -> list[Return]:
    containers = _containers(config, record, system)
    found = []
    for told in record["services"]:
        ids = {str(one["id"]) for one in told["old"]}
        there = containers.of(told["service"])
        old = tuple(one for one in there if one.id in ids)
        if len(old) < len(ids):
            images = ", ".join(sorted({str(one["image"]) for one in told["old"]}))
            raise NotFoundError(
                "roll back", f"service {told['service']}", "an old container of it has gone",
                f"Deploy its image instead: holdfast deploy --service {told['service']} --image {images}.",
            )  # fmt: skip
        new = tuple(one for one in there if one.id not in ids)
        found.append(Return(told["service"], told["strategy"] == "rolling", old, new))
    return found
