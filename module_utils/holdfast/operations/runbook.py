# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the RUNBOOK of a cluster beside its repository, while everything that it names is still there."""

from __future__ import annotations

import os
import platform
import pwd
import shlex
from pathlib import Path
from typing import Any, Optional

from .. import __version__
from ..config import ClusterConfig
from ..postgres import engine
from ..postgres.access import ContainerAccess, HostAccess
from ..postgres.compose import Compose, Project
from ..postgres.host import HostPlace
from ..postgres.quarantine import holder_of
from ..postgres.server import Server
from ..reporting import runbook
from ..repository import durable
from ..repository.manifest import format_time
from ..repository.store import Repository
from ..system import System
from .context import explained, open_repository, reach

NAME = "RUNBOOK.md"


@explained("write the RUNBOOK")
def write_runbook(config: ClusterConfig, system: System, server: Optional[Server] = None) -> dict[str, Any]:
    """Write it.

    :param server: if it was reached already.
    :returns: ``changed``, its ``path`` and its ``text``.
    :raises HoldfastError: the server or its container cannot be asked, or the file cannot be written.
    """
    repository = open_repository(config)
    found = server or reach(config, system, repository, "runbook")
    facts = {
        "cluster": config.cluster, "holdfast": __version__, "time": format_time(system.now())[:10],
        "host": platform.node(), "repository": str(config.repository),
        "server": f"PostgreSQL {found.facts.version}",
    }  # fmt: skip
    if isinstance(config.access, ContainerAccess):
        facts |= _of_container(config.access, found, system)
    else:
        facts |= _of_host(config.access, found)
    text = runbook.text(facts)
    path = repository.path / NAME
    changed = _write(path, text, repository)
    return {"changed": changed, "path": str(path), "text": text}


def _of_container(access: ContainerAccess, server: Server, system: System) -> dict[str, Any]:
    facts = engine.find(access, system)
    project = Project.of_container(engine.labels(facts))
    compose = Compose.find(access, system)
    name, image = engine.name(facts), str(facts.get("Config", {}).get("Image"))
    up = f"{access.engine} run … {image}, as it was run before"
    if project is not None and compose is not None:
        up = shlex.join(compose.command(project, ["up", "--detach", "--no-deps", project.service]).argv)
    user = engine.environment(facts).get("POSTGRES_USER") or "postgres"
    return {
        "engine": access.engine, "container": name, "project": project.name if project else access.project or name,
        "image": image, "user": user, "port": access.port, "up": up,
        "server": f"PostgreSQL {server.facts.version} in container `{name}` of `{image}`",
        "data": holder_of(access, system, facts, str(server.facts.data_directory or "/var/lib/postgresql/data")).path,
    }  # fmt: skip


def _of_host(access: HostAccess, server: Server) -> dict[str, Any]:
    data = str(server.facts.data_directory or "the data directory")
    place = server.place
    try:
        owner = pwd.getpwuid(os.stat(data).st_uid).pw_name
    except (OSError, KeyError):
        owner = "postgres"
    told = {"PGHOST": access.host, "PGPORT": access.port, "PGUSER": access.restore_user or access.user, "PGSERVICE": access.service}  # fmt: skip
    return {
        "data": data, "owner": owner, "bin_dir": (place.bin_dir if isinstance(place, HostPlace) else None) or "/usr/bin",
        "environment": " ".join(f"{key}={shlex.quote(str(value))}" for key, value in told.items() if value is not None),
    }  # fmt: skip


def _write(path: Path, text: str, repository: Repository) -> bool:
    content = text.encode("utf-8", "replace")
    try:
        if path.exists() and path.read_bytes() == content:
            return False
        durable.replace_file(path, content)
        durable.give_to(path, repository.owner)
    except OSError as error:
        durable.refuse(error, "write the RUNBOOK to", repository.path)
    return True
