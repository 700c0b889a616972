# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The new server of a recovery, before the backup is in it."""

from __future__ import annotations

from dataclasses import replace

from ..config import ClusterConfig
from ..errors import RestoreError
from ..postgres.access import AccessConfig
from ..postgres.server import Server
from ..repository.store import Repository
from ..system import System
from .context import reach

_MAINTENANCE = "template1"


def reach_as_superuser(config: ClusterConfig, access: AccessConfig, repository: Repository, system: System) -> Server:
    """Reach it as the role that made it.

    :raises AccessError: unreachable, or wrong password.
    """
    return reach(replace(config, access=access), system, repository, "restore")


def drop_everything(config: ClusterConfig, identifier: str, repository: Repository, system: System) -> None:
    """Empty it of what its image made, or of what an earlier attempt restored.

    :param identifier: what it calls itself; another server is never emptied.
    :raises RestoreError: it is another server.
    """
    from psycopg import sql

    # Whoever was killed in here, or in the restore after it, has left a server without a database but this one.
    access = replace(config.access, database=_MAINTENANCE)
    server = reach_as_superuser(config, access, repository, system)
    try:
        if server.facts.system_identifier != identifier:
            raise RestoreError(
                "empty", "the new server", f"it is {server.facts.system_identifier}, not {identifier}",
                "Somebody has replaced it meanwhile: find out who, then run this again.",
            )  # fmt: skip
        with server.connect() as connection:
            for one in server.databases():
                name = sql.Identifier(one["name"])
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
            connection.execute("CREATE DATABASE postgres TEMPLATE template0")
    finally:
        server.place.close()
