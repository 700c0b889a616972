# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The applications around a recovery: stopped before it, started again in their order."""

from __future__ import annotations

from collections.abc import Sequence

from ..config import ClusterConfig
from ..errors import HoldfastError
from ..postgres.access import ContainerAccess
from ..postgres.compose import Project
from ..services.containers import Container, Containers
from ..system import System
from .journal import Journal


def stop_services(access: ContainerAccess, running: Sequence[Container], journal: Journal, system: System) -> None:
    """Stop containers, the last to be started first. Which ones is on disk before the first of them stops.

    :param running: the first to be started first.
    :raises HoldfastError: the engine refuses.
    """
    known = {one["id"] for one in journal.facts["stopped"]}
    journal.facts["stopped"] += [one.as_dict() for one in running if one.id not in known]
    journal.save()
    containers = _containers(access, system)
    for one in reversed(running):
        containers.stop(one)
        journal.tell(f"stopped {one.name}")


def start_services(config: ClusterConfig, journal: Journal, system: System) -> None:
    """Start what was stopped, one after the other, and wait for each.

    :raises HoldfastError: one does not become healthy; the others were started all the same.
    """
    if not isinstance(config.access, ContainerAccess):
        return
    containers = _containers(config.access, system)
    problem = None
    for told in journal.facts["stopped"]:
        now = containers.look(told["id"])
        if now is None:
            journal.tell(f"{told['name']} has gone meanwhile: it is not started")
            continue
        if not now.runs:
            containers.start(now)
            journal.tell(f"started {now.name}")
        try:
            containers.wait_until_healthy([now], config.deploy.start_timeout, config.deploy.settle)
        except HoldfastError as error:
            problem = problem or error
    if problem is not None:
        raise problem


def _containers(access: ContainerAccess, system: System) -> Containers:
    return Containers(access, Project("", "", "", ()), system)
