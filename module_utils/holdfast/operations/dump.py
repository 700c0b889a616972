# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dump one database, and the globals, into a set that is being written."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Optional
from urllib.parse import quote

from ..config import BackupOptions
from ..errors import BackupError, HoldfastError, RepositoryError
from ..postgres.fingerprint import fingerprint_database, finish_sequences, mark_missing_data, totals
from ..postgres.meter import DumpMeter
from ..postgres.options import Compression
from ..postgres.snapshot import Snapshot
from ..reporting.progress import Progress
from ..repository import durable
from ..system import Finished, Running, System
from .context import Connected
from .throttle import Held, Throttle

_TABLE_DATA = re.compile(r"^\d+; \d+ (\d+) TABLE DATA ", re.MULTILINE)
_WARNING = re.compile(r"^\w+: warning: (.*)$", re.MULTILINE)
_FULL = ("No space left on device", "Disk quota exceeded")
_FREE_SPACE = (
    "Free space on that file system (holdfast prune), or give the repository a larger one. No half backup was kept."
)
#: What pg_dump says when a lock is not to be had: its own words, which its locale (C) does not translate.
_CROWDED = re.compile(r"could not obtain lock on relation|Query was: LOCK TABLE")
#: The snapshot holds every lock that pg_dump asks for. If it does not get one at once, somebody is queued in
#: front who wants the table alone, and who in turn waits for the snapshot: waiting longer is of no use.
_LOCK_WAIT = 1
_POLL = 0.1


@dataclass(frozen=True)
class DatabaseDump:
    """A finished dump of one database.

    :param path: of the dump, relative to the set.
    :param host_time: the snapshot's instant by this host's clock; ``snapshot_at``: by the server's.
    """

    name: str
    path: str
    host_time: datetime
    snapshot_at: datetime
    fingerprint: dict[str, Any]
    totals: dict[str, Any]
    warnings: list[str]
    not_covered: list[str]
    excluded: list[str]
    roles: list[str]

    def as_dict(self, files: Mapping[str, tuple[int, str]]) -> dict[str, Any]:
        """The manifest's entry of this database. ``files``: size and checksum of every file of the set."""
        properties = self.fingerprint["properties"]
        return {
            "name": self.name, "path": self.path, **self.totals,
            "size": sum(size for name, (size, _digest) in files.items() if name.startswith(self.path + "/")),
            "database_size": properties["size"], "encoding": properties["encoding"], "owner": properties["owner"],
            "extensions": self.fingerprint["extensions"], "excluded_tables": self.excluded, "roles": self.roles,
        }  # fmt: skip


@dataclass(frozen=True)
class GlobalsDump:
    """What came of dumping the globals."""

    passwords: bool
    warnings: list[str]
    limitations: list[str]


def directory_of(database: str) -> str:
    """The directory of a database's dump within a set: its name, percent-encoded, so that any name is safe.

    ``Shop EU`` → ``databases/Shop%20EU``, ``../x`` → ``databases/%2E%2E%2Fx``, ``-v`` → ``databases/%2Dv``.
    """
    encoded = quote(database, safe="")
    if encoded[0] in ".-":
        encoded = f"%{ord(encoded[0]):02X}" + encoded[1:]
    return "databases/" + encoded.replace(".", "%2E")


def dump_globals(connected: Connected, root: Path, passwords: bool, system: System) -> GlobalsDump:
    """Dump roles, their settings and grants, and tablespaces.

    :raises BackupError: pg_dumpall failed.
    :raises RepositoryError: the disk is full.
    """
    limitations = []
    with connected.server.connect() as connection:
        row = connection.execute("SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')").fetchone()
    if passwords and not (row and row[0]):
        limitations.append("the passwords of roles are not in this backup: this account may not read pg_authid")
        passwords = False
    elif not passwords:
        limitations.append("the passwords of roles are not in this backup, as configured")
    command = connected.tools.dump_globals(connected.server.maintenance_database, root / "globals.sql", passwords)
    done = system.run(command)
    if done.returncode != 0:
        raise _tool_failed(done, "the globals", root, None)
    if not _is_whole(root / "globals.sql"):
        reason = "no space is left on the device: pg_dumpall ended without an error, but what it wrote has no end"
        raise RepositoryError("write", f"the globals to {root.parent}", reason, _FREE_SPACE)
    return GlobalsDump(passwords, _warnings(done, "globals"), limitations)


