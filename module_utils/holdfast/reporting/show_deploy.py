# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployments, as people read them on a terminal and in the record's text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .text import duration, joined, size, table


def deploy(result: dict[str, Any]) -> str:
    """The result of ``deploy``, or its plan."""
    if result.get("deployment"):
        return record_text(result["deployment"])
    if result.get("rollback"):
        planned = result["rollback"]
        steps = [f"  {number}. {step}" for number, step in enumerate(planned["steps"], 1)]
        return joined([f"plan of a rollback of deployment {planned['deployment']}:", *steps])
    return plan_text(result["plan"])


def plan_text(planned: dict[str, Any]) -> str:
    """The plan of a deployment."""
    lines = [f"plan of a deployment of project {planned['project']}:"]
    for one in planned["checks"]:
        lines.append(f"  {one['result']:7}  {one['check']}: {one['detail']}")
        if one["next_step"] and one["result"] != "ok":
            lines.append(f"           {one['next_step']}")
    unchanged = [one["service"] for one in planned["services"] if one["action"] == "none"]
    if unchanged:
        lines.append(f"  ok       unchanged: {', '.join(unchanged)}")
    lines += [f"  {number}. {step}" for number, step in enumerate(planned["steps"], 1)]
    if planned["action"] == "none":
        return joined([*lines, "nothing is to be done"])
    return joined([*lines, "it can be done" if planned["feasible"] else "it would be refused: see the errors above"])


def record_text(record: Mapping[str, Any]) -> str:
    """The record of a deployment."""
    lines = [f"deployment {record['id']} of project {record['project']}: {record['state'].replace('_', ' ')}"]
    lines.append(f"  by {record['who'] or 'somebody'} on {record['host']}, {record['started']} to {record['finished']}")
    if record["note"]:
        lines.append(f"  note: {record['note']}")
    if record["backup"]:
        how = "taken for it" if record["backup"]["taken"] else "proven before"
        lines.append(f"  backup {record['backup']['id']} ({how}, {record['backup']['state']})")
    lines += _migration(record["migration"] or {})
    for name, image in record["to"].items():
        done = next((one for one in record["services"] if one["service"] == name), None)
        before = ", ".join(record["from"].get(name) or []) or "nothing"
        how = f" ({done['strategy']}, {done['state']}; gap {duration(done['gap'])})" if done else " (not begun)"
        lines.append(f"  service {name}: {before} → {image}{how}")
    seen = record["availability"]
    if seen:
        lines.append(
            f"  {seen['url']} was asked {seen['requests']} times meanwhile: {seen['failed']} failed, longest gap {duration(seen['gap'])}"
        )
    lines += [f"  {one['result']:7}  {one['check']}: {one['detail']}" for one in record["checks"]]
    lines += [f"  step {one['name']}: {one['state']} in {duration(one['seconds'] or 0)}" for one in record["steps"]]
    if record["error"]:
        lines.append(f"  failed: {record['error']}")
    lines += [f"  → {text}" for text in record["next_steps"]]
    return joined(lines)


def _migration(told: dict[str, Any]) -> list[str]:
    lines = []
    rehearsed, real = told.get("rehearsal"), told.get("real")
    if rehearsed:
        restored = duration(rehearsed["restore_seconds"])
        lines.append(f"  migrations rehearsed in {duration(rehearsed['seconds'])}, on a copy restored in {restored}")
        for lock in rehearsed["locks"]:
            held = f"{duration(lock['seconds'])} at least" if lock["seconds"] else "a moment"
            lines.append(f"    {lock['table']}: {lock['mode']} for {held} ({lock['blocks']} wait)")
        lines += [f"    {one['table']}: rewritten ({size(one['size'])})" for one in rehearsed["rewritten"]]
        lines += [f"    {text}" for text in rehearsed["warnings"]]
    if real:
        lines.append(f"  migrations run on the database in {duration(real['seconds'])}")
    return lines


def deployments(result: dict[str, Any]) -> str:
    """The result of ``deployments``."""
    if result.get("full"):
        return "\n\n".join(record_text(one) for one in result["deployments"])
    rows = []
    for one in result["deployments"]:
        images = ", ".join(f"{name}: {image}" for name, image in one["to"].items())
        rows.append(
            [one["id"], one["state"].replace("_", " "), one["who"] or "-", (one["backup"] or {}).get("id", "-"), images]
        )
    if not rows:
        return f"no deployments of cluster {result['cluster']}"
    return table(["ID", "STATE", "WHO", "BACKUP", "IMAGES"], rows)


def difference(planned: dict[str, Any]) -> dict[str, str]:
    """The images of services before and after, for ``--diff``."""
    changed = [one for one in planned["services"] if one["action"] != "none"]
    before = [f"{one['service']}: {', '.join(one['from']) or 'nothing'}\n" for one in changed]
    after = [f"{one['service']}: {one['to']}\n" for one in changed]
    return {"before": "".join(before), "after": "".join(after)}
