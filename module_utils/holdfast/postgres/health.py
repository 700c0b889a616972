# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a server is doing at this moment: in one connection, and only what its account may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from .rows import Rows

_CONNECTIONS = """
SELECT sum(numbackends)::float, current_setting('max_connections')::float FROM pg_stat_database
"""
# Of the sessions of others an account without that role sees nulls, which would count as nothing to see.
_SESSIONS = """
SELECT count(*) FILTER (WHERE state LIKE 'idle in transaction%'),
       coalesce(max(extract(epoch FROM now() - xact_start)) FILTER (WHERE pid <> pg_backend_pid()), 0)::float,
       count(*) FILTER (WHERE wait_event_type = 'Lock'),
       coalesce(max(extract(epoch FROM now() - query_start)) FILTER (WHERE wait_event_type = 'Lock'), 0)::float
FROM pg_stat_activity WHERE backend_type = 'client backend' HAVING pg_has_role('pg_read_all_stats', 'USAGE')
"""
_SIZES = """
SELECT (SELECT sum(CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END) FROM pg_database)::float,
       (SELECT max(age(datfrozenxid)) FROM pg_database)::float
"""
_WAL = "SELECT sum(size)::float FROM pg_ls_waldir()"


def read_health(connection: Rows) -> dict[str, Optional[float]]:
    """What is worth a look, by name; None where the account may not see it.

    :param connection: in autocommit mode.
    :returns: ``connections``, ``max_connections``, ``idle_in_transaction``, ``transaction_seconds`` (the oldest),
        ``lock_waits``, ``lock_wait_seconds`` (the longest), ``databases_bytes``, ``transaction_ids`` (age of the oldest),
        ``wal_bytes``.
    """
    import psycopg

    found: dict[str, Optional[float]] = {}
    wanted = (
        (("connections", "max_connections"), _CONNECTIONS),
        (("idle_in_transaction", "transaction_seconds", "lock_waits", "lock_wait_seconds"), _SESSIONS),
        (("databases_bytes", "transaction_ids"), _SIZES),
        (("wal_bytes",), _WAL),
    )  # fmt: skip
    for names, query in wanted:
        row: Any = None
        try:
            row = connection.execute(query.encode()).fetchone()
        except psycopg.errors.InsufficientPrivilege:
            row = None
        found.update(zip(names, row if row else (None,) * len(names)))
    return found
