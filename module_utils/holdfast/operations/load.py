# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Load one dump into a new, empty database, and compare it with the backup's fingerprint."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import IntegrityError, RestoreError, VerificationError
from ..postgres.blame import machine_error, machine_failed
from ..postgres.compare import compare
from ..postgres.fingerprint import SCHEMA, fingerprint_database, finish_sequences
from ..postgres.meter import RestoreMeter
from ..postgres.properties import apply_properties, create_database
from ..postgres.snapshot import Snapshot
from ..postgres.swap import drop
from ..reporting.progress import Progress
from ..system import Running, System
from .context import Connected

if TYPE_CHECKING:
    from ..postgres.server import Server

#: Settings of the sessions that load the dump. A crash while it loads loses the half-loaded new database,
#: which nobody uses yet; before the swap a checkpointed commit makes all of it durable.
LOAD_SETTINGS = {"synchronous_commit": "off", "maintenance_work_mem": "256MB", "max_parallel_maintenance_workers": "0"}
_EXISTS = "42710"
_SQL_ERROR = re.compile(r"(?:ERROR|FATAL|PANIC):  ([0-9A-Z]{5}): (.*)")
_POLL = 0.1
#: Seconds; nobody else uses what has just been restored.
_LOCK_TIMEOUT = 60


@dataclass(frozen=True)
class Job:
    """One database to load.

    :param database: its name in the backup; ``name``: the new database's.
    :param dump: directory of the dump.
    :param expected: its fingerprint in the backup.
    """

    database: str
    name: str
    dump: Path
    expected: Mapping[str, Any]
    jobs: int
    analyze: bool
    compare: bool


def read_fingerprint(root: Path) -> dict[str, Any]:
    """The fingerprint of a set, whose checksum has been checked before.

    :raises IntegrityError: it is of a newer form.
    """
    facts: dict[str, Any] = json.loads((root / "fingerprint.json").read_text(encoding="ascii"))
    if facts.get("schema") != SCHEMA:
        raise IntegrityError(
            "read",
            f"fingerprint of {root.name}",
            f"its schema is {facts.get('schema')!r}",
            "Use the Holdfast that wrote it.",
        )
    return facts


def restore_globals(connected: Connected, file: Path, system: System) -> list[str]:
    """Create roles and tablespaces. One that exists already is no failure; any other SQL error is.

    :returns: what existed already.
    :raises RestoreError: an SQL error, or psql failed.
    """
    done = system.run(connected.tools.run_sql(file, connected.server.maintenance_database))
    found = _SQL_ERROR.findall(done.stderr)
    errors = [f"{code} {text}" for code, text in found if code != _EXISTS]
    if errors or done.returncode != 0:
        raise RestoreError(
            "restore",
            "roles and tablespaces",
            "; ".join(errors[:5]) or done.last_error,
            "Mend what it says (a tablespace's directory must exist), then restore again: roles that exist are no failure.",
            errors=errors,
            stderr=done.stderr[-4000:],
            machine=machine_failed(done.returncode, done.stderr),
        )
    return [text for code, text in found if code == _EXISTS]


def restore_database(connected: Connected, job: Job, system: System, progress: Progress) -> dict[str, Any]:
    """Load a dump into a new database, analyze it and compare it. The caller drops it when this fails.

    :returns: ``database``, ``size`` in bytes, ``seconds`` of each step and the ``comparison``.
    :raises RestoreError: an SQL error, or the server went away.
    :raises VerificationError: the data are not those that were backed up.
    """
    loaded = load_database(connected, job, system, progress)
    began = system.now()
    comparison = compare_database(connected.server, job, progress)
    require_match(job, comparison)
    seconds = {**loaded["seconds"], "compare": round((system.now() - began).total_seconds(), 3)}
    return {**loaded, "seconds": seconds, "comparison": comparison}


