# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only the server itself can say: its settings, its collations, who it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from ..config import GuardPolicy
from ..errors import AccessError
from ..postgres.place import Place
from ..postgres.rows import one_row
from ..postgres.server import Server
from .guard_survey import Survey

if TYPE_CHECKING:
    from ..postgres.rows import Rows

_CLUSTER_WIDE = 150000
_OFF = {
    "checksums": (
        "data_checksums",
        "data checksums are off: a disk that alters data is not noticed",
        "Stop the server and run pg_checksums --enable on its data directory.",
    ),
    "fsync": (
        "fsync",
        "fsync is off: a crash of the host can destroy the whole cluster",
        "Set fsync = on (ALTER SYSTEM RESET fsync, or the server's command line) and reload.",
    ),
    "full_page_writes": (
        "full_page_writes",
        "full_page_writes is off: a crash of the host can leave torn pages",
        "Set full_page_writes = on (ALTER SYSTEM RESET full_page_writes, or the command line) and reload.",
    ),
}


@dataclass(frozen=True)
class Told:
    """What a server said of itself.

    :param data_directory: None where the account may not read it.
    :param started_at: when its postmaster started, ISO 8601.
    :param tablespaces: their places besides the default ones.
    """

    data_directory: Optional[str]
    system_identifier: str
    major: int
    started_at: str
    tablespaces: tuple[str, ...]


def ask(
    place: Place,
    database: str,
    policy: GuardPolicy,
    survey: Survey,
    before_a_change: bool = False,
    of_backend: Callable[[int], Optional[str]] = lambda _pid: None,
) -> Optional[Told]:
    """Ask a server, and judge its settings; None where it cannot be reached, which is noted.

    :param before_a_change: the look comes before somebody mends the cluster: what the change may well mend is a
        warning, so that it can be mended.
    :param of_backend: finds the data directory by the connection's server process, where the account may not ask.
    """
    try:
        server = Server(place, database, survey.cluster)
        return _ask(server, policy, survey, before_a_change, of_backend)
    except AccessError as error:
        _note(survey, before_a_change, "server", error.reason, error.next_step)
    except Exception as error:
        import psycopg

        if not isinstance(error, psycopg.Error):
            raise
        _note(survey, before_a_change, "server", " ".join(str(error).split()), "Look at the server's log.")
    finally:
        place.close()
    return None


def _ask(
    server: Server,
    policy: GuardPolicy,
    survey: Survey,
    before_a_change: bool,
    of_backend: Callable[[int], Optional[str]],
) -> Told:
    with server.connect() as connection:
        row = one_row(
            connection,
            "SELECT to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), pg_backend_pid(),"
            " ARRAY(SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE pg_tablespace_location(oid) <> '' ORDER BY 1)",
        )
        data_directory = server.facts.data_directory or of_backend(row[1])
        survey.ok("server", f"PostgreSQL {server.facts.version} answers")
        for name, (setting, detail, step) in _OFF.items():
            value = one_row(connection, f"SELECT current_setting('{setting}')")[0]
            level = _weaker(getattr(policy, name), before_a_change)
            if value == "on":
                survey.ok(name, f"{setting} is on")
            else:
                survey.by_policy(level, name, detail, step)
        waiting = connection.execute("SELECT name FROM pg_settings WHERE pending_restart ORDER BY name").fetchall()
        if waiting:
            names = ", ".join(name for (name,) in waiting)
            survey.warn(
                "settings", f"{names}: changed, but not in use before the next restart", "Restart it when that suits."
            )
        databases = connection.execute(
            "SELECT datname, has_database_privilege(oid, 'CONNECT') FROM pg_database WHERE datallowconn ORDER BY datname"
        ).fetchall()
        changed = _changed_databases(connection) if server.facts.version_num >= _CLUSTER_WIDE else []
    for name in (name for name, open_to_us in databases if open_to_us):
        with server.connect(name) as connection:
            changed += [f"collation {collation} of database {name}" for collation in _changed_collations(connection)]
    closed = [name for name, open_to_us in databases if not open_to_us]
    _judge_collations(changed, closed, policy, survey, before_a_change)
    return Told(
        data_directory=data_directory,
        system_identifier=server.facts.system_identifier,
        major=server.facts.major,
        started_at=row[0],
        tablespaces=tuple(row[2]),
    )


def _changed_databases(connection: Rows) -> list[str]:
    return [
        f"database {name} ({was} → {now})"
        for name, was, now in connection.execute(
            "SELECT datname, datcollversion, pg_database_collation_actual_version(oid) FROM pg_database"
            " WHERE datallowconn AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)"
            " AND datcollversion IS NOT NULL ORDER BY datname"
        )
    ]


def _changed_collations(connection: Rows) -> list[str]:
    """Collations that something in this database is made with, and whose rules are no longer those of then."""
    return [
        f"{name} ({was} → {now})"
        for name, was, now in connection.execute(
            "SELECT collname, collversion, pg_collation_actual_version(oid) FROM pg_collation c"
            " WHERE collversion IS NOT NULL AND collversion IS DISTINCT FROM pg_collation_actual_version(oid)"
            " AND EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_collation'::regclass AND refobjid = c.oid)"
            " ORDER BY collname"
        )
    ]


def _judge_collations(
    changed: list[str], closed: list[str], policy: GuardPolicy, survey: Survey, before_a_change: bool
) -> None:
    if not changed:
        but = f" (this account may not look into {', '.join(closed)})" if closed else ""
        survey.ok("collation", f"the rules of sorting are those that the indexes were built with{but}")
        return
    survey.by_policy(
        _weaker(policy.collation, before_a_change),
        "collation",
        f"the rules of sorting have changed since indexes were built: {', '.join(changed)}: queries may miss rows",
        "In each database run REINDEX DATABASE, then ALTER DATABASE … REFRESH COLLATION VERSION"
        " (for a single collation: REINDEX what uses it, then ALTER COLLATION … REFRESH VERSION).",
    )


def _weaker(level: str, before_a_change: bool) -> str:
    return "warning" if before_a_change and level == "error" else level


def _note(survey: Survey, before_a_change: bool, name: str, detail: Any, next_step: str) -> None:
    if before_a_change:
        survey.warn(name, detail, next_step)
    else:
        survey.fail(name, detail, next_step)
