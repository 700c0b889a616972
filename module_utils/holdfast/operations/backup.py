# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a backup: plan it, and carry the plan out.

config → access → hold one exported snapshot → fingerprint and dump in that snapshot → write below
``.partial-…`` → checksum and fsync every file → manifest last → rename into place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Optional

from .. import __version__
from ..config import BackupOptions, ClusterConfig
from ..errors import BackupError, ConfigError, HoldfastError, NotFoundError, RepositoryError
from ..postgres.properties import is_being_restored, is_kept_aside
from ..postgres.tools import ChosenCompression
from ..reporting.progress import Progress
from ..repository import durable
from ..repository.entry import Entry
from ..repository.manifest import CHECKSUMS, build, checksum_lines, format_time, new_id
from ..repository.retention import TIERS
from ..repository.store import Partial, Repository
from ..system import System
from .catalogue import summary
from .context import Connected, connect, explained, open_repository
from .dump import DatabaseDump, dump_database, dump_globals
from .dump_configuration import dump_configuration
from .runbook import write_runbook
from .throttle import Throttle

#: A database whose rows fall below this share of the last backup's is flagged: it may have been emptied.
_COLLAPSE = 0.5
#: Clocks of host and server that differ by more than this make ages doubtful.
_SKEW = timedelta(minutes=1)


@dataclass(frozen=True)
class BackupRequest:
    """What is asked for.

    :param tiers: why it is taken; one backup may serve several.
    :param if_older_than: take none while a sound one of every tier is younger than this.
    :param options: how; the cluster's own unless overridden.
    :param wait: seconds to wait for another backup of this cluster to end.
    """

    tiers: tuple[str, ...] = ("manual",)
    if_older_than: Optional[timedelta] = None
    method: str = "logical"
    note: str = ""
    wait: float = 0.0
    options: BackupOptions = field(default_factory=BackupOptions)


@dataclass(frozen=True)
class Dumps:
    """What a backup will hold.

    :param skipped: databases that are left out although nobody asked for that, and why.
    :param size: of the databases on the server, in bytes.
    """

    databases: tuple[str, ...]
    skipped: Mapping[str, str]
    size: int
    compression: ChosenCompression


@dataclass(frozen=True)
class BackupPlan:
    """What a run will do: take ``dumps``, or nothing because ``existing`` is young enough."""

    reason: str
    existing: Optional[Entry] = None
    dumps: Optional[Dumps] = None

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON, for check mode and ``--dry-run``."""
        if self.dumps is None:
            return {
                "action": "none",
                "reason": self.reason,
                "existing": self.existing.id if self.existing else None,
                "databases": [],
            }
        return {
            "action": "back up",
            "reason": self.reason,
            "existing": None,
            "databases": list(self.dumps.databases),
            "skipped_databases": dict(self.dumps.skipped),
            "database_bytes": self.dumps.size,
            "compression": self.dumps.compression.as_dict(),
        }


def override(options: BackupOptions, **given: Any) -> BackupOptions:
    """The cluster's options with those that were given for this run.

    :raises ConfigError: a value that the configuration would refuse too.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    for name, value in BackupOptions.from_config(chosen, "of this run").__dict__.items():
        if name in chosen:
            options = replace(options, **{name: value})
    return options


def comprehensive(options: BackupOptions) -> BackupOptions:
    """All databases, all rows, the deepest fingerprint: what is kept for months, and proved."""
    return replace(options, databases=(), exclude_table_data=(), fingerprint="digest")


@explained("back up")
def plan(config: ClusterConfig, request: BackupRequest, system: System) -> BackupPlan:
    """Decide what a backup would do, without writing anything.

    :raises HoldfastError: it cannot be done.
    """
    repository = open_repository(config)
    existing = _young_enough(repository.entries(), request, system.now())
    if existing:
        return BackupPlan(_enough(request, existing), existing)
    dumps = _plan_dumps(config, request, connect(config, system, repository, "backup"))
    return BackupPlan(_needed(request), dumps=dumps)


@explained("back up")
def backup(config: ClusterConfig, request: BackupRequest, system: System, progress: Progress) -> dict[str, Any]:
    """Take a backup.

    :returns: ``changed``, and the summary of the backup that was taken or that was young enough.
    :raises BackupError: a database failed. The others are in a set of state ``failed``, named in the details.
    :raises HoldfastError: anything else that kept it from being taken; the catalogue is as before.
    """
    repository = open_repository(config)
    with repository.writer("back up", request.wait):
        # Asked under the lock: whoever waited for another backup may find that it was enough.
        existing = _young_enough(repository.entries(), request, system.now())
        if existing:
            return {"changed": False, "reason": _enough(request, existing), "backup": summary(existing, system.now())}
        connected = connect(config, system, repository, "backup")
        connected.server.place.remove_leftovers()
        dumps = _plan_dumps(config, request, connected)
        began = system.now()
        backup_id = new_id(began, request.tiers[0], system.token())
        progress.say(f"backing up {len(dumps.databases)} databases of cluster {config.cluster} as {backup_id}")
        with repository.partial(backup_id) as partial:
            try:
                entry = _write(
                    config, request, system, progress, repository, connected, dumps, partial, backup_id, began
                )
            except OSError as error:
                durable.refuse(error, "write", repository.path)
    _tell_how_to_do_without(config, connected, system, progress)
    if entry.state == "failed":
        raise _partly_failed(config, entry)
    return {"changed": True, "reason": _needed(request), "backup": summary(entry, system.now())}


