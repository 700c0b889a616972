# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the data of a server of the host itself lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

from ..config import ClusterConfig
from ..postgres import datadir, volume
from ..postgres.access import HostAccess
from ..postgres.host import HostPlace
from ..postgres.identity import identity
from ..postgres.mounts import MEMORY, below, host_mount
from . import guard_server
from .guard_survey import Survey


def look_at_host(config: ClusterConfig, access: HostAccess, survey: Survey) -> None:
    """Look at a server of this host; everything that is found is noted in the survey."""
    told = guard_server.ask(HostPlace(access), access.database, config.guard, survey, of_backend=datadir.of_backend)
    survey.server = {"exists": told is not None, "running": told is not None, "superuser": "postgres", "image": None}
    if told is None:
        return
    path = told.data_directory
    real = os.path.realpath(path) if path and os.path.isdir(path) else None
    survey.identity = identity(
        engine=None,
        container=None,
        image=None,
        started_at=told.started_at,
        system_identifier=told.system_identifier,
        volume=config.guard.volume or real,
        data_directory=path,
    )
    if real is None:
        survey.warn(
            "data",
            f"the data directory {path} is not on this machine, or not to be seen by this account"
            if path
            else "this account may not ask where the data directory is",
            "Run this on the server's own host, as root or as the server's account, or grant pg_read_all_settings.",
        )
        return
    links = datadir.links(Path(real))
    if links is None:
        survey.warn("wal", "this account may not look into the data directory", "Run this as root or as the server's.")
    survey.volume = volume.Volume(
        name=real,
        exists=True,
        mountpoint=host_mount(real)[0],
        data_path=real,
        pg_version=volume.pg_version(real),
        readable=os.access(real, os.R_OK | os.X_OK),
    )
    _judge("data", "the data directory", real, config.guard.volume, survey)
    for part in datadir.parts(real, links, os.path.realpath, told.tablespaces):
        _judge("wal" if part.name.startswith("WAL") else "tablespaces", part.name, part.path, None, survey)


def _judge(name: str, what: str, path: str, expected: Optional[str], survey: Survey) -> None:
    target, fstype = host_mount(path)
    where = f"{what} {path} lies on {target} ({fstype})"
    if fstype in MEMORY:
        survey.fail(
            name, f"{where}: in memory, gone with the next restart",
            "Stop the server, move it to a disk and mount that, before the machine restarts.",
        )  # fmt: skip
    elif expected is not None and not (os.path.isabs(expected) and below(path, os.path.realpath(expected))):
        survey.fail(
            name, f"{where}, not in {expected} as guard.volume says",
            "See that its disk is mounted and that this is the server that is meant; then correct guard.volume.",
        )  # fmt: skip
    elif fstype == "overlay":
        survey.warn(
            name, f"{where}: this machine is itself a container, and its files are in that container's layer",
            "Mount a volume there if this machine is to be replaced one day.",
        )  # fmt: skip
    elif expected is not None and os.path.realpath(expected) != target:
        survey.ok(name, f"{where}; guard.volume {expected} is a directory there, no mount of its own")
    else:
        survey.ok(name, where)
