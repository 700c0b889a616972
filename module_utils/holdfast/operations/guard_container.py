# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the data of a server in a container lie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

from ..config import ClusterConfig
from ..postgres import datadir, engine, mounts, volume
from ..postgres.access import ContainerAccess
from ..postgres.compose import Compose
from ..postgres.container import LABEL, ContainerPlace
from ..postgres.identity import identity
from ..postgres.image import default_data_directory, major_of
from ..postgres.mounts import Mount
from ..postgres.rootfs import Rootfs
from ..system import System
from . import guard_server
from .guard_compose import configured_volume, judge_candidate, judge_project
from .guard_survey import GuardRequest, Survey
from .guard_volume import judge_mount, judge_volume


def look_at_container(
    config: ClusterConfig, access: ContainerAccess, request: GuardRequest, system: System, survey: Survey
) -> None:
    """Look at a container, its volume and its compose project; everything that is found is noted in the survey.

    :raises AccessError: there is no engine (and no candidate for one to come), or it does not answer.
    """
    survey.server = {"exists": False, "running": False, "superuser": "postgres", "image": None}
    candidate = request.candidate
    before_a_change = request.before_a_change or candidate is not None
    if candidate is not None and not engine.installed(access):
        judge_candidate(config, access, candidate, None, None, None, system, survey)
        return
    facts = engine.look_up(access, system)
    compose = Compose.find(access, system)
    survey.engine = {"present": True, "compose": compose.argv if compose else None}
    owner = engine.labels(facts).get(volume.CLUSTER_LABEL) if facts else None
    where = _look_inside(config, access, facts, before_a_change, system, survey) if facts else None
    if owner not in (None, config.cluster):
        survey.fail(
            "container",
            f"container {access.label} is labelled for cluster {owner}",
            f"Correct access, or the name of the cluster: two of them would share one server ({config.cluster}, {owner}).",
        )
    if candidate is not None and (facts is None or owner is not None):
        judge_candidate(config, access, candidate, facts, where, compose, system, survey)
    elif facts is not None:
        judge_project(config, access, facts, where, request.files, compose, system, survey)
    else:
        _note_absence(config, access, system, survey)


def _look_inside(
    config: ClusterConfig,
    access: ContainerAccess,
    facts: Mapping[str, Any],
    before_a_change: bool,
    system: System,
    survey: Survey,
) -> Mount:
    """Find what the data lie on, and judge it.

    :returns: what the data directory lies on.
    """
    running = engine.runs(facts)
    env = engine.environment(facts)
    survey.server = {
        "exists": True, "running": running, "superuser": env.get("POSTGRES_USER") or "postgres",
        "image": facts.get("Config", {}).get("Image"),
    }  # fmt: skip
    told = None
    if running:
        place = ContainerPlace(access, system, (os.geteuid(), os.getegid()), f"{config.cluster}-guard", facts)
        told = guard_server.ask(place, access.database, config.guard, survey, before_a_change)
    else:
        note = survey.warn if before_a_change and volume.CLUSTER_LABEL in engine.labels(facts) else survey.fail
        note(
            "server",
            f"its container {engine.name(facts)} is not running",
            f"Start it ('{access.engine} start {engine.name(facts)}') and look at its log.",
        )
    rootfs = Rootfs.of(facts) if running else None
    data = (
        (told.data_directory if told else None)
        or (datadir.of_process(int(facts["State"]["Pid"])) if rootfs else None)
        or env.get("PGDATA")
        or default_data_directory(str(survey.server["image"]))
    )

    def resolve(path: str) -> Optional[str]:
        return rootfs.resolve(path) if rootfs else None

    def volume_facts(name: str) -> Mapping[str, Any]:
        return next(iter(engine.inspect(access, system, "volume", name)), {})

    found = mounts.of_container(facts, volume_facts, resolve, rootfs.mountinfo() if rootfs else None)
    real = resolve(data) or os.path.normpath(data)
    where = mounts.holder(real, found)
    _look_at_volume(access, where, real, facts, system, survey)
    on_host = rootfs.on_host(real) if rootfs else None
    if on_host is None and survey.volume and survey.volume.data_path and os.path.isdir(survey.volume.data_path):
        on_host = Path(survey.volume.data_path)
    judge_mount("data", "the data directory", real, where, configured_volume(config), survey)
    links = datadir.links(on_host) if on_host else None
    if links is None and access.engine == "podman" and survey.volume and survey.volume.data_path:
        links = datadir.links_by_podman(access, system, survey.volume.data_path)
    for part in datadir.parts(real, links, resolve, told.tablespaces if told else ()):
        name = "wal" if part.name.startswith("WAL") else "tablespaces"
        lies = mounts.holder(part.path, found)
        if lies != where:
            judge_mount(name, f"the {part.name}", part.path, lies, None, survey)
    if links is None:
        survey.warn(
            "wal",
            "this account may not look into the data directory: whether its WAL lies elsewhere is not known",
            "Run this as root, or as the user whose containers these are.",
        )
    survey.identity = identity(
        engine=access.engine,
        container=str(facts["Id"]),
        image=str(facts["Image"]),
        started_at=str(facts["State"].get("StartedAt")),
        system_identifier=told.system_identifier if told else volume.system_identifier(on_host) if on_host else None,
        volume=where.source or None,
        data_directory=data,
    )
    if told is not None and survey.volume is not None:
        # It runs on them, so they are of its version.
        survey.volume = replace(survey.volume, pg_version=told.major)
    _judge_restart(access, facts, survey)
    image = next(iter(engine.inspect(access, system, "image", str(facts["Image"]))), None)
    judge_volume(config, survey, major_of(image, str(survey.server["image"])) or major_of(facts, ""))
    return where


def _judge_restart(access: ContainerAccess, facts: Mapping[str, Any], survey: Survey) -> None:
    """Whether the engine brings it back after a reboot. Podman's containers may be kept by a unit of systemd instead."""
    policy = str(((facts.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") or "no")
    if access.engine == "docker" and policy not in ("always", "unless-stopped"):
        survey.warn(
            "restart", f"its restart policy is {policy!r}: after a reboot of the host nobody starts it",
            "Set 'restart: unless-stopped' in the compose file (docker update --restart changes it without a restart).",
        )  # fmt: skip


def _look_at_volume(
    access: ContainerAccess, where: Mount, real: str, facts: Mapping[str, Any], system: System, survey: Survey
) -> None:
    if where.source:
        inner = os.path.relpath(real, where.target)
        survey.volume = volume.look(access, system, where.source, inner, str(facts["Id"]), LABEL)


def _note_absence(config: ClusterConfig, access: ContainerAccess, system: System, survey: Survey) -> None:
    name = configured_volume(config)
    survey.fail(
        "server",
        f"there is no container {access.label}",
        f"See '{access.engine} ps --all', and correct access or start the project.",
    )
    if name is not None:
        survey.volume = volume.look(access, system, name, "", None, LABEL)
        judge_volume(config, survey, None)
