# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One exported snapshot of one database, held open while it is dumped and fingerprinted.

Source: PostgreSQL documentation, "Snapshot Synchronization Functions": whatever imports the snapshot
sees exactly the rows that this transaction sees, whatever is committed meanwhile.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

from ..errors import AccessError, BackupError
from .rows import one_row
from .server import Server

if TYPE_CHECKING:
    from .rows import Rows

#: Relations that a dump reads, without those of extensions: their script makes them anew.
USER_RELATIONS = """
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""

#: Text forms that depend on settings are pinned, so that the same row has the same text everywhere.
#: An empty search path makes every reg* value print its schema.
_STABLE_TEXT = (
    "SET search_path = ''", "SET DateStyle = 'ISO, YMD'", "SET IntervalStyle = 'postgres'", "SET TimeZone = 'UTC'",
    "SET extra_float_digits = 1", "SET bytea_output = 'hex'", "SET xmlbinary = 'base64'", "SET quote_all_identifiers = off",
    "SET lc_monetary = 'C'", "SET lc_numeric = 'C'", "SET lc_time = 'C'", "SET row_security = off",
    "SET default_transaction_read_only = off", "SET synchronize_seqscans = off", "SET jit = off",
)  # fmt: skip
_ATTEMPTS = 3
_LOCKS_AT_ONCE = 500


class Snapshot:
    """Holds a read-only, repeatable-read transaction, its exported id, and share locks on every table.

    The locks are taken before anything else reads, so that no table is dropped, truncated or rewritten
    between the fingerprint and the dump.
    """

    def __init__(self, server: Server, database: str, lock_timeout: int) -> None:
        self.server = server
        self.database = database
        self.connection: Rows = server.connect(database)
        try:
            for setting in _STABLE_TEXT:
                self.connection.execute(setting.encode())
            self.id, self.taken_at = self._begin_and_lock(lock_timeout)
        except BaseException:
            self.connection.close()
            raise

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.connection.close()

    def require_alive(self) -> None:
        """Make sure that the transaction was held to the end.

        :raises BackupError: the server restarted, or somebody ended the session.
        """
        import psycopg

        try:
            self.connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise BackupError(
                "back up",
                f"database {self.database}",
                f"the snapshot was lost ({' '.join(str(error).split())})",
                "The server restarted or ended the session. Run the backup again.",
                database=self.database,
            ) from error

    def _begin_and_lock(self, lock_timeout: int) -> tuple[str, Any]:
        import psycopg

        self.connection.execute(f"SET lock_timeout = '{int(lock_timeout)}s'".encode())
        for attempt in range(_ATTEMPTS):
            self.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            exported, taken_at = one_row(self.connection, "SELECT pg_export_snapshot(), clock_timestamp()")
            try:
                self._lock_tables()
                return exported, taken_at
            except psycopg.errors.UndefinedTable:
                # Dropped between the snapshot and the lock: a new snapshot no longer has it.
                self.connection.execute("ROLLBACK")
                if attempt == _ATTEMPTS - 1:
                    raise
            except psycopg.errors.LockNotAvailable as error:
                raise self._locked(lock_timeout) from error
        raise LookupError("no attempt to lock the tables was made")

    def _lock_tables(self) -> None:
        unreadable = self.unreadable_relations()
        if unreadable:
            raise AccessError(
                "read",
                f"{len(unreadable)} relations of database {self.database}",
                "this account may not read all of " + ", ".join(unreadable[:20]),
                "Grant it pg_read_all_data (and BYPASSRLS where row security hides rows), or back up as a superuser. "
                "Nothing is left out silently.",
                database=self.database,
                relations=unreadable,
            )
        rows = self.connection.execute(
            "SELECT format('%I.%I', n.nspname, c.relname)"
            + USER_RELATIONS
            + " AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        ).fetchall()
        names = [name for (name,) in rows]
        for first in range(0, len(names), _LOCKS_AT_ONCE):
            self.connection.execute(
                f"LOCK TABLE {', '.join(names[first : first + _LOCKS_AT_ONCE])} IN ACCESS SHARE MODE".encode()
            )

    def unreadable_relations(self) -> list[str]:
        """Tables, sequences and materialized views that this account may not read, or reads only in part."""
        rows = self.connection.execute(
            "SELECT format('%I.%I', n.nspname, c.relname) || CASE WHEN c.relrowsecurity AND row_security_active(c.oid)"
            " THEN ' (row security)' ELSE '' END" + USER_RELATIONS + " AND c.relkind IN ('r', 'p', 'S', 'm')"
            " AND (NOT has_schema_privilege(n.oid, 'USAGE')"
            "   OR CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(c.oid, 'SELECT')"
            "           ELSE NOT has_table_privilege(c.oid, 'SELECT') OR (c.relrowsecurity AND row_security_active(c.oid)) END)"
            " ORDER BY 1"
        ).fetchall()
        return [name for (name,) in rows]

    def _locked(self, lock_timeout: int) -> BackupError:
        with self.server.connect(self.database) as other:
            rows = other.execute(
                "SELECT l.pid, a.usename, a.application_name, l.relation::regclass::text, left(a.query, 200), a.xact_start::text"
                " FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.granted AND l.mode = 'AccessExclusiveLock'"
                " AND l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            ).fetchall()
        keys = ("pid", "user", "application", "relation", "query", "since")
        holders = [dict(zip(keys, row)) for row in rows]
        who = "; ".join(
            f"pid {h['pid']} ({h['user']}, {h['application'] or 'no name'}) holds {h['relation']} since {h['since']}"
            for h in holders
        )
        return BackupError(
            "back up",
            f"database {self.database}",
            f"a table stayed locked for {lock_timeout} s: {who or 'the holder has gone meanwhile'}",
            "End that session (pg_terminate_backend) or wait for it, then run the backup again.",
            database=self.database,
            holders=holders,
        )
