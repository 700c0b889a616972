# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is looked at before a restore touches anything. Every check says what it found."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from ..errors import PreflightError
from ..postgres.place import free_bytes
from ..reporting.text import duration, size
from ..repository.entry import Entry
from ..repository.manifest import Manifest
from ..repository.store import Repository
from ..system import System
from .catalogue import time_of
from .checks import Check

if TYPE_CHECKING:
    from ..postgres.rows import Rows
    from ..postgres.server import Server
    from ..postgres.tools import Tools

#: A restored database may need a little more than the original had: indexes are built beside their data.
_SPACE_FACTOR = 1.2


def require_no_errors(checks: Sequence[Check], what: str) -> None:
    """Refuse to go on when a check found an error.

    :raises PreflightError: naming all of them.
    """
    errors = [check for check in checks if check.result == "error"]
    if errors:
        raise PreflightError(
            "restore",
            what,
            "; ".join(f"{check.name}: {check.detail}" for check in errors),
            "Nothing was touched. Mend what is named, and see the plan with --dry-run.",
            checks=[check.as_dict() for check in checks],
        )


def check_backup(repository: Repository, entry: Entry, databases: Sequence[str], system: System) -> list[Check]:
    """Whether the backup is what its manifest says, and holds what is asked for."""
    checks = []
    problems = repository.verify(entry)
    total = entry.manifest.facts["size"] if entry.manifest else 0
    text = "; ".join(problems[:5]) if problems else f"all files of {entry.id} fit their checksums ({size(total)})"
    checks.append(Check("integrity", "error" if problems else "ok", text))
    missing = [name for name in databases if not entry.manifest or entry.manifest.database(name) is None]
    held = (
        ", ".join(repr(one["name"]) for one in entry.manifest.facts["databases"])
        if entry.manifest
        else "nothing readable"
    )
    if missing:
        checks.append(Check("contents", "error", f"it does not hold database {missing[0]!r}, only {held}"))
    elif entry.state == "failed":
        checks.append(Check("contents", "warning", f"its state is failed: it holds only {held}"))
    age = (system.now() - time_of(entry)).total_seconds()
    checks.append(
        Check(
            "age",
            "ok" if age >= 0 else "warning",
            f"taken {duration(age)} ago: what was written since then is not in it",
        )
    )
    if entry.state != "proven" and not set(databases) <= entry.proved:
        text = "it has never been proved by a restore; this restore compares its fingerprint"
        checks.append(Check("proof", "warning", text))
    return checks


