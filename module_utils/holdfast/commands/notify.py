# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verb that shows who is told of a cluster, and tests it: ``holdfast notify``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from ..config import ClusterConfig
from ..operations import notify as notify_operation
from ..reporting.text import joined
from ..system import System
from . import Verbs

TEXT = "show who is told of failures; with --test, tell them, and end with exit code 1 if one of them cannot be told"
INTERRUPTED = "interrupted; some of the channels may not have been told"
NOT_TOLD = 1


def add_verbs(verbs: Verbs) -> None:
    """Add it."""
    one = verbs.add("notify", TEXT, _notify, _shown, INTERRUPTED)
    one.add_argument("--test", action="store_true", help="send a test message to every channel")
    one.set_defaults(exit_code=lambda result: NOT_TOLD if result["delivered"] is False else 0)


def _notify(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    return notify_operation.notify(loaded, arguments.test, system)


def _shown(result: Mapping[str, Any]) -> str:
    """As people read it."""
    lines = [f"nobody is told of failures of cluster {result['cluster']}: {result['file']} names no channel"]
    if result["channels"]:
        lines = [f"of failures of cluster {result['cluster']} are told:", *(f"  {one}" for one in result["channels"])]
    for one in result["outcomes"]:
        how = "told" if one["ok"] else f"NOT TOLD: {one['reason']}"
        tries = f" after {one['attempts']} attempts" if one["attempts"] > 1 else ""
        lines.append(f"{one['channel']}: {how}{tries} ({one['seconds']:.1f} s)")
    if result["ping"]:
        lines.append(f"after a success is pinged: {result['ping']}" + (" (not in a test)" if result["tested"] else ""))
    return joined(lines)