def load_database(connected: Connected, job: Job, system: System, progress: Progress) -> dict[str, Any]:
    """Load a dump into a new database, and analyze it.

    :returns: ``database``, ``size`` in bytes and ``seconds`` of each step.
    :raises RestoreError: an SQL error, or the server went away.
    """
    import psycopg

    server, properties = connected.server, job.expected["properties"]
    seconds: dict[str, float] = {}
    began = system.now()

    def took(step: str) -> None:
        nonlocal began
        seconds[step], began = round((system.now() - began).total_seconds(), 3), system.now()

    try:
        progress.say(f"restoring {job.database!r} into {job.name!r}")
        with server.connect() as connection:
            create_database(connection, job.name, dict(properties))
        _load(connected, job, system, progress)
        took("load")
        with server.connect() as connection:
            apply_properties(connection, job.name, dict(properties))
        if job.analyze:
            progress.say(f"analyzing {job.name!r}")
            done = system.run(connected.tools.analyze(job.name, job.jobs))
            if done.returncode != 0:
                raise _failed(job, done.last_error, done.stderr, machine_failed(done.returncode, done.stderr))
            took("analyze")
        with server.connect() as connection:
            row = connection.execute("SELECT pg_database_size(%s::name)", [job.name]).fetchone()
    except psycopg.Error as error:
        raise _failed(job, " ".join(str(error).split()), "", machine_error(error)) from error
    return {"database": job.database, "size": row[0] if row else None, "seconds": seconds}


def compare_database(
    server: Server, job: Job, progress: Progress, meanwhile: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Hold a restored database against the fingerprint of its backup.

    :param meanwhile: called once the restored data are held in a snapshot: what it does to them is not seen.
    :returns: as :func:`~holdfast.postgres.compare.compare` does.
    """
    import psycopg

    expected = dict(job.expected)
    if not job.compare or expected["level"] == "none":
        meanwhile()
        return compare({**expected, "level": "none"}, {**expected, "level": "none"})
    progress.say(f"comparing {job.name!r} with the backup's fingerprint")
    try:
        with Snapshot(server, job.name, _LOCK_TIMEOUT) as snapshot:
            meanwhile()
            found = fingerprint_database(snapshot, expected["level"])
            finish_sequences(found, snapshot)
    except psycopg.Error as error:
        raise _failed(job, " ".join(str(error).split()), "", machine_error(error)) from error
    return compare(expected, found)


def require_match(job: Job, comparison: Mapping[str, Any]) -> None:
    """Turn a comparison that found differences into an error.

    :raises VerificationError: the data are not those that were backed up.
    """
    if comparison["verdict"] == "mismatch":
        raise VerificationError(
            "trust",
            f"what was restored of database {job.database!r}",
            f"{len(comparison['differences'])} differences: {'; '.join(comparison['differences'][:5])}",
            "The target is as it was. Restore another backup, or look at this one in a new database with compare off.",
            database=job.database,
            comparison=comparison,
        )


def drop_all(server: Server, names: Sequence[str]) -> list[str]:
    """Drop databases that a failed restore made.

    :returns: those that could not be dropped.
    """
    import psycopg

    from ..errors import HoldfastError

    left = []
    for name in names:
        try:
            drop(server, name)
        except (psycopg.Error, HoldfastError):
            left.append(name)
    return left


def _load(connected: Connected, job: Job, system: System, progress: Progress) -> None:
    command = connected.tools.restore(job.dump, job.name, job.jobs, LOAD_SETTINGS)
    running = system.start(command)
    try:
        if progress.interval is not None:
            with RestoreMeter(connected.server, job.name, int(job.expected["properties"]["size"])) as meter:
                _watch(running, progress, meter, job.database)
        done = running.finish()
    except BaseException:
        running.stop()
        connected.server.place.stop(command)
        raise
    finally:
        progress.close()
    if done.returncode != 0:
        raise _failed(job, done.last_error, done.stderr, machine_failed(done.returncode, done.stderr))


def _watch(running: Running, progress: Progress, meter: RestoreMeter, database: str) -> None:
    waited = 0.0
    while not running.poll():
        running.wait(_POLL)
        waited += _POLL
        if progress.interval and waited >= progress.interval:
            waited = 0.0
            progress.at(f"restore {database}", *meter.sample())


def _failed(job: Job, reason: str, stderr: str, machine: bool) -> RestoreError:
    return RestoreError(
        "restore",
        f"database {job.database!r}",
        reason,
        "The target is as it was. Mend what it says, or restore another backup.",
        database=job.database,
        stderr=stderr[-4000:],
        machine=machine,
    )
