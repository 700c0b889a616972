# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a dump or a restore has come, from what the server says is left to do.

A meter never fails its operation: where the server does not answer, it repeats what it knew.
"""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, TypeVar

from .content import list_tables

if TYPE_CHECKING:
    from .rows import Rows
    from .server import Server


_Own = TypeVar("_Own", bound="Meter")


class Meter:
    """Bytes done and bytes in all. A context manager that holds one connection of its own."""

    def __init__(self, server: Server, database: str) -> None:
        self._connection: Rows = server.connect(database)
        # Asking for a table's size takes a lock, which may be queued behind somebody who waits for the dump itself.
        self._connection.execute("SET lock_timeout = '500ms'")
        self.total = 0
        self.done = 0

    def __enter__(self: _Own) -> _Own:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._connection.close()

    def sample(self) -> tuple[int, int]:
        """Ask the server. Returns bytes done (never falling) and bytes in all."""
        import psycopg

        try:
            self.done = max(self.done, min(self.total, self._ask()))
        except psycopg.Error:
            self._connection.close()
        return self.done, self.total

    def _ask(self) -> int:
        raise NotImplementedError


class DumpMeter(Meter):
    """Progress of pg_dump. It dumps the largest tables first, so what is larger than all that run is done.

    Source: pg_stat_progress_copy (PostgreSQL 14 and later).
    """

    def __init__(self, server: Server, database: str) -> None:
        import psycopg

        super().__init__(server, database)
        self._sizes: dict[int, int] = {}
        with suppress(psycopg.Error):
            self._sizes = {table[0]: table[3] for table in list_tables(self._connection)}
        self._seen: set[int] = set()
        self.total = sum(self._sizes.values())

    def _ask(self) -> int:
        rows: list[tuple[Any, ...]] = self._connection.execute(
            "SELECT p.relid, p.tuples_processed, c.reltuples::bigint FROM pg_stat_progress_copy p JOIN pg_class c ON c.oid = p.relid"
            " WHERE p.datname = current_database() AND p.command = 'COPY TO'"
        ).fetchall()
        running = {
            relid: (tuples or 0) / max(estimate, tuples or 0, 1)
            for relid, tuples, estimate in rows
            if relid in self._sizes
        }
        self._seen |= set(running)
        if not self._seen:
            return 0
        largest = max((self._sizes[relid] for relid in running), default=0)
        done = sum(
            size
            for oid, size in self._sizes.items()
            if oid not in running and (oid in self._seen or size > largest > 0)
        )
        return done + int(sum(self._sizes[relid] * share for relid, share in running.items()))


class RestoreMeter(Meter):
    """Progress of pg_restore: the size of the new database against the size that the original had."""

    def __init__(self, server: Server, database: str, expected: int) -> None:
        super().__init__(server, server.maintenance_database)
        self._database = database
        self.total = expected

    def _ask(self) -> int:
        row = self._connection.execute("SELECT pg_database_size(%s::name)", [self._database]).fetchone()
        return int(row[0]) if row else 0
