# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recoveries as people read them, at 3 a.m. too: what is broken, what will be done, what was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .text import duration, joined, table


def recover(result: Mapping[str, Any]) -> str:
    """The result of ``recover``, or its plan."""
    if "plan" in result:
        return assessment(result["plan"])
    return record_text(result["recovery"])


def assessment(planned: Mapping[str, Any]) -> str:
    """What was found, what there is to recover from, and what would be done."""
    lines = ["WHAT IS WRONG"]
    lines += [f"  {one['check']}: {one['detail']}" for one in planned["findings"]]
    if planned["healthy"]:
        lines.append("  so far as could be seen from here, nothing: recover only if you know better")
    lines += ["", "WHAT THERE IS TO RECOVER FROM (proven first)"]
    rows = [[one["id"], one["state"], f"{duration(one['age'])} old"] for one in planned["backups"]]
    lines += [f"  {line}" for line in table(["BACKUP", "STATE", "AGE"], rows).splitlines()]
    lines += [f"  passed over: {text}" for text in planned["rejected"]]
    took = f"about {duration(planned['rto'])}" if planned["rto"] is not None else "unknown"
    lines += [
        "", "WHAT IT WOULD COST",
        f"  from {planned['backup']}, you would lose {planned['loss']}",
        f"  the restore takes {took} ({planned['rto_source']})",
        "", "WHAT WILL BE DONE",
    ]  # fmt: skip
    if planned["unfinished"]:
        lines.append(f"  go on with recovery {planned['unfinished']}, which was interrupted:")
    lines += [f"  {number}. {step}" for number, step in enumerate(planned["steps"], 1)]
    lines += [
        f"  NOT NOW: {one['detail']}. {one['next_step']}" for one in planned["checks"] if one["result"] == "error"
    ]
    return joined(lines)


def rollback(result: Mapping[str, Any]) -> str:
    """The result of ``recover --rollback``, or its plan."""
    if "plan" in result:
        planned = result["plan"]
        return joined([f"roll recovery {planned['recovery']} back:", *(f"  {n}. {step}" for n, step in enumerate(planned["steps"], 1))])  # fmt: skip
    return record_text(result["recovery"])


def recoveries(result: Mapping[str, Any]) -> str:
    """The result of ``recoveries``: a list, or one in full."""
    found = result["recoveries"]
    if result.get("full") and found:
        return record_text(found[0])
    if not found:
        return f"cluster {result['cluster']} was never recovered"
    rows = [
        [
            one["id"], one["state"], one["database"] or "whole cluster", one["backup"] or "-",
            duration(one["rto"]) if one["rto"] is not None else "-", duration(one["rpo"]) if one["rpo"] is not None else "-",
        ]
        for one in found
    ]  # fmt: skip
    return table(["RECOVERY", "STATE", "WHAT", "FROM", "RTO", "RPO"], rows)


def record_text(record: Mapping[str, Any]) -> str:
    """One recovery in full."""
    what = f"database {record['database']!r}" if record["database"] else "the whole cluster"
    lines = [f"recovery {record['id']} of {what} of {record['cluster']}: {record['state']}"]
    if record["backup"] and record["state"] == "recovered":
        rows = f", {record['rows']} rows compared" if record["rows"] else ""
        lines.append(f"  from {record['backup']}: {record['verdict']}{rows}")
    if record["rto"] is not None:
        rpo = f"; the data were {duration(record['rpo'])} old (RPO)" if record["rpo"] is not None else ""
        lines.append(f"  it took {duration(record['rto'])} (RTO){rpo}")
    lines += [f"  was wrong: {one['check']}: {one['detail']}" for one in record["findings"] if one["result"] == "error"]
    lines += [f"  passed over: {text}" for text in record["rejected"]]
    lines += [f"  tried {one['backup']}: {one['reason']}" for one in record["tried"]]
    lines += [f"  {text}" for text in record["events"]]
    if record["safety_backup"]:
        lines.append(f"  safety backup of what was there: {record['safety_backup']}")
    lines += [f"  remark: {text}" for text in record["remarks"]]
    lines += [f"  failed: {record['error']}"] if record["error"] else []
    lines += [f"  next: {text}" for text in record["next_steps"]]
    return joined(lines)
