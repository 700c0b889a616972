# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure a cluster: its backups, its proofs, its schedule, its disks, its server. Whatever cannot be seen is said."""

from __future__ import annotations

import contextlib
import os
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Optional

from .. import __version__
from ..config import ClusterConfig
from ..errors import HoldfastError
from ..postgres.health import read_health
from ..reporting import metrics
from ..repository.entry import Entry
from ..repository.evidence import Evidence
from ..repository.manifest import parse_time
from ..repository.retention import BROKEN_STATES, SOUND_STATES, TIERS
from ..repository.store import Repository
from ..scheduling import backend
from ..scheduling.due import JobState
from ..scheduling.state import RunFacts, RunState
from ..system import System
from .catalogue import time_of
from .context import explained, open_repository, reach
from .schedule import look

#: With how many of the backups before it the size of the newest is compared.
_COMPARED = 7


@dataclass
class Measured:
    """What was found; a part is None or empty where it could not be had, and ``problems`` says why.

    :param newest: id, time, seconds, size and ``ratio`` (to the median of those before; None if there are none).
    :param last: by tier, the instant of its newest sound backup.
    :param retained: sound backups by tier; ``states``: all by state.
    :param drills: the evidence, newest first.
    :param told: whether everybody who was to be told could be told, the last time; None: there was nothing to tell.
    :param disks: by ``repository`` and ``volume``, size and free space of the file system in bytes.
    :param server: what :func:`~holdfast.postgres.health.read_health` says.
    """

    cluster: str
    now: datetime
    problems: dict[str, HoldfastError] = field(default_factory=dict)
    newest: Optional[dict[str, Any]] = None
    last: dict[str, datetime] = field(default_factory=dict)
    retained: dict[str, int] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    oldest: Optional[datetime] = None
    repository_bytes: Optional[int] = None
    drills: list[dict[str, Any]] = field(default_factory=list)
    proven: Optional[datetime] = None
    disks: dict[str, tuple[int, int]] = field(default_factory=dict)
    jobs: tuple[JobState, ...] = ()
    installed: Optional[bool] = None
    alive: Optional[bool] = None
    runs: RunFacts = field(default_factory=RunFacts)
    running: bool = False
    told: Optional[bool] = None
    server: Optional[dict[str, Optional[float]]] = None


@explained("measure")
def measure(config: ClusterConfig, system: System) -> Measured:
    """Measure everything that can be seen from here. Raises nothing for what cannot."""
    found = Measured(config.cluster, system.now())
    state = RunState(config.state_dir, config.cluster)
    found.runs, found.running = state.read(), state.is_running()
    if "last" in found.runs.told:
        found.told = all(one["ok"] for one in found.runs.told["last"]["channels"])
    found.installed = backend.installed(config.schedule, config.cluster, system)
    found.alive = backend.alive(config.schedule, config.cluster, system)
    repository = None
    try:
        repository = open_repository(config)
        _measure_repository(found, config, repository, system)
    except HoldfastError as error:
        found.problems["repository"] = error
    try:
        _measure_server(found, config, repository, system)
    except HoldfastError as error:
        found.problems["server"] = error
    return found


@explained("write the metrics of")
def write_metrics(config: ClusterConfig, system: System) -> dict[str, Any]:
    """Measure, and write the file for the textfile collector.

    :returns: ``file``, and ``problems`` by part.
    :raises RepositoryError: the directory cannot be written to.
    """
    found = measure(config, system)
    file = None
    if config.monitor.textfile is not None:
        file = metrics.write(config.monitor.textfile, found.cluster, samples(found))
    return {
        "changed": file is not None, "cluster": config.cluster, "file": file,
        "problems": {part: str(error) for part, error in found.problems.items()},
    }  # fmt: skip


def samples(found: Measured) -> list[metrics.Sample]:
    """What was found, as samples. A value that could not be had is left out: an alert is to notice that."""
    one = metrics.Sample
    listed = [
        one("build_info", 1, {"version": __version__}),
        one("metrics_timestamp_seconds", found.now.timestamp()),
        one("repository_up", "repository" not in found.problems),
        one("server_up", found.server is not None),
        one("backups_pruned_total", found.runs.pruned),
        one("backup_oldest_timestamp_seconds", _stamp(found.oldest)),
        one("repository_size_bytes", found.repository_bytes),
        one("schedule_installed", found.installed),
        one("scheduler_up", found.alive),
    ]
    listed += [
        one("backup_last_success_timestamp_seconds", time.timestamp(), {"tier": tier})
        for tier, time in found.last.items()
    ]
    listed += [one("backups_retained", count, {"tier": tier}) for tier, count in found.retained.items()]
    listed += [one("backups_state", count, {"state": state}) for state, count in found.states.items()]
    if found.newest:
        listed += [
            one("backup_newest_timestamp_seconds", found.newest["time"].timestamp()),
            one("backup_newest_duration_seconds", found.newest["seconds"]),
            one("backup_newest_size_bytes", found.newest["size"]),
            one("backup_newest_size_ratio", found.newest["ratio"]),
        ]
    for disk, (total, free) in found.disks.items():
        listed += [one(f"{disk}_filesystem_size_bytes", total), one(f"{disk}_filesystem_free_bytes", free)]
    for job in found.jobs:
        label = {"job": job.job}
        listed += [
            one("schedule_missed", job.missed, label), one("schedule_due_timestamp_seconds", job.due.timestamp(), label),
            one("schedule_next_timestamp_seconds", job.next.timestamp(), label),
        ]  # fmt: skip
    for name, last in found.runs.jobs.items():
        label = {"job": name}
        listed += [
            one("run_last_timestamp_seconds", parse_time(last["finished"]).timestamp(), label),
            one("run_last_success", last["success"], label), one("run_last_duration_seconds", last["seconds"], label),
        ]  # fmt: skip
    if "prune" in found.runs.jobs:
        listed.append(one("prune_last_timestamp_seconds", parse_time(found.runs.jobs["prune"]["finished"]).timestamp()))
    if found.told is not None:
        listed.append(one("notification_success", found.told))
    if found.running and found.runs.running:
        listed.append(one("run_started_timestamp_seconds", parse_time(found.runs.running["started"]).timestamp()))
    return [*listed, *_drills(found), *_server(found)]


