# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PostgreSQL server: connections to it, and the facts that an operation asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from ..errors import AccessError
from .place import SESSION_OPTIONS, Place
from .rows import one_row

if TYPE_CHECKING:
    from .rows import Rows

#: The oldest server that is supported: the oldest that pg_stat_progress_copy (progress) exists in.
OLDEST = 140000
APPLICATION = "holdfast"


@dataclass(frozen=True)
class ServerFacts:
    """What a server says of itself.

    :param version: as the server prints it, "17.6 (Debian 17.6-0+deb13u1)".
    :param version_num: 170006.
    :param system_identifier: of the data directory; the same after a restore from a physical backup only.
    :param is_superuser: whether the account is one.
    """

    version: str
    version_num: int
    system_identifier: str
    user: str
    is_superuser: bool
    in_recovery: bool
    data_directory: Optional[str]

    @property
    def major(self) -> int:
        """17 for 17.6."""
        return self.version_num // 10000


class Server:
    """A server that answered once. Opens one connection for each database that is asked for."""

    def __init__(self, place: Place, maintenance_database: str, cluster: str) -> None:
        self.place = place
        self.maintenance_database = maintenance_database
        self.cluster = cluster
        self.facts = self._ask_facts()
        place.use_tools_of(self.facts.major)

    def connect(self, database: Optional[str] = None) -> Rows:
        """Open a connection in autocommit mode.

        :param database: None is the maintenance database.
        :raises AccessError: unreachable, wrong password, no such database, no rights.
        """
        try:
            import psycopg
        except ImportError as error:
            raise AccessError(
                "reach",
                f"the server of cluster {self.cluster}",
                f"psycopg 3 cannot be imported ({error})",
                "Install it from the distribution (python3-psycopg) or from PyPI (psycopg[binary]).",
            ) from error
        params = self.place.connect_params(database or self.maintenance_database)
        try:
            return psycopg.connect(
                **params, autocommit=True, connect_timeout=10, application_name=APPLICATION,
                options=SESSION_OPTIONS, client_encoding="UTF8",
            )  # fmt: skip
        except psycopg.Error as error:
            raise self._unreachable(error, params) from error

    def databases(self) -> list[dict[str, Any]]:
        """Every database that is no template: name, size in bytes, whether it takes connections, its locale."""
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT datname, datallowconn, CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END"
                " FROM pg_database WHERE NOT datistemplate ORDER BY datname"
            ).fetchall()
        return [{"name": name, "allows_connections": allows, "size": size} for name, allows, size in rows]

    def _ask_facts(self) -> ServerFacts:
        with self.connect() as connection:
            row = one_row(
                connection,
                "SELECT current_setting('server_version'), current_setting('server_version_num')::int,"
                " (SELECT system_identifier::text FROM pg_control_system()), current_user,"
                " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), pg_is_in_recovery(),"
                " CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory') END",
            )
        facts = ServerFacts(*row)
        if facts.version_num < OLDEST:
            raise AccessError(
                "use",
                f"the server of cluster {self.cluster}",
                f"it is PostgreSQL {facts.version}",
                f"Holdfast supports PostgreSQL {OLDEST // 10000} and later.",
            )
        return facts

    def _unreachable(self, error: Exception, params: dict[str, Any]) -> AccessError:
        reason = " ".join(str(error).split())
        where = {key: params.get(key) for key in ("host", "port", "user", "dbname", "service")}
        step = "See that the server runs and takes connections there (access in the cluster's configuration)."
        for sign, better in _NEXT_STEPS:
            if sign in reason:
                step = better
                break
        return AccessError("reach", f"the server of cluster {self.cluster}", reason, step, **where)


_NEXT_STEPS = (
    ("password authentication failed", "Correct the password in the passfile (access.passfile) or service file."),
    ("no password supplied", "Name a passfile (access.passfile, mode 0600) with a line for this server and user."),
    ("passfile", "The passfile must be readable by this account only (chmod 600)."),
    ("Peer authentication failed", "Run as the database's system account (become_user: postgres), or set access.user and a passfile."),
    ("no pg_hba.conf entry", "Allow this account and address in the server's pg_hba.conf."),
    ("not currently accepting connections", "Allow connections to it (ALTER DATABASE … ALLOW_CONNECTIONS true), or leave it out."),
    ("does not exist", "Correct the name, or create it."),
    ("too many clients", "Raise max_connections, or end idle sessions; the backup needs jobs + 2 connections."),
)  # fmt: skip
