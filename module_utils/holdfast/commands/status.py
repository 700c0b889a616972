# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verbs that say how a cluster is: ``holdfast status|metrics``."""

from __future__ import annotations

import argparse
from typing import Any

from ..config import ClusterConfig
from ..operations import measure as measure_operation
from ..operations import status as status_operation
from ..reporting import show_schedule
from ..system import System
from . import Verbs

STATUS = "one look at a cluster; exit codes of a Nagios plugin: 0 ok, 1 warning, 2 critical, 3 unknown"
METRICS = "write the metrics for the node exporter's textfile collector"


def add_verbs(verbs: Verbs) -> None:
    """Add them."""
    one = verbs.add("status", STATUS, _status, show_schedule.status)
    one.add_argument("--nagios", action="store_true", help="one line with performance data")
    one.set_defaults(exit_code=lambda result: int(result["exit_code"]), exit_code_of_errors=status_operation.UNKNOWN)
    verbs.add("metrics", METRICS, _metrics, show_schedule.metrics)


def _status(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    return {**status_operation.status(loaded, system), "nagios": arguments.nagios}


def _metrics(_arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    return measure_operation.write_metrics(loaded, system)
