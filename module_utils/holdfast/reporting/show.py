# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results as people read them on a terminal. Every function takes what a command returned."""

from __future__ import annotations

from typing import Any

from .text import duration, joined, size, table, visible


def initialised(result: dict[str, Any]) -> str:
    """The result of ``init``."""
    return f"{'made' if result['changed'] else 'there is already'} repository {result['repository']} of cluster {result['cluster']}"


def backup(result: dict[str, Any]) -> str:
    """The result of ``backup``, or its plan."""
    if "plan" in result:
        planned = result["plan"]
        if planned["action"] == "none":
            return f"would take no backup: {planned['reason']}"
        chosen = planned["compression"]
        return (
            f"would back up {len(planned['databases'])} databases ({size(planned['database_bytes'])}): {', '.join(map(repr, planned['databases']))}\n"
            f"compression {chosen['algorithm']}: {chosen['reason']}"
        )
    if not result["changed"]:
        return f"took no backup: {result['reason']}"
    return one_backup(result["backup"])


def catalogue(result: dict[str, Any]) -> str:
    """The result of ``list``."""
    rows = []
    for one in result["backups"]:
        state = one["state"] + (", pinned" if one["pinned"] else "")
        rows.append([
            one["id"], ",".join(one["tiers"]), one.get("method", "-"), duration(one["age"]), size(one.get("size")),
            one.get("server_version", "-").split(" ")[0], state,
        ])  # fmt: skip
    text = table(["ID", "TIER", "METHOD", "AGE", "SIZE", "SERVER", "STATE"], rows)
    if not rows:
        text = f"no backups of cluster {result['cluster']} in {result['repository']}"
    if result["unrecognised"]:
        text += "\n" + visible(f"not ours, left alone: {', '.join(result['unrecognised'])}")
    return text


def one_backup(one: dict[str, Any]) -> str:
    """One backup in full."""
    lines = [f"{one['id']}: {one['state']}" + (", pinned" if one["pinned"] else "")]
    if "size" in one:
        lines.append(
            f"  taken {one['time']} in {duration(one['duration'])}, {size(one['size'])}, PostgreSQL {one['server_version']},"
            f" {one['compression']['algorithm']} ({one['compression']['reason']})"
        )
        for database in one["databases"]:
            rows = f"{database['rows']} rows in {database['tables']} tables, " if database["rows"] is not None else ""
            digest = f", fingerprint {database['digest']}" if database["digest"] else ""
            lines.append(
                f"  database {database['name']!r}: {rows}{size(database['database_size'])} there, {size(database['size'])} here{digest}"
            )
        if one["configuration"]:
            names = one["configuration"]
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            lines.append(f"  configuration files, in configuration/: {', '.join(map(repr, names[:4]))}{more}")
        if one["note"]:
            lines.append(f"  note: {one['note']}")
        for name, proof in (one["proof"] or {}).get("databases", {}).items():
            lines.append(f"  database {name!r} proved {proof['time']} by {proof['by']} in {duration(proof['seconds'])}")
        lines += [f"  warning: {text}" for text in one["warnings"]]
        lines += [f"  limitation: {text}" for text in one["limitations"]]
        lines += [f"  failed: database {failure['database']}: {failure['reason']}" for failure in one["failures"]]
    lines += [f"  problem: {text}" for text in one["problems"]]
    return joined(lines)


def prune(result: dict[str, Any]) -> str:
    """The result of ``prune``, or its plan."""
    if "plan" in result:
        return str(result["text"])
    lines = [f"removed {one}" for one in [*result["removed"], *result["stale_removed"]]]
    lines += [f"left {one['id']}: {one['reason']}" for one in result["left"]]
    return joined([*lines, f"kept {result['keep']}, removed {len(result['removed'])}, {size(result['freed'])} freed"])


def restore(result: dict[str, Any]) -> str:
    """The result of ``restore``, or its plan."""
    planned = result["plan"]
    if not result["changed"]:
        lines = [f"plan of a restore from {planned['backup']} ({planned['mode'].replace('_', ' ')}):"]
        lines += [f"  {one['result']:7}  {one['check']}: {one['detail']}" for one in planned["checks"]]
        lines += [f"  {number}. {step}" for number, step in enumerate(planned["steps"], 1)]
        return joined(
            [*lines, "it can be done" if planned["feasible"] else "it would be refused: see the errors above"]
        )
    lines = [
        f"restored from {planned['backup']} in {duration(result['rto'])} (RTO); it was {duration(result['rpo'])} old (RPO)"
    ]
    for one in result["databases"]:
        found = one["comparison"]
        verdict = {"match": f"match: {found['rows']} rows in {found['tables']} tables, level {found['level']}"}.get(
            found["verdict"], "not compared"
        )
        lines.append(f"  database {one['name']!r}: {size(one['size'])}, fingerprint {verdict}")
        lines += [f"    warning: {text}" for text in found["warnings"]]
        if one["kept_aside_as"]:
            lines.append(f"    the old one is {one['kept_aside_as']!r}; when it is no longer needed, drop it")
            lines.append(
                f"    to go back, connected to another database and with nobody in these two: {one['way_back']}"
            )
    lines += [f"  warning: {text}" for text in result["warnings"]]
    if result["safety_backup"]:
        lines.append(f"  safety backup of what was there: {result['safety_backup']}")
    return joined(lines)


def pinned(result: dict[str, Any]) -> str:
    """The result of ``pin`` and ``unpin``."""
    one = result["backup"]
    return f"{one['id']} is {'pinned' if one['pinned'] else 'not pinned'}" + (
        "" if result["changed"] else " (as before)"
    )


def checked(result: dict[str, Any]) -> str:
    """The result of ``check``."""
    lines = [f"{one}: {'ok' if not problems else '; '.join(problems)}" for one, problems in result["checked"].items()]
    return joined(lines) or "no backups to check"
