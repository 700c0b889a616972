# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of schedules and monitoring: ``holdfast run|schedule|status|metrics``."""

from __future__ import annotations

import argparse
from typing import Any

from .config import ClusterConfig
from .operations import measure as measure_operation
from .operations import run as run_operation
from .operations import schedule as schedule_operation
from .operations import status as status_operation
from .system import System

RUN = "carry out what is due: what cron and timers start; exit code 15 if something failed"
RUN_INTERRUPTED = "interrupted; what was done stays done, and the next run goes on"
SCHEDULE = "show the next runs, and what the retention will keep a year from now"
STATUS = "one look at a cluster; exit codes of a Nagios plugin: 0 ok, 1 warning, 2 critical, 3 unknown"
METRICS = "write the metrics for the node exporter's textfile collector"


def add_run(one: argparse.ArgumentParser) -> None:
    """The arguments of ``run``."""
    one.add_argument(
        "--settle",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait so long for the server to answer (default: 0)",
    )
    one.add_argument("--dry-run", action="store_true", help="print what is due and do nothing")


def add_status(one: argparse.ArgumentParser) -> None:
    """The arguments of ``status``."""
    one.add_argument("--nagios", action="store_true", help="one line with performance data")
    one.set_defaults(exit_code=lambda result: int(result["exit_code"]), exit_code_of_errors=status_operation.UNKNOWN)


def run_run(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, progress: Any) -> dict[str, Any]:
    """``holdfast run``."""
    if arguments.dry_run:
        return run_operation.plan(loaded, system)
    return run_operation.run(loaded, run_operation.RunRequest(arguments.settle), system, progress)


def run_schedule(
    _arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any
) -> dict[str, Any]:
    """``holdfast schedule``."""
    return schedule_operation.schedule(loaded, system)


def run_status(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    """``holdfast status``."""
    return {**status_operation.status(loaded, system), "nagios": arguments.nagios}


def run_metrics(
    _arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any
) -> dict[str, Any]:
    """``holdfast metrics``."""
    return measure_operation.write_metrics(loaded, system)