def _drills(found: Measured) -> list[metrics.Sample]:
    one = metrics.Sample
    listed = []
    if found.drills:
        last = found.drills[0]
        listed += [
            one("drill_last_timestamp_seconds", parse_time(last["finished"]).timestamp()),
            one("drill_success", last["verdict"] == "passed"),
        ]
    proved = next((drill for drill in found.drills if drill["verdict"] == "passed" and drill["proven"]), None)
    if proved:
        listed += [
            one("last_proven_timestamp_seconds", parse_time(proved["finished"]).timestamp()),
            one("last_proven_backup_timestamp_seconds", parse_time(proved["backup"]["time"]).timestamp()),
            one("rto_seconds", proved["rto"]), one("rpo_seconds", proved["rpo"]),
        ]  # fmt: skip
    return listed


def _server(found: Measured) -> list[metrics.Sample]:
    one, told = metrics.Sample, found.server or {}
    return [
        one("databases_size_bytes", told.get("databases_bytes")), one("wal_size_bytes", told.get("wal_bytes")),
        one("sessions_waiting_for_locks", told.get("lock_waits")), one("lock_wait_seconds", told.get("lock_wait_seconds")),
    ]  # fmt: skip


def _measure_repository(found: Measured, config: ClusterConfig, repository: Repository, system: System) -> None:
    entries = repository.entries()
    sound = sorted((entry for entry in entries if entry.state in SOUND_STATES and entry.manifest), key=time_of)
    counted = Counter(entry.state for entry in entries)
    found.states = {state: counted[state] for state in (*SOUND_STATES, *BROKEN_STATES)}
    for tier in TIERS:
        of_tier = [entry for entry in sound if tier in entry.known.facts["tiers"]]
        if of_tier:
            found.retained[tier] = len(of_tier)
            found.last[tier] = time_of(of_tier[-1])
    usual = [entry for entry in sound if entry.known.facts["tiers"] != ["safety"]]
    if usual:
        found.newest = _newest(usual)
        found.oldest = time_of(sound[0])
    found.repository_bytes = sum(int(entry.known.facts["size"]) for entry in entries if entry.manifest)
    found.disks["repository"] = _disk(repository.path)
    found.proven = max((time_of(entry) for entry in sound if entry.state == "proven"), default=None)
    evidence = Evidence(repository.path, repository.owner)
    for drill_id in reversed(evidence.ids()):
        try:
            found.drills.append(evidence.read(drill_id))
        except HoldfastError as error:
            found.problems["evidence"] = error
    if config.schedule.backend != "none":
        found.jobs = look(config, repository, system).states


def _measure_server(found: Measured, config: ClusterConfig, repository: Optional[Repository], system: System) -> None:
    server = reach(config, system, repository, "measure")
    try:
        with server.connect() as connection:
            found.server = read_health(connection)
        directory = server.facts.data_directory
        path = server.place.path_on_host(directory) if directory else None
        if path is not None:
            with contextlib.suppress(OSError):  # An account that may not look there is told nothing.
                found.disks["volume"] = _disk(path)
    finally:
        server.place.close()


def _newest(sound: Sequence[Entry]) -> dict[str, Any]:
    entry = sound[-1]
    told = entry.known.facts
    scope = told.get("scope")
    before = [int(one.known.facts["size"]) for one in sound[:-1] if one.known.facts.get("scope") == scope][-_COMPARED:]
    usual = statistics.median(before) if before else 0
    seconds = (parse_time(told["finished"]) - parse_time(told["started"])).total_seconds()
    return {
        "id": entry.id, "time": time_of(entry), "seconds": max(0.0, seconds), "size": int(told["size"]),
        "ratio": round(int(told["size"]) / usual, 4) if usual else None,
    }  # fmt: skip


def _disk(path: Path) -> tuple[int, int]:
    """Size and free bytes of a file system, as an account that is not root has them."""
    facts = os.statvfs(path)
    return (facts.f_blocks - facts.f_bfree + facts.f_bavail) * facts.f_frsize, facts.f_bavail * facts.f_frsize


def _stamp(time: Optional[datetime]) -> Optional[float]:
    return time.timestamp() if time else None
