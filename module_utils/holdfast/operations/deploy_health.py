# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is all well after a deployment? The application's own address, the database, and tables that had to stay as they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Optional

from ..config import ClusterConfig
from ..errors import DeployError, HoldfastError
from ..postgres.server import Server
from ..repository.store import Repository
from ..services import probe
from ..services.options import Health
from ..system import System
from .context import reach

_PURPOSE = "deploy"
_MOST_NAMED = 5


def ask_health(config: ClusterConfig, health: Health, repository: Repository, system: System) -> list[dict[str, str]]:
    """Ask until all is well, or the time for that is over.

    :returns: what was asked, as checks of the record.
    :raises DeployError: something is not well.
    """
    checks = []
    if health.url is not None:
        url = probe.shown(health.url)
        problem = probe.wait_until_good(partial(probe.ask, health.url, health.status), health.timeout)
        if problem is not None:
            raise _unwell(url, problem)
        checks.append({"check": "health", "result": "ok", "detail": f"{url} answers as it should"})
    if health.sql is not None:
        ask = partial(_ask_database, config, health, repository, system)
        problem = probe.wait_until_good(ask, health.timeout)
        if problem is not None:
            raise _unwell("the database (deploy.health.sql)", problem)
        checks.append({"check": "health", "result": "ok", "detail": "the query of deploy.health.sql is true"})
    return checks


def count_rows(
    config: ClusterConfig, repository: Repository, patterns: Sequence[str], system: System
) -> dict[str, int]:
    """How many rows the tables of some patterns have: the fingerprint's level ``counts``, for those alone.

    :param patterns: such as ``public.ledger*``, compared with ``schema.table``.
    :returns: by ``database schema.table``.
    :raises DeployError: a pattern means no table at all.
    """
    server = reach(config, system, repository, _PURPOSE)
    found: dict[str, int] = {}
    matched: set[str] = set()
    for database in server.databases():
        if not database["allows_connections"]:
            continue
        for schema, table in _tables(server, database["name"]):
            hits = [pattern for pattern in patterns if fnmatchcase(f"{schema}.{table}", pattern)]
            if hits:
                matched.update(hits)
                found[f"{database['name']} {schema}.{table}"] = _count(server, database["name"], schema, table)
    idle = [pattern for pattern in patterns if pattern not in matched]
    if idle:
        raise DeployError(
            "count", f"the rows of {idle[0]!r}", "no table is called so", "Correct deploy.unchanged (schema.table)."
        )
    return found


def require_same_rows(before: Mapping[str, int], now: Mapping[str, int]) -> str:
    """See that tables have as many rows as before.

    :returns: what was compared.
    :raises DeployError: one has more or fewer, or has gone.
    """
    found = [
        f"{name} had {rows} rows and has {now.get(name, 'gone')}"
        for name, rows in before.items()
        if now.get(name) != rows
    ]
    if found:
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        raise DeployError(
            "accept", "what the deployment did to the data", "; ".join(found[:_MOST_NAMED]) + more,
            "If others write to these tables, take them out of deploy.unchanged.",
        )  # fmt: skip
    return f"{len(before)} tables have as many rows as before ({sum(before.values())})"


def _ask_database(config: ClusterConfig, health: Health, repository: Repository, system: System) -> Optional[str]:
    import psycopg

    try:
        server = reach(config, system, repository, _PURPOSE)
        with server.connect(health.database) as connection:
            row = connection.execute(str(health.sql).encode()).fetchone()
    except psycopg.Error as error:
        return " ".join(str(error).split())
    except HoldfastError as error:
        return error.reason
    return None if row and row[0] is True else f"the query's first value is {row[0] if row else 'missing'}, not true"


def _tables(server: Server, database: str) -> list[tuple[str, str]]:
    with server.connect(database) as connection:
        rows = connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\\_%'"
            " AND n.nspname <> 'information_schema' ORDER BY 1, 2"
        ).fetchall()
    return list(rows)


def _count(server: Server, database: str, schema: str, table: str) -> int:
    from psycopg import sql

    with server.connect(database) as connection:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _unwell(what: str, problem: str) -> DeployError:
    return DeployError("accept", what, problem, "Mend the new version, or the check.")
