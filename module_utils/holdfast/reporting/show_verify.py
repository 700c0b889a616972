# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drills as people read them on a terminal. Every function takes what a command returned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .text import duration, joined, table, visible

_MARKS = {"passed": "ok", "warning": "warning", "failed": "FAILED", "skipped": "skipped", "not_reached": "-"}


def verify(result: Mapping[str, Any]) -> str:
    """The result of ``verify``, or its plan."""
    if "plan" in result:
        planned = result["plan"]
        lines = [f"would restore {one['id']} into a throwaway server: {one['why']}" for one in planned["backups"]]
        lines += [f"  {one['result']:7}  {one['check']}: {one['detail']}" for one in planned["checks"]]
        lines += [f"  {number}. {step}" for number, step in enumerate(planned["steps"], 1)]
        return joined([*lines, "it can be done" if planned["feasible"] else "it would be refused: see the errors above"])  # fmt: skip
    return "\n".join([*map(one_drill, result["drills"]), *(visible(f"warning: {text}") for text in result["warnings"])])


def drills(result: Mapping[str, Any]) -> str:
    """The result of ``drills``: a list, or one in full."""
    found = result["drills"]
    if len(found) == 1 and result.get("full"):
        return one_drill(found[0])
    if not found:
        return f"no drill of cluster {result['cluster']} was carried out yet"
    rows = [
        [
            one["id"], one["backup"]["id"], one["verdict"] + ("" if one["proven"] or one["verdict"] == "failed" else " (not proven)"),
            duration(one["rto"]) if one["rto"] is not None else "-", duration(one["rpo"]), one["reason"][:60],
        ]
        for one in found
    ]  # fmt: skip
    return table(["DRILL", "BACKUP", "VERDICT", "RTO", "RPO", "WHY"], rows)


def one_drill(facts: Mapping[str, Any]) -> str:
    """One drill in full."""
    state = "proven" if facts["proven"] and facts["verdict"] == "passed" else facts["verdict"]
    lines = [f"drill {facts['id']} of backup {facts['backup']['id']}: {state}"]
    if facts["rto"] is not None:
        lines.append(f"  restored in {duration(facts['rto'])} (RTO); the data were {duration(facts['rpo'])} old (RPO)")
    for one in facts["checks"]:
        took = f" in {duration(one['seconds'])}" if one["verdict"] in ("passed", "warning", "failed") else ""
        lines.append(f"  {_MARKS[one['verdict']]:8} {one['check']}{took}" + (f": {one['detail']}" if one["detail"] else ""))  # fmt: skip
        lines += [f"             {text}" for text in one["findings"][:10]]
    return joined(lines)
