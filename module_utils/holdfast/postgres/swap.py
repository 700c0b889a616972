# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put restored databases in the place of others by renaming, all in one transaction.

``ALTER DATABASE … RENAME`` is transactional, so a kill between two renames leaves the old names. A rename
first takes the lock that every new connection needs and then waits a few seconds for the open ones to
end; a second connection ends those meanwhile. So clients that reconnect all the time cannot get in
between, and they find the restored database as soon as the transaction commits.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from ..errors import BusyError, RestoreError
from .properties import beside_name

if TYPE_CHECKING:
    from .rows import Rows
    from .server import Server

_LOCK_CLASS = 0x484F4C44  # "HOLD", so that the advisory locks do not meet those of applications
_ATTEMPTS = 5
_TERMINATE_EVERY = 0.05


@dataclass(frozen=True)
class Rename:
    """``source`` takes the name ``target``; a database that has it now becomes ``aside``."""

    source: str
    target: str
    aside: Optional[str]


def way_back(name: str, aside: str) -> str:
    """The SQL that puts a database that was kept aside back into its place, for people to read and run.

    ``way_back("shop", "shop_before_20261122t101500")`` →
    ``BEGIN; ALTER DATABASE "shop" RENAME TO "shop_restored"; ALTER DATABASE "shop_before_…" RENAME TO "shop"; COMMIT;``
    """
    new, old, other = (_quoted(text) for text in (name, aside, beside_name(name, "restored")))
    return f"BEGIN; ALTER DATABASE {new} RENAME TO {other}; ALTER DATABASE {old} RENAME TO {new}; COMMIT;"


class TargetLock:
    """Holds the right to restore into a database of this server, against other restores; a context manager."""

    def __init__(self, server: Server, target: str) -> None:
        self._connection: Rows = server.connect()
        row = self._connection.execute(
            "SELECT pg_try_advisory_lock(%s, hashtext(%s::text))", [_LOCK_CLASS, target]
        ).fetchone()
        if not (row and row[0]):
            self._connection.close()
            raise BusyError(
                "restore",
                f"database {target!r}",
                "another restore into it is running",
                "Wait until that has ended.",
                database=target,
            )

    def __enter__(self) -> TargetLock:
        return self

    def __exit__(self, *_details: Any) -> None:
        self._connection.close()


def maintenance_for(server: Server, renamed: Sequence[str]) -> str:
    """A database to be connected to while others are renamed."""
    return server.maintenance_database if server.maintenance_database not in renamed else "template1"


def swap(server: Server, renames: Sequence[Rename]) -> int:
    """Carry out all renames or none.

    :returns: how many sessions had to be ended.
    :raises RestoreError: sessions that cannot be ended stay connected; all names are as before.
    """
    import psycopg

    names = [name for one in renames for name in (one.source, one.target)]
    database = maintenance_for(server, names)
    ended = _Terminator(server, database, names)
    with ended, server.connect(database) as connection:
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                _rename_all(connection, renames)
                break
            except psycopg.errors.ObjectInUse as error:
                if not attempts_left:
                    step = "End the sessions that it names (prepared transactions and replication too)."
                    raise _cannot(renames, error, step) from error
            except psycopg.Error as error:
                step = "Restore as the owner of the databases with CREATEDB, or as a superuser."
                raise _cannot(renames, error, step) from error
    return ended.count


def drop(server: Server, name: str) -> None:
    """Drop a database that Holdfast made, with whoever is connected to it. One that has gone is no error."""
    from psycopg import sql

    with server.connect(maintenance_for(server, [name])) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


class _Terminator:
    """Ends the sessions of some databases again and again, from a connection and a thread of its own."""

    def __init__(self, server: Server, database: str, names: Sequence[str]) -> None:
        self._connection: Rows = server.connect(database)
        self._names = list(names)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.count = 0

    def __enter__(self) -> _Terminator:
        self._thread.start()
        return self

    def __exit__(self, *_details: Any) -> None:
        self._stop.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        import psycopg

        seen: set[int] = set()
        while not self._stop.is_set():
            try:
                rows = self._connection.execute(
                    "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s) AND pid <> pg_backend_pid()",
                    [self._names],
                ).fetchall()
                seen |= {pid for pid, done in rows if done}
            except psycopg.errors.InsufficientPrivilege:
                pass  # The rename itself reports the session that is left, with its reason.
            except psycopg.Error:
                return
            self.count = len(seen)
            self._stop.wait(_TERMINATE_EVERY)


def _rename_all(connection: Rows, renames: Sequence[Rename]) -> None:
    with connection.transaction():
        for one in renames:
            if one.aside is not None:
                _rename(connection, one.target, one.aside)
            _rename(connection, one.source, one.target)


def _rename(connection: Rows, source: str, target: str) -> None:
    from psycopg import sql

    connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(source), sql.Identifier(target)))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _cannot(renames: Sequence[Rename], error: Exception, step: str) -> RestoreError:
    targets = ", ".join(repr(one.target) for one in renames)
    return RestoreError("swap", f"database {targets}", " ".join(str(error).split()), f"{step} Nothing was renamed.")
