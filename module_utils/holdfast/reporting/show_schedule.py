# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Schedules, runs and the state of a cluster as people read them on a terminal, and as Nagios does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .text import duration, joined, visible

_LEVELS = {"ok": "OK", "warning": "WARNING", "error": "CRITICAL"}


def schedule(result: Mapping[str, Any]) -> str:
    """The result of ``schedule``."""
    lines = [
        f"schedule of cluster {result['cluster']} ({result['backend']}, {result['timezone']},"
        f" {duration(result['jitter_seconds'])} after the time that is set)"
    ]
    if result["backend"] == "none":
        lines.append("  nobody starts it: set holdfast_schedule.backend to cron or systemd")
    for one in result["jobs"]:
        state = "MISSED, was due" if one["missed"] else "due since" if not one["served"] else "done"
        when = one["done"] if one["served"] else one["due"]
        lines.append(f"  {one['job']:8} {state} {when}")
    lines += [
        f"  {check['result']}: {check['detail']}. {check['next_step']}"
        for check in result["checks"]
        if check["result"] != "ok"
    ]
    lines += ["", f"the next {len(result['runs'])} runs"]
    lines += [f"  {one['local']}  {_jobs(one['jobs'])}" for one in result["runs"]]
    lines += [
        "",
        f"restore points on {result['kept_on'][:10]} if every run succeeds: {result['kept']} (m monthly, w weekly, d daily)",
    ]
    return "\n".join(map(visible, [*lines, *result["calendar"]]))


def run(result: Mapping[str, Any]) -> str:
    """The result of ``run``, or its plan."""
    if "plan" in result:
        return joined(["due now:", *(f"  {step}" for step in result["plan"])] if result["plan"] else ["nothing is due"])
    if not result["outcomes"]:
        return visible(str(result["reason"]))
    return joined([f"{one['job']}: done in {duration(one['seconds'])}" for one in result["outcomes"]])


def status(result: Mapping[str, Any]) -> str:
    """The result of ``status``: one screen, or one line with performance data for Nagios."""
    if result.get("nagios"):
        return nagios(result)
    lines = [f"{_LEVELS[result['level']]}: cluster {result['cluster']} at {result['time']}"]
    for check in result["checks"]:
        mark = {"ok": "ok", "warning": "WARNING", "error": "CRITICAL"}[check["result"]]
        lines.append(f"  {mark:9} {check['check']:11} {check['detail']}")
        if check["next_step"] and check["result"] != "ok":
            lines.append(f"  {'':9} {'':11} → {check['next_step']}")
    return "\n".join(map(visible, lines))


def nagios(result: Mapping[str, Any]) -> str:
    """As a plugin of Nagios: one line, and ``|`` before the performance data."""
    bad = [check for check in result["checks"] if check["result"] != "ok"]
    told = "; ".join(f"{check['check']}: {check['detail']}" for check in bad or result["checks"][:1])
    perfdata = " ".join(text for _name, text in result["perfdata"])
    return f"HOLDFAST {_LEVELS[result['level']]} - {result['cluster']}: {visible(told).replace('|', '/')} | {perfdata}"


def metrics(result: Mapping[str, Any]) -> str:
    """The result of ``metrics``."""
    lines = [f"wrote {result['file']}" if result["file"] else "no metrics are written: monitor.textfile is not set"]
    return joined([*lines, *(f"{part}: {text}" for part, text in result["problems"].items())])


def _jobs(jobs: list[str]) -> str:
    if jobs == ["drill"]:
        return "drill of the newest backup"
    drill = ", then a drill of it" if "weekly" in jobs else ""
    return f"backup ({', '.join(jobs)}){drill}"
