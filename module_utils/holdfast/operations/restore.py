# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring data back: into a new database, in the place of one, or a whole cluster.

select → preflight → plan → safety backup of what is there → restore beside → compare the fingerprint →
swap by rename. A failure before the swap leaves the target untouched; the swap is one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Optional

from ..config import ClusterConfig
from ..errors import ConfigError, HoldfastError
from ..postgres.swap import Rename, TargetLock, swap, way_back
from ..reporting.progress import Progress
from ..reporting.text import duration
from ..repository.store import Repository
from ..system import System
from . import load
from .backup import BackupRequest, backup, override
from .catalogue import summary, time_of
from .context import Connected, connect, explained, open_repository
from .preflight import require_no_errors
from .proof import remember
from .restore_plan import RestorePlan, RestoreRequest, plan_with


@explained("restore")
def restore(config: ClusterConfig, request: RestoreRequest, system: System, progress: Progress) -> dict[str, Any]:
    """Restore.

    :returns: ``changed``, the plan, for each database its comparison, sizes and times, and ``rto``, ``rpo`` in seconds.
    :raises PreflightError: refused; nothing was touched.
    :raises VerificationError: the restored data differ from what was backed up; the target is as before.
    :raises RestoreError: anything else that failed; the target is as before.
    """
    began = system.now()
    repository = open_repository(config)
    connected = connect(config, system, repository, "restore")
    chosen = plan_with(config, request, system, repository, connected)
    what = f"{request.database or config.cluster} from {chosen.entry.id}"
    require_no_errors(chosen.checks, what)
    _require_confirmation(config, request)
    with ExitStack() as stack:
        stack.enter_context(repository.reading(chosen.entry.id, "restore"))
        for target in chosen.targets:
            stack.enter_context(TargetLock(connected.server, target.name))
        safety = _safety_backup(config, request, chosen, system, progress)
        databases, ended = _restore_and_swap(config, request, chosen, repository, connected, system, progress)
    finished = system.now()
    result = {
        "changed": True, "plan": chosen.as_dict(), "databases": databases,
        "safety_backup": safety, "sessions_ended": ended,
        "rto": round((finished - began).total_seconds(), 3), "rpo": round((began - time_of(chosen.entry)).total_seconds(), 3),
        "verdict": _verdict(databases), "warnings": remember(repository, chosen.entry, databases, f"restore ({chosen.mode})", system),
    }  # fmt: skip
    result["backup"] = summary(repository.entry(chosen.entry.id), finished)
    progress.say(f"restored {what} in {duration((finished - began).total_seconds())}: {result['verdict']}")
    return result


def _restore_and_swap(
    config: ClusterConfig, request: RestoreRequest, chosen: RestorePlan, repository: Repository, connected: Connected,
    system: System, progress: Progress,
) -> tuple[list[dict[str, Any]], int]:  # fmt: skip
    server, root = connected.server, repository.path_of(chosen.entry.id)
    jobs = request.jobs or config.backup.jobs
    databases: list[dict[str, Any]] = []
    expected = load.read_fingerprint(root)
    try:
        if chosen.mode == "whole_cluster":
            progress.say("creating roles and tablespaces")
            load.restore_globals(connected, root / "globals.sql", system)
        for one in chosen.targets:
            facts: Mapping[str, Any] = expected["databases"][one.database]
            dump = root / chosen.path_of(one.database)
            job = load.Job(one.database, one.temporary, dump, facts, jobs, request.analyze, request.compare)
            databases.append(
                {
                    **load.restore_database(connected, job, system, progress),
                    "name": one.name,
                    "kept_aside_as": one.aside,
                }
            )
        progress.say("swapping names")
        ended = swap(server, [Rename(one.temporary, one.name, one.aside) for one in chosen.targets])
    except BaseException as error:
        left = load.drop_all(server, [one.temporary for one in chosen.targets])
        if isinstance(error, HoldfastError) and left:
            error.details["left_behind"] = left
        raise
    finally:
        server.place.close()
    for one, told in zip(chosen.targets, databases):
        unwanted = chosen.mode == "whole_cluster" or not request.keep_replaced
        if one.aside and unwanted and not load.drop_all(server, [one.aside]):
            told["kept_aside_as"] = None
        elif one.aside:
            told["way_back"] = way_back(one.name, one.aside)
    return databases, ended


def _safety_backup(
    config: ClusterConfig, request: RestoreRequest, chosen: RestorePlan, system: System, progress: Progress
) -> Optional[str]:
    if chosen.mode != "in_place" or not request.safety_backup or not chosen.targets[0].exists:
        return None
    # Whatever ordinary backups leave out: after this one, the rows may be nowhere else.
    options = override(config.backup, databases=[chosen.targets[0].name], exclude_table_data=[])
    wanted = BackupRequest(("safety",), options=options, note=f"before the restore of {chosen.entry.id}")
    try:
        return str(backup(config, wanted, system, progress)["backup"]["id"])
    except HoldfastError as error:
        error.next_step += " To restore without it (the old database is kept aside all the same), set safety_backup to false (--no-safety-backup)."
        raise


def _verdict(databases: list[dict[str, Any]]) -> str:
    verdicts = {one["comparison"]["verdict"] for one in databases}
    return "match" if verdicts == {"match"} else "not_compared"


def _require_confirmation(config: ClusterConfig, request: RestoreRequest) -> None:
    expected = {"in_place": request.database, "whole_cluster": config.cluster}.get(request.mode)
    if expected is not None and request.confirm != expected:
        raise ConfigError(
            "restore",
            f"{request.mode.replace('_', ' ')}",
            f"it needs your say-so: confirm is {request.confirm!r}, not {expected!r}",
            f"Look at the plan (--dry-run, or check mode), then confirm with the name {expected!r}.",
        )