def _tell_how_to_do_without(config: ClusterConfig, connected: Connected, system: System, progress: Progress) -> None:
    """Have the RUNBOOK say what is true now. The backup is there, with it or without."""
    try:
        write_runbook(config, system, connected.server)
    except HoldfastError as error:
        progress.say(str(error))


def _plan_dumps(config: ClusterConfig, request: BackupRequest, connected: Connected) -> Dumps:
    present = {entry["name"]: entry for entry in connected.server.databases()}
    missing = [name for name in request.options.databases if name not in present]
    if missing:
        raise NotFoundError(
            "back up",
            f"database {missing[0]!r}",
            f"cluster {config.cluster} has no such database",
            f"It has: {', '.join(sorted(present))}. Templates are never backed up.",
            missing=missing,
            present=sorted(present),
        )
    usual = (name for name, entry in present.items() if entry["allows_connections"] and not is_being_restored(name))
    wanted = tuple(dict.fromkeys(request.options.databases or usual))
    return Dumps(
        databases=wanted,
        skipped=_skipped(present, wanted),
        size=sum(present[name]["size"] or 0 for name in wanted),
        compression=connected.tools.choose_compression(request.options.compression),
    )


def _write(
    config: ClusterConfig, request: BackupRequest, system: System, progress: Progress, repository: Repository,
    connected: Connected, chosen: Dumps, partial: Partial, backup_id: str, began: datetime,
) -> Entry:  # fmt: skip
    place, options = connected.server.place, request.options
    (partial.path / "databases").mkdir(mode=durable.DIRECTORY_MODE)
    durable.give_to(partial.path, repository.owner)
    dumps: list[DatabaseDump] = []
    failures: list[HoldfastError] = []
    throttle = Throttle(options.rate_limit, place, system)
    try:
        facts = dump_globals(connected, partial.path, options.role_passwords, system)
        configuration = dump_configuration(connected.server, partial.path, options.configuration)
        for name in chosen.databases:
            try:
                dumps.append(
                    dump_database(
                        connected,
                        system,
                        progress,
                        name,
                        partial.path,
                        options,
                        chosen.compression.compression,
                        throttle,
                    )
                )
            except RepositoryError:
                raise
            except HoldfastError as error:
                failures.append(error)
                progress.say(str(error))
    finally:
        place.close()
    if not dumps and failures:
        raise failures[0]
    durable.write_file(partial.path / "fingerprint.json", durable.to_json(_fingerprint(connected, options, dumps)))
    progress.say("checksumming and flushing to disk")
    names = [name for name in durable.regular_files(partial.path) if not name.startswith(".")]
    files = durable.seal(partial.path, names, options.jobs)
    lines = checksum_lines(files)
    durable.write_file(partial.path / CHECKSUMS, lines)
    _size, digest = durable.measure(partial.path / CHECKSUMS)
    total = sum(size for size, _digest in files.values()) + len(lines)
    snapshots = [dump.snapshot_at for dump in dumps]
    warnings = [*facts.warnings, *(warning for dump in dumps for warning in dump.warnings)]
    if snapshots and abs(min(snapshots) - dumps[0].host_time) > _SKEW:
        warnings.append(
            f"the clocks of this host and of the server differ by {abs(min(snapshots) - dumps[0].host_time)}"
        )
    warnings += _comparisons(repository.entries(), dumps, began)
    limitations = [*facts.limitations, *configuration.limitations]
    limitations += [f"database {dump.name}: {text}" for dump in dumps for text in dump.not_covered]
    limitations += [f"database {name} was skipped: {why}" for name, why in chosen.skipped.items()]
    warnings += [
        f"database {name} was replaced by a restore and is part of this backup: drop it when it is no longer needed"
        for name in chosen.databases
        if is_kept_aside(name)
    ]
    server = connected.server.facts
    manifest = build({
        "id": backup_id, "cluster": config.cluster, "repository": repository.uuid, "holdfast": __version__,
        "tiers": list(request.tiers), "method": request.method, "note": request.note,
        "outcome": "failed" if failures else "complete",
        "started": format_time(began), "finished": format_time(system.now()), "time": format_time(dumps[0].host_time if dumps else began),
        "scope": list(options.databases) or "all", "size": total,
        "server": {
            "version": server.version, "version_num": server.version_num, "system_identifier": server.system_identifier,
            "in_recovery": server.in_recovery, "access": place.describe(),
        },
        "tools": {"version": connected.tools.version},
        "compression": chosen.compression.as_dict(),
        "jobs": options.jobs, "rate_limit": options.rate_limit, "exclude_table_data": list(options.exclude_table_data),
        "databases": [dump.as_dict(files) for dump in dumps],
        "globals": {"path": "globals.sql", "role_passwords": facts.passwords},
        "configuration": configuration.facts,
        "fingerprint": {"level": options.fingerprint, "path": "fingerprint.json"},
        "files": {"path": CHECKSUMS, "sha256": digest, "count": len(files)},
        "warnings": warnings, "limitations": limitations,
        "failures": [{"database": error.details.get("database"), "reason": error.reason, "next_step": error.next_step} for error in failures],
    })  # fmt: skip
    repository.publish(partial, manifest)
    progress.say(f"{backup_id} is in the catalogue")
    return repository.entry(backup_id)