def _is_whole(globals_file: Path) -> bool:
    """Whether pg_dumpall wrote to the end: on a full disk it leaves an empty file and the exit code 0.

    Measured with 16.14 and 18.4. Newer releases write a line or two behind the one that is looked for.
    """
    with open(globals_file, "rb") as stream:
        stream.seek(max(0, os.path.getsize(globals_file) - 4096))
        return b"PostgreSQL database cluster dump complete" in stream.read()


def dump_database(
    connected: Connected,
    system: System,
    progress: Progress,
    database: str,
    root: Path,
    options: BackupOptions,
    compression: Compression,
    throttle: Throttle,
) -> DatabaseDump:
    """Dump one database and take its fingerprint, both in one snapshot.

    Somebody who wants a table alone (TRUNCATE, ALTER TABLE) queues behind the snapshot's locks, and pg_dump's
    own connections would queue behind that: with the snapshot let go, they get their turn, and the dump is
    begun anew over one connection, which asks for its locks once, at its beginning.

    :raises RepositoryError: the disk is full.
    :raises HoldfastError: anything else; ``details["database"]`` names it.
    """
    progress.say(f"dumping database {database!r}")
    until: Optional[datetime] = None
    said: list[str] = []
    while True:
        throttle.wait()
        try:
            dumped = _attempt(connected, system, progress, database, root, options, compression, throttle)
            return replace(dumped, warnings=[*said, *dumped.warnings])
        except BackupError as error:
            if not error.details.get("crowded"):
                raise
            # Counted from when somebody first was in the way: until then a dump may take as long as it likes.
            until = until or system.now() + timedelta(seconds=options.lock_timeout)
            if system.now() > until:
                error.next_step = "End the session that asks for a table alone again and again, then run this again."
                raise
            said = [f"database {database}: somebody wanted a table alone, so it was dumped anew over one connection"]
            progress.say(f"{error.reason}: beginning anew")
            durable.remove_tree(root / directory_of(database))
            options = replace(options, jobs=1)


def _attempt(
    connected: Connected, system: System, progress: Progress, database: str, root: Path, options: BackupOptions,
    compression: Compression, throttle: Throttle,
) -> DatabaseDump:  # fmt: skip
    import psycopg

    path = directory_of(database)
    try:
        host_time = system.now()
        with Snapshot(connected.server, database, options.lock_timeout) as snapshot:
            command = connected.tools.dump(
                database,
                root / path,
                snapshot.id,
                compression,
                options.jobs,
                min(_LOCK_WAIT, options.lock_timeout),
                options.exclude_table_data,
            )
            running = system.start(throttle.stoppable(command))
            try:
                with throttle.held(command, running, root / path) as held:
                    facts = _watch(running, held, snapshot, options.fingerprint, connected, database, progress)
                    done = running.finish()
            except BaseException:
                running.stop()
                connected.server.place.stop(command)
                raise
            if done.returncode != 0:
                raise _tool_failed(done, f"database {database}", root, database)
            snapshot.require_alive()
            finish_sequences(facts, snapshot)
            roles = needed_roles(snapshot)
        excluded = mark_missing_data(facts, dumped_tables(connected, root / path, system))
        if not options.exclude_table_data and excluded:
            raise BackupError(
                "back up",
                f"database {database}",
                f"the dump lacks the rows of {', '.join(excluded[:10])}",
                "Report this: pg_dump ended without an error.",
                database=database,
                tables=excluded,
            )
    except psycopg.Error as error:
        raise BackupError(
            "back up",
            f"database {database}",
            " ".join(str(error).split()),
            "Look at the server's log, then run the backup again.",
            database=database,
        ) from error
    except HoldfastError as error:
        error.details.setdefault("database", database)
        raise
    return DatabaseDump(
        database, path, host_time, snapshot.taken_at, facts, totals(facts),
        [*_warnings(done, database), *_unheld(held, database)], facts["not_covered"], excluded, roles,
    )  # fmt: skip


