# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is broken, how much of it, and what there is to recover from. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional

from ..config import ClusterConfig
from ..errors import GuardError, HoldfastError
from ..postgres import engine, instance
from ..postgres.access import ContainerAccess
from ..postgres.blame import machine_error
from ..postgres.server import Server
from ..reporting.text import duration
from ..repository.entry import Entry
from ..repository.evidence import Evidence
from ..repository.store import Repository
from ..services.containers import Container
from ..system import System
from .catalogue import time_of
from .checks import Check
from .context import reach
from .guard import guard
from .guard_survey import GuardRequest

#: A table that has lost more than this share of its rows since the backup is worth a word.
_LOST_SHARE = 0.1
_SHOWN = 12
_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""


@dataclass
class Assessment:
    """What was found.

    :param server: the server, if it answers.
    :param facts: what the engine says of its container; None if there is none.
    :param guarded: what the guard found.
    :param services: the applications' containers, running or not, the first to start first.
    """

    server: Optional[Server] = None
    facts: Optional[Mapping[str, Any]] = None
    guarded: dict[str, Any] = field(default_factory=dict)
    services: list[Container] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether nothing was found to be wrong."""
        return not any(check.result == "error" for check in self.checks)


def assess(config: ClusterConfig, repository: Repository, newest: Optional[Entry], system: System) -> Assessment:
    """Look at the server, its volume, its pages and its data.

    :param newest: the backup that the data are held against.
    """
    found = Assessment()
    try:
        found.guarded = guard(config, GuardRequest(), system)
    except GuardError as error:
        found.guarded = dict(error.details)
    except HoldfastError as error:
        found.guarded = {}
        found.checks.append(Check("guard", "error", error.reason, error.next_step))
    found.checks += [
        Check(str(one["check"]), str(one["result"]), str(one["detail"]), str(one["next_step"]))
        for one in found.guarded.get("checks", ())
        if one["result"] == "error"
    ]
    access = config.access
    if isinstance(access, ContainerAccess):
        found.facts = _container(access, found, system)
        found.services = services_of(config, access, found.facts, system)
    found.server = _server(config, repository, found, system)
    if found.server is not None:
        _look_at_data(found, repository, newest)
    if found.healthy:
        found.checks.append(
            Check("server", "ok", "it answers, its data lie where they should, and every table can be read")
        )
    return found


def services_of(
    config: ClusterConfig, access: ContainerAccess, database: Optional[Mapping[str, Any]], system: System
) -> list[Container]:
    """The containers of the applications: all of the compose projects but the database, the first to start first."""
    label = engine.labels(database).get("com.docker.compose.project") if database else None
    names = {name for name in (access.project, config.deploy.project, label) if name}
    own = str(database["Id"]) if database else None
    found: dict[str, Container] = {}
    for name in sorted(names):
        for facts in engine.of_project(access, system, name):
            service = engine.labels(facts).get("com.docker.compose.service")
            if facts["Id"] != own and not (own is None and name == access.project and service == access.service):
                found[str(facts["Id"])] = Container(facts)
    return in_order(list(found.values()))


def in_order(containers: Sequence[Container]) -> list[Container]:
    """Containers in the order in which they are to be started: what others depend on comes first."""
    by_service: dict[str, list[Container]] = {}
    for one in sorted(containers, key=lambda one: str(one.facts.get("Created"))):
        by_service.setdefault(_service(one), []).append(one)
    ordered: list[Container] = []
    done: set[str] = set()

    def add(service: str) -> None:
        if service in done or service not in by_service:
            return
        done.add(service)
        for one in by_service[service]:
            # "db:service_healthy:true,cache:service_started:true"
            told = engine.labels(one.facts).get("com.docker.compose.depends_on") or ""
            for needed in told.split(","):
                add(needed.partition(":")[0])
        ordered.extend(by_service[service])

    for service in by_service:
        add(service)
    return ordered


def restore_seconds(repository: Repository, entry: Entry) -> tuple[Optional[float], str]:
    """How long a restore will take, from what was measured: a drill, or a restore, of this backup or another one."""
    evidence = Evidence(repository.path, repository.owner)
    for drill_id in reversed(evidence.ids()):
        try:
            told = evidence.read(drill_id)
        except HoldfastError:
            continue
        if told["rto"] is not None and told["backup"]["size"]:
            scaled = told["rto"] * max(1.0, entry.known.facts["size"] / told["backup"]["size"])
            return round(scaled, 3), f"measured by drill {drill_id}"
    proofs = entry.marks.get("proof", {}).get("databases", {})
    if proofs:
        return round(sum(one["seconds"] for one in proofs.values()), 1), "measured by an earlier restore"
    return None, "no drill has measured it yet"


def lost(entry: Entry, now: datetime) -> str:
    """What a recovery from a backup would lose, in words."""
    return f"what was written since {entry.known.facts['time']}, in the last {duration((now - time_of(entry)).total_seconds())}"


def _service(one: Container) -> str:
    return engine.labels(one.facts).get("com.docker.compose.service") or one.name


def _container(access: ContainerAccess, found: Assessment, system: System) -> Optional[Mapping[str, Any]]:
    try:
        facts = engine.look_up(access, system)
    except HoldfastError as error:
        found.checks.append(Check("engine", "error", error.reason, error.next_step))
        return None
    if facts is None:
        found.checks.append(Check("container", "error", f"there is no container {access.label}"))
    elif not engine.runs(facts) or facts.get("State", {}).get("Restarting"):
        told = instance.last_lines(access, system, facts)
        state = "is started again and again" if facts.get("State", {}).get("Restarting") else "does not run"
        text = f"container {engine.name(facts)} {state} (exit code {facts.get('State', {}).get('ExitCode')}): {told}"
        found.checks.append(Check("container", "error", text))
    else:
        instance.let_settle(access, system, facts)
    return facts


def _server(config: ClusterConfig, repository: Repository, found: Assessment, system: System) -> Optional[Server]:
    try:
        return reach(config, system, repository, "restore")
    except HoldfastError as error:
        found.checks.append(Check("server", "error", f"it does not answer: {error.reason}"))
        return None


def _look_at_data(found: Assessment, repository: Repository, newest: Optional[Entry]) -> None:
    """Read every table once: a damaged page is an error of the server, and what has gone is seen by the counts."""
    expected: dict[str, Any] = {}
    if newest is not None:
        try:
            path = repository.path_of(newest.id) / "fingerprint.json"
            expected = json.loads(path.read_text(encoding="ascii"))["databases"]
        except (OSError, ValueError, KeyError):
            expected = {}
    server = found.server
    if server is None:
        return
    try:
        present = {str(one["name"]) for one in server.databases() if one["allows_connections"]}
    except HoldfastError as error:
        found.server = None
        found.checks.append(Check("server", "error", f"it went away while it was looked at: {error.reason}"))
        return
    missing = sorted(set(expected) - present)
    found.checks += [Check("data", "error", f"database {name!r} is missing; the backup has it") for name in missing]
    damaged: list[str] = []
    gone: list[str] = []
    for name in sorted(present):
        _read_tables(server, name, expected.get(name, {}).get("tables") or {}, damaged, gone)
    for check, texts in (("pages", damaged), ("data", gone)):
        more = len(texts) - _SHOWN
        found.checks += [Check(check, "error", text) for text in texts[:_SHOWN]]
        found.checks += [Check(check, "error", f"and {more} more")] if more > 0 else []


def _read_tables(
    server: Server, database: str, expected: Mapping[str, Any], damaged: list[str], gone: list[str]
) -> None:
    import psycopg

    try:
        with server.connect(database) as connection:
            present = {str(name) for (name,) in connection.execute(_TABLES.encode()).fetchall()}
            for name in sorted(present):
                was = (expected.get(name) or {}).get("rows")
                try:
                    row = connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchone()
                except psycopg.Error as error:
                    if connection.closed:
                        raise
                    damaged.append(f"{database}: table {name} cannot be read: {' '.join(str(error).split())[:200]}")
                    continue
                if was and row and row[0] < was * (1 - _LOST_SHARE):
                    gone.append(f"{database}: table {name} has {row[0]} rows; the backup has {was}")
    except (psycopg.Error, HoldfastError) as error:
        away = isinstance(error, psycopg.Error) and machine_error(error)
        what = "the server went away while it was read" if away else "it cannot be read"
        damaged.append(f"database {database!r}: {what}: {' '.join(str(error).split())[:300]}")
        return
    for name, told in sorted(expected.items()):
        if name not in present and "root" not in told:
            gone.append(f"{database}: table {name} is missing; the backup has it with {told['rows']} rows")