def _fingerprint(connected: Connected, options: BackupOptions, dumps: Sequence[DatabaseDump]) -> dict[str, Any]:
    from ..postgres.fingerprint import SCHEMA, fingerprint_cluster

    return {
        "schema": SCHEMA,
        "level": options.fingerprint,
        "cluster": fingerprint_cluster(connected.server),
        "databases": {dump.name: dump.fingerprint for dump in dumps},
    }


def _enough(request: BackupRequest, existing: Entry) -> str:
    return f"{existing.id} is younger than {request.if_older_than}"


def _needed(request: BackupRequest) -> str:
    return "asked for" if request.if_older_than is None else "no sound backup of every tier is young enough"


def _check(request: BackupRequest) -> None:
    unknown = [tier for tier in request.tiers if tier not in TIERS]
    if unknown or not request.tiers:
        raise ConfigError(
            "back up", f"tier {', '.join(unknown) or 'nothing'}", "there is no such tier", f"Tiers: {', '.join(TIERS)}."
        )
    if request.method != "logical":
        raise ConfigError(
            "back up", f"with method {request.method}", "this Holdfast does not have it", "Use method logical."
        )


def _young_enough(entries: Sequence[Entry], request: BackupRequest, now: datetime) -> Optional[Entry]:
    """A sound backup that makes a new one needless, or None. One from the future proves nothing."""
    _check(request)
    if request.if_older_than is None:
        return None
    found: Optional[Entry] = None
    for tier in request.tiers:
        found = None
        for entry in entries:
            manifest = entry.manifest
            if not entry.sound or manifest is None or tier not in manifest.tiers:
                continue
            if timedelta(0) <= now - manifest.time < request.if_older_than and _covers(
                manifest.facts.get("scope"), request.options.databases
            ):
                found = entry
        if found is None:
            return None
    return found


def _skipped(present: Mapping[str, Mapping[str, Any]], wanted: Collection[str]) -> dict[str, str]:
    """The databases that are left out although nobody asked for that, and why."""
    reasons = {}
    for name, entry in present.items():
        if name not in wanted and not entry["allows_connections"]:
            reasons[name] = "it takes no connections"
        elif name not in wanted and is_being_restored(name):
            reasons[name] = "a restore is loading it, or died while it did"
    return reasons


def _covers(scope: Any, wanted: Sequence[str]) -> bool:
    return scope == "all" or (bool(wanted) and isinstance(scope, list) and set(wanted) <= set(scope))


def _comparisons(entries: Sequence[Entry], dumps: Sequence[DatabaseDump], now: datetime) -> list[str]:
    """What is odd in comparison with the catalogue: collapsed databases, backups of the future."""
    said = []
    sound = [entry for entry in entries if entry.sound and entry.manifest]
    future = [entry.id for entry in sound if entry.manifest and entry.manifest.time > now + _SKEW]
    if future:
        said.append(
            f"the catalogue has {len(future)} backups from the future (first: {future[0]}): was a clock set back?"
        )
    for dump in dumps:
        before = [
            entry.manifest.database(dump.name) for entry in sound if entry.manifest and entry.manifest.time <= now
        ]
        rows = [entry["rows"] for entry in before if entry and entry.get("rows")]
        if rows and dump.totals["rows"] is not None and dump.totals["rows"] < rows[-1] * _COLLAPSE:
            said.append(
                f"database {dump.name} has {dump.totals['rows']} rows, the backup before had {rows[-1]}: was it emptied?"
            )
    return said


def _partly_failed(config: ClusterConfig, entry: Entry) -> BackupError:
    failures = entry.known.facts["failures"]
    named = "; ".join(f"{failure['database']}: {failure['reason']}" for failure in failures)
    good = ", ".join(database["name"] for database in entry.known.facts["databases"])
    return BackupError(
        "back up",
        f"all of cluster {config.cluster}",
        f"{len(failures)} databases failed ({named})",
        f"{failures[0]['next_step']} The others ({good}) are kept in {entry.id}, whose state is failed.",
        id=entry.id,
        failures=failures,
    )


def parse_age(text: str) -> timedelta:
    """Read an age such as ``20h``, ``6d``, ``90m`` or ``3600``.

    :raises ConfigError: another form.
    """
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    number, unit = (text[:-1], text[-1:]) if text[-1:] in units else (text, "s")
    if not (number.isascii() and number.isdigit()):
        raise ConfigError(
            "read", f"age {text!r}", "it is not a number with a unit", "Give one such as 20h, 6d, 90m or 4w."
        )
    return timedelta(seconds=int(number) * units[unit])
