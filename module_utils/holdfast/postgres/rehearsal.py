# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""See what a migration does to a server: which tables it locks so that writers wait, and which it rewrites.

For a throwaway only. Two ways of looking complete each other: an event trigger says after every statement that
defines something which locks its transaction holds, however short; and a look at ``pg_locks`` many times a second
sees the other locks, and for how long they are held.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from .rows import Rows
    from .server import Server

#: Modes that conflict with ROW EXCLUSIVE, which INSERT, UPDATE and DELETE take; the first conflicts with readers as
#: well. Source: PostgreSQL documentation, "Explicit Locking", table 13.2.
BLOCKS_READERS = "AccessExclusiveLock"
BLOCKS_WRITERS = (BLOCKS_READERS, "ExclusiveLock", "ShareRowExclusiveLock", "ShareLock")
_MARK = "holdfast-rehearsal "
_SCHEMA = "holdfast_rehearsal"
_TRIGGER = f"""
CREATE SCHEMA {_SCHEMA};
GRANT USAGE ON SCHEMA {_SCHEMA} TO PUBLIC;
CREATE FUNCTION {_SCHEMA}.look() RETURNS event_trigger LANGUAGE plpgsql SECURITY INVOKER AS $$
DECLARE found text;
BEGIN
    SELECT json_agg(DISTINCT jsonb_build_array(l.relation::bigint, l.mode))::text INTO found FROM pg_catalog.pg_locks l
    WHERE l.pid = pg_catalog.pg_backend_pid() AND l.granted AND l.locktype = 'relation'
    AND l.mode IN ({", ".join(f"'{mode}'" for mode in BLOCKS_WRITERS)});
    RAISE LOG '{_MARK}%', json_build_object('database', pg_catalog.current_database(),
        'tag', TG_TAG, 'lock_timeout', (SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'lock_timeout'), 'locks', coalesce(found, '[]')::json);
END $$;
CREATE EVENT TRIGGER holdfast_rehearsal ON ddl_command_end EXECUTE FUNCTION {_SCHEMA}.look();
"""
_RELATIONS = """
SELECT c.oid::bigint, format('%I.%I', n.nspname, c.relname), c.relfilenode::bigint, pg_table_size(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""
_LOCKS = """
SELECT d.datname, l.relation::bigint, l.mode FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE l.granted AND l.locktype = 'relation' AND l.mode = ANY(%s) AND l.pid <> pg_backend_pid()
"""


@dataclass
class Observed:
    """Tables of one database before a migration: names, files on disk and sizes in bytes, by object id."""

    names: dict[int, str] = field(default_factory=dict)
    files: dict[int, int] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)


class Observer:
    """Watches a throwaway server while a migration runs on it."""

    def __init__(self, server: Server, databases: list[str]) -> None:
        self._server = server
        self._before = {name: self._install(name) for name in databases}
        self._held: dict[tuple[str, int, str], list[float]] = {}
        self._connection: Rows = server.connect()
        #: In milliseconds, as the migrations' own sessions had it.
        self.lock_timeouts: set[int] = set()

    def sample(self) -> None:
        """Look at the locks of this moment; call it often."""
        now = time.monotonic()
        for database, oid, mode in self._connection.execute(_LOCKS, [list(BLOCKS_WRITERS)]).fetchall():
            self._note(database, oid, mode, now)

    def finish(self, log: str) -> dict[str, Any]:
        """What was seen.

        :param log: the server's log of the time of the migration.
        :returns: ``locks`` (``table``, ``mode``, ``blocks``, ``seconds``: at least so long) and ``rewritten``
            (``table``, ``size`` in bytes), each for tables that were there before; ``statements``, their kinds in order.
        """
        self._connection.close()
        statements = []
        for line in log.splitlines():
            _before, found, told = line.partition(_MARK)
            if not found:
                continue
            facts = json.loads(told)
            statements.append(str(facts["tag"]))
            self.lock_timeouts.add(int(facts["lock_timeout"]))
            for oid, mode in facts["locks"]:
                self._note(facts["database"], int(oid), mode, None)
        locks = [
            {
                "table": self._named(database, oid),
                "mode": mode,
                "blocks": "readers and writers" if mode == BLOCKS_READERS else "writers",
                "seconds": round(max(times) - min(times), 3) if times else 0.0,
            }
            for (database, oid, mode), times in sorted(self._held.items())
            if oid in self._before.get(database, Observed()).names
        ]
        return {"locks": locks, "rewritten": self._rewritten(), "statements": statements}

    def _install(self, database: str) -> Observed:
        with self._server.connect(database) as connection:
            rows = connection.execute(_RELATIONS.encode()).fetchall()
            connection.execute(_TRIGGER.encode())
        seen = Observed()
        for oid, name, file, size in rows:
            seen.names[oid], seen.files[oid], seen.sizes[oid] = name, file, size or 0
        return seen

    def _rewritten(self) -> list[dict[str, Any]]:
        found = []
        for database, before in self._before.items():
            with self._server.connect(database) as connection:
                for oid, _name, file, _size in connection.execute(_RELATIONS.encode()).fetchall():
                    if oid in before.files and before.files[oid] != file:
                        found.append({"table": self._named(database, oid), "size": before.sizes[oid]})
        return sorted(found, key=lambda one: str(one["table"]))

    def _named(self, database: str, oid: int) -> str:
        name = self._before[database].names[oid]
        return name if len(self._before) == 1 else f"{database}: {name}"

    def _note(self, database: str, oid: int, mode: str, when: Optional[float]) -> None:
        times = self._held.setdefault((database, oid, mode), [])
        if when is not None:
            times.append(when)
