# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in the repository: list it, check it, pin what must stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Optional

from ..config import ClusterConfig
from ..errors import ConfigError, IntegrityError, NotFoundError
from ..reporting.progress import Progress
from ..repository.entry import Entry
from ..repository.manifest import format_time, parse_time, time_of_id
from ..system import System, without_collector
from .context import explained, open_repository


def brief(entry: Entry, now: datetime) -> dict[str, Any]:
    """A backup as a list shows it. ``age`` and ``duration`` are in seconds, ``size`` in bytes."""
    facts: dict[str, Any] = {
        "id": entry.id,
        "state": entry.state,
        "pinned": entry.pinned,
        "problems": _problems(entry),
        "age": _age(entry, now),
    }
    if entry.manifest is None:
        return {**facts, "tiers": [entry.id.split("-")[1]], "time": format_time(time_of(entry))}
    told = entry.manifest.facts
    # A clock that was set back meanwhile makes it no shorter than nothing.
    seconds = max(0.0, (parse_time(told["finished"]) - parse_time(told["started"])).total_seconds())
    return {
        **facts,
        "tiers": told["tiers"], "method": told["method"], "note": told.get("note", ""), "time": told["time"],
        "duration": round(seconds, 3), "size": told["size"], "server_version": told["server"]["version"],
        "databases": [one["name"] for one in told["databases"]], "fingerprint": told["fingerprint"]["level"],
        "warnings": told["warnings"], "limitations": told["limitations"], "failures": told["failures"],
        "proof": entry.marks.get("proof"), "check": entry.marks.get("check"), "pin": entry.marks.get("pin"),
    }  # fmt: skip


def summary(entry: Entry, now: datetime) -> dict[str, Any]:
    """A backup in full: what :func:`brief` says, and what only its manifest does."""
    facts = brief(entry, now)
    if entry.manifest is None:
        return facts
    told = entry.manifest.facts
    return {
        **facts,
        "compression": told["compression"], "jobs": told.get("jobs"), "scope": told.get("scope"),
        "databases": told["databases"], "role_passwords": told["globals"].get("role_passwords"),
        # Backups of an earlier version have none.
        "configuration": [one["name"] for one in told.get("configuration", {}).get("files", [])],
    }  # fmt: skip


def time_of(entry: Entry) -> datetime:
    """The instant of a backup; where its manifest cannot be read, the one in its id."""
    if entry.manifest:
        return entry.manifest.time
    return time_of_id(entry.id)


@explained("list")
@without_collector
def catalogue(config: ClusterConfig, system: System, ids: Sequence[str] = ()) -> dict[str, Any]:
    """List the backups of a cluster, newest first.

    :param ids: only these, each in full.
    :raises NotFoundError: one of the ids does not exist.
    :raises RepositoryError: the repository cannot be read.
    """
    repository = open_repository(config)
    now = system.now()
    full = [summary(repository.entry(one), now) for one in ids]
    listed = full if ids else [brief(entry, now) for entry in repository.each()]
    listed.sort(key=lambda one: (one["time"], one["id"]), reverse=True)
    good = [one for one in listed if one["state"] in ("complete", "proven") and one["tiers"] != ["safety"]]
    return {
        "cluster": config.cluster,
        "repository": str(repository.path),
        "backups": listed,
        "latest": good[0]["id"] if good else None,
        "latest_proven": next((one["id"] for one in good if one["state"] == "proven"), None),
        "unrecognised": repository.unrecognised(),
    }


@explained("check")
def check(config: ClusterConfig, system: System, progress: Progress, ids: Sequence[str] = ()) -> dict[str, Any]:
    """Check every file of backups against its checksum, and keep the result as a mark.

    :returns: ``checked`` by id: the problems found (empty: none). One that is pruned meanwhile is not in it.
    :raises NotFoundError: one of the ids does not exist.
    """
    repository = open_repository(config)
    entries = [repository.entry(one) for one in ids] if ids else repository.entries()
    checked: dict[str, list[str]] = {}
    for entry in entries:
        progress.say(f"checking {entry.id}")
        if entry.manifest is None:
            checked[entry.id] = [str(entry.problem)]
            continue
        try:
            with repository.reading(entry.id, "check"):
                problems = repository.verify(entry)
                result = "corrupt" if problems else "ok"
                found = {"result": result, "time": format_time(system.now()), "problems": problems[:50]}
                repository.mark(entry.id, "check", found)
        except NotFoundError:
            if entry.id in ids:
                raise
            continue
        checked[entry.id] = problems
    return {
        "cluster": config.cluster,
        "checked": checked,
        "corrupt": sorted(one for one, problems in checked.items() if problems),
    }


