# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statistics of queries: the extension pg_stat_statements, where the server has its library loaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Optional

from ..config import ClusterConfig
from ..errors import AccessError
from ..postgres.access import as_user
from ..postgres.locate import open_place
from ..postgres.rows import one_row
from ..postgres.server import Server
from ..system import System
from .context import explained

if TYPE_CHECKING:
    from ..postgres.rows import Rows

READY = "ready"
NOT_LOADED = "not loaded"
STANDBY = "standby"
_TEXTS = {
    READY: "pg_stat_statements is there",
    NOT_LOADED: "the server does not preload pg_stat_statements, so nothing is known of single queries",
    STANDBY: "the server is a standby without pg_stat_statements: make the extension on its primary",
}


@explained("prepare statistics of queries for")
def prepare(config: ClusterConfig, database: Optional[str], apply: bool, system: System) -> dict[str, Any]:
    """Make the extension in a database if, and only if, it would work there.

    :param database: None is the maintenance database.
    :param apply: False says only what would be done.
    :returns: ``changed``, ``database``, ``statements`` (``ready``, ``not loaded``, ``standby``) and ``text``.
    :raises AccessError: the server cannot be reached, or this account may not make extensions.
    """
    access = as_user(config.access, config.access.restore_user)
    place = open_place(access, system, (os.geteuid(), os.getegid()), f"{config.cluster}-statements")
    try:
        server = Server(place, access.database, config.cluster)
        with server.connect(database) as connection:
            loaded, there, standby = one_row(
                connection,
                "SELECT 'pg_stat_statements' = ANY (string_to_array(replace(replace("
                "current_setting('shared_preload_libraries'), ' ', ''), '\"', ''), ',')),"
                " EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements'), pg_is_in_recovery()",
            )
            state = NOT_LOADED if not loaded else STANDBY if standby and not there else READY
            changed = state == READY and not there
            if changed and apply:
                _make(connection, config.cluster)
    finally:
        place.close()
    return {
        "changed": changed, "database": database or access.database, "statements": state, "text": _TEXTS[state],
    }  # fmt: skip


def _make(connection: Rows, cluster: str) -> None:
    import psycopg

    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    except psycopg.errors.InsufficientPrivilege as error:
        raise AccessError(
            "prepare", f"statistics of queries for cluster {cluster}", str(error.diag.message_primary),
            "Make the extension as a superuser (CREATE EXTENSION pg_stat_statements), or name one as access.restore_user.",
        ) from error  # fmt: skip
