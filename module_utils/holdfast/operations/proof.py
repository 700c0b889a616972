# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What proves a backup: each of its databases was restored, and had the fingerprint that it was backed up with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..config import ClusterConfig
from ..errors import BusyError, RepositoryError
from ..reporting.progress import Progress
from ..repository.entry import Entry
from ..repository.manifest import format_time
from ..repository.store import Repository
from ..system import System
from . import load, throwaway
from .preflight import check_backup, require_no_errors
from .throwaway import Restored


def remember(
    repository: Repository, entry: Entry, databases: Sequence[Mapping[str, Any]], by: str, system: System
) -> list[str]:
    """Remember which databases of a backup have been proved to restore; all of them prove the backup.

    :param databases: each with ``database``, ``seconds`` of its steps, and its ``comparison``.
    :param by: what proved them.
    :returns: why that could not be remembered. The data were restored all the same, so it is no failure.
    """
    before = entry.marks.get("proof", {}).get("databases", {})
    proved = {
        one["database"]: {
            "time": format_time(system.now()),
            "by": by,
            "seconds": round(sum(one["seconds"].values()), 3),
            "rows": one["comparison"]["rows"],
        }
        for one in databases
        if one["comparison"]["verdict"] == "match"
    }
    if proved and entry.known.outcome == "complete":
        try:
            repository.mark(entry.id, "proof", {"databases": {**before, **proved}})
        except (RepositoryError, BusyError) as error:
            return [str(error)]
    return []


def prove(
    config: ClusterConfig, restored: Restored, backup_id: str, by: str, repository: Repository, system: System,
    progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """Restore a backup into a throwaway server and hold it against its fingerprint, nothing more.

    :returns: ``restore_seconds``.
    :raises HoldfastError: it could not be restored, or what came of it differs from what was backed up.
    """
    began = system.now()
    entry = repository.entry(backup_id)
    manifest, root = entry.known.facts, repository.path_of(entry.id)
    with repository.reading(entry.id, by):
        checks = check_backup(repository, entry, [one["name"] for one in manifest["databases"]], system)
        require_no_errors(checks, f"{config.cluster} from {entry.id}")
        expected = load.read_fingerprint(root)
        throwaway.fill(restored, root, manifest, expected, config.backup.jobs, system, progress)
        for one, told in zip(manifest["databases"], restored.databases):
            facts = expected["databases"][one["name"]]
            job = restored.job(root / one["path"], one["name"], facts, config.backup.jobs)
            told["comparison"] = load.compare_database(restored.server, job, progress)
            load.require_match(job, told["comparison"])
        remember(repository, entry, restored.databases, by, system)
    return {"restore_seconds": round((system.now() - began).total_seconds(), 3)}