def require_sound(result: dict[str, Any]) -> None:
    """Turn the result of a check that found something into an error.

    :raises IntegrityError: a backup is corrupt.
    """
    if result["corrupt"]:
        first = result["corrupt"][0]
        raise IntegrityError(
            "trust",
            f"{len(result['corrupt'])} backups of cluster {result['cluster']}",
            f"{first}: {result['checked'][first][0]}",
            "They no longer count as backups. Look at the disk's health, and take a new backup now.",
            **result,
        )


@explained("pin")
def pin(config: ClusterConfig, system: System, backup_id: str, note: str = "") -> dict[str, Any]:
    """Keep a backup whatever its age, until it is unpinned.

    :raises NotFoundError: there is no such backup.
    """
    repository = open_repository(config)
    entry = repository.entry(backup_id)
    if not entry.pinned or entry.marks["pin"].get("note", "") != note:
        repository.mark(backup_id, "pin", {"time": format_time(system.now()), "note": note})
        return {"changed": True, "backup": summary(repository.entry(backup_id), system.now())}
    return {"changed": False, "backup": summary(entry, system.now())}


@explained("unpin")
def unpin(config: ClusterConfig, system: System, backup_id: str) -> dict[str, Any]:
    """Let retention decide about a backup again.

    :raises NotFoundError: there is no such backup.
    """
    repository = open_repository(config)
    entry = repository.entry(backup_id)
    if entry.pinned:
        repository.mark(backup_id, "pin", None)
    return {"changed": entry.pinned, "backup": summary(repository.entry(backup_id), system.now())}


def select(
    config: ClusterConfig, entries: Sequence[Entry], wanted: str, before: Optional[datetime], database: Optional[str]
) -> Entry:
    """The backup that a restore means.

    :param wanted: an id, ``latest`` or ``latest_proven``. These two never mean a backup that a restore took of
        what it replaced: that holds what was wrong.
    :param before: only those taken at or before this instant (with ``latest`` and ``latest_proven``).
    :param database: only those that hold this database.
    :raises NotFoundError: there is none.
    :raises IntegrityError: the one that is named cannot be read.
    """
    if wanted not in ("latest", "latest_proven"):
        named = next((entry for entry in entries if entry.id == wanted), None)
        if named is None:
            raise _none(config, f"no backup {wanted!r} is in the catalogue", "See 'holdfast list' for the ids.")
        if named.manifest is None:
            raise IntegrityError(
                "restore", f"backup {wanted}", str(named.problem), "Use another backup (holdfast list).", id=wanted
            )
        return named
    usable = [
        entry for entry in entries
        if entry.sound and entry.manifest and not entry.of_something_wrong and (before is None or entry.manifest.time <= before)
        and (database is None or entry.manifest.database(database))
    ]  # fmt: skip
    what = f" that holds database {database!r}" if database else ""
    when = f" from before {format_time(before)}" if before else ""
    proven = [entry for entry in usable if entry.state == "proven" or database in entry.proved]
    found = proven if wanted == "latest_proven" else usable
    if not found:
        kind = "proven backup" if wanted == "latest_proven" else "sound backup"
        step = (
            f"{len(usable)} unproven ones are there: choose 'latest' to use the newest of them."
            if usable
            else "See 'holdfast list'."
        )
        raise _none(config, f"there is no {kind}{what}{when}", step)
    return max(found, key=lambda entry: (time_of(entry), entry.id))


def parse_instant(text: str) -> datetime:
    """Read a time that a user gave: ISO 8601 with a zone.

    :raises ConfigError: another form, or no zone, which could be hours off.
    """
    try:
        return parse_time(text)
    except ValueError as error:
        raise ConfigError(
            "read", f"time {text!r}", str(error), "Give ISO 8601 with a zone, such as 2026-11-22T10:00:00+01:00."
        ) from error


def _none(config: ClusterConfig, reason: str, step: str) -> NotFoundError:
    return NotFoundError("find", f"a backup of cluster {config.cluster}", reason, step)


def _age(entry: Entry, now: datetime) -> float:
    return round((now - time_of(entry)).total_seconds(), 3)


def _problems(entry: Entry) -> list[str]:
    if entry.manifest is None:
        return [str(entry.problem)]
    found = entry.marks.get("check", {}).get("problems", [])
    return [str(problem) for problem in found]