def dumped_tables(connected: Connected, directory: Path, system: System) -> set[int]:
    """The object ids of the tables whose rows a dump holds, read from the dump itself.

    :raises BackupError: pg_restore cannot read it.
    """
    done = system.run(connected.tools.list_dump(directory))
    if done.returncode != 0:
        raise BackupError("read", f"the dump {directory.name}", done.last_error, "Run the backup again.")
    return {int(oid) for oid in _TABLE_DATA.findall(done.stdout)}


def needed_roles(snapshot: Snapshot) -> list[str]:
    """The roles that own something in the database, or are named in its grants and policies."""
    rows = snapshot.connection.execute(
        "SELECT pg_get_userbyid(refobjid) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass"
        " AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " UNION SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        " UNION SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid >= 16384"
        " UNION SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE oid >= 16384"
        " UNION SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE oid >= 16384 ORDER BY 1"
    ).fetchall()
    return [name for (name,) in rows if not name.startswith("pg_")]


def _watch(
    running: Running,
    held: Held,
    snapshot: Snapshot,
    level: str,
    connected: Connected,
    database: str,
    progress: Progress,
) -> dict[str, Any]:
    """Take the fingerprint beside the running dump, and tell how far that has come.

    The dump is a child of the calling thread; the fingerprint's queries run in another one. When either
    fails, the other is ended.
    """
    with ThreadPoolExecutor(1) as pool:
        fingerprint = pool.submit(fingerprint_database, snapshot, level)
        try:
            if progress.interval is not None:
                with DumpMeter(connected.server, database) as meter:
                    _until_done(running, held, fingerprint, progress, meter, database)
            else:
                _until_done(running, held, fingerprint, progress, None, database)
            if running.failed and not fingerprint.done():
                return {}  # Needless now; the error of the dump is the one to report.
            # A query that failed ended the snapshot, which fails the dump too: its error is the cause.
            return fingerprint.result()
        finally:
            # Between two of its queries there is nothing to cancel, so it is asked until it has ended.
            while not fingerprint.done():
                snapshot.connection.cancel()
                wait([fingerprint], _POLL)
            progress.close()


def _until_done(
    running: Running, held: Held, fingerprint: Future[dict[str, Any]], progress: Progress, meter: Optional[DumpMeter],
    database: str,
) -> None:  # fmt: skip
    waited = 0.0
    while not (running.poll() and (running.failed or fingerprint.done())):
        if fingerprint.done() and fingerprint.exception() is not None:
            return
        if running.poll():
            wait([fingerprint], _POLL)
        else:
            running.wait(_POLL)
        held.step()
        waited += _POLL
        if meter and progress.interval and waited >= progress.interval:
            waited = 0.0
            progress.at(f"dump {database}", *meter.sample())


def _tool_failed(done: Finished, what: str, root: Path, database: Optional[str]) -> HoldfastError:
    if any(sign in done.stderr for sign in _FULL):
        return RepositoryError(
            "write",
            f"{what} to {root.parent}",
            "no space is left on the device",
            _FREE_SPACE,
            database=database,
            stderr=done.stderr[-4000:],
        )
    return BackupError(
        "back up",
        what,
        done.last_error,
        "Mend what it says, then run the backup again.",
        database=database,
        exit_code=done.returncode,
        crowded=database is not None and _CROWDED.search(done.stderr) is not None,
        stderr=done.stderr[-4000:],
    )


def _unheld(held: Held, what: str) -> list[str]:
    return [f"{what}: the rate limit was not kept: {held.reason}"] if held.reason else []


def _warnings(done: Finished, what: str) -> list[str]:
    return [f"{what}: {text.strip()}" for text in _WARNING.findall(done.stderr)]