def check_server(server: Server, manifest: Manifest, databases: Sequence[str], with_globals: bool) -> list[Check]:
    """Whether the server can take it: version, rights, roles, extensions, tablespaces, space."""
    facts, checks = server.facts, []
    was, now = manifest.facts["server"]["version_num"] // 10000, facts.major
    result = "error" if now < was else "ok" if now == was else "warning"
    checks.append(
        Check(
            "version",
            result,
            f"backup of PostgreSQL {was}, server is {now}" + (": a dump does not go back" if now < was else ""),
        )
    )
    if facts.in_recovery:
        checks.append(
            Check("role of the server", "error", "it is a standby and takes no writes: restore on the primary")
        )
    with server.connect() as connection:
        if not facts.is_superuser:
            row = connection.execute("SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
            able = bool(row and row[0]) and not with_globals
            checks.append(
                Check(
                    "rights",
                    "warning" if able else "error",
                    f"{facts.user} is no superuser"
                    + ("" if able else " and may not do this; access.restore_user can name one for restores"),
                )
            )
        entries = [entry for entry in (manifest.database(name) for name in databases) if entry]
        checks += _names(connection, entries, with_globals)
    needed = int(sum(entry.get("database_size") or 0 for entry in entries) * _SPACE_FACTOR)
    return [*checks, _space(server, needed)]


def check_tools(tools: Tools, server: Server) -> Check:
    """Whether the client programs are of the server's own version.

    A newer pg_restore sets parameters that an older server does not know, and fails at the first.
    """
    if tools.major == server.facts.major:
        return Check("tools", "ok", f"pg_restore is of PostgreSQL {tools.version}")
    return Check(
        "tools",
        "error",
        f"pg_restore is of PostgreSQL {tools.version}, newer than the server:"
        f" set access.bin_dir to the programs of PostgreSQL {server.facts.major}",
    )


def check_target(server: Server, target: str, exists: bool, in_place: bool) -> list[Check]:
    """Whether the name is free or may be taken, who uses it, and what of it would not come along."""
    if not in_place:
        text = (
            f"database {target!r} exists: choose another name, or restore in place"
            if exists
            else f"the name {target!r} is free"
        )
        return [Check("target", "error" if exists else "ok", text)]
    if not exists:
        return [Check("target", "ok", f"there is no database {target!r} now: it is made anew")]
    checks = [Check("target", "ok", f"database {target!r} is kept aside under another name")]
    with server.connect() as connection:
        sessions = connection.execute(
            "SELECT coalesce(usename, '?') || coalesce(' (' || nullif(application_name, '') || ')', '') || ' ' || coalesce(state, '?'), count(*)"
            " FROM pg_stat_activity WHERE datname = %s GROUP BY 1 ORDER BY 2 DESC", [target],
        ).fetchall()  # fmt: skip
        who = ", ".join(f"{number} {what}" for what, number in sessions[:10])
        checks.append(
            Check(
                "sessions",
                "warning" if sessions else "ok",
                f"they are ended at the swap: {who}" if sessions else "nobody is connected",
            )
        )
        slots = connection.execute(
            "SELECT slot_name FROM pg_replication_slots WHERE database = %s", [target]
        ).fetchall()
        if slots:
            checks.append(
                Check(
                    "replication",
                    "error",
                    "logical slots hold on to it: " + ", ".join(name for (name,) in slots) + "; drop them first",
                )
            )
        prepared = connection.execute("SELECT gid FROM pg_prepared_xacts WHERE database = %s", [target]).fetchall()
        if prepared:
            named = ", ".join(name for (name,) in prepared[:10])
            checks.append(Check("prepared transactions", "error", f"commit or roll them back first: {named}"))
    return checks


def check_empty(server: Server) -> list[Check]:
    """Whether a server holds nothing that a restore of the whole cluster could hurt."""
    found = []
    for entry in server.databases():
        if entry["name"] != "postgres":
            found.append(f"database {entry['name']!r}")
            continue
        with server.connect("postgres") as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
            ).fetchone()
        if row and row[0]:
            found.append(f"{row[0]} relations in database 'postgres'")
    text = "the server is not empty: " + ", ".join(found[:10]) if found else "the server is empty"
    return [Check("target", "error" if found else "ok", text)]


def _names(connection: Rows, entries: Sequence[Mapping[str, Any]], with_globals: bool) -> list[Check]:
    checks = []
    if not with_globals:
        needed = {role for entry in entries for role in entry.get("roles", [])}
        missing = sorted(needed - {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")})
        text = (
            "missing: " + ", ".join(missing) + " (globals.sql of the backup creates them)"
            if missing
            else f"all {len(needed)} roles exist"
        )
        checks.append(Check("roles", "error" if missing else "ok", text))
    wanted = {name for entry in entries for name in entry.get("extensions", {})}
    absent = sorted(wanted - {name for (name,) in connection.execute("SELECT name FROM pg_available_extensions")})
    text = (
        "not installed on the server: " + ", ".join(absent) if absent else f"all {len(wanted)} extensions are available"
    )
    return [*checks, Check("extensions", "error" if absent else "ok", text)]


def _space(server: Server, needed: int) -> Check:
    """Free space where the data directory is, if this process can look there."""
    directory = server.facts.data_directory
    path: Optional[Any] = server.place.path_on_host(directory) if directory else None
    if path is None or not os.path.isdir(path):
        return Check("space", "warning", f"about {size(needed)} are needed; how much is free cannot be seen from here")
    free = free_bytes(path)
    return Check("space", "ok" if free > needed else "error", f"{size(free)} free, about {size(needed)} needed")
