# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verbs of schedules: ``holdfast run|schedule``."""

from __future__ import annotations

import argparse
from typing import Any

from ..config import ClusterConfig
from ..operations import run as run_operation
from ..operations import schedule as schedule_operation
from ..reporting import show_schedule
from ..system import System
from . import Verbs

RUN = "carry out what is due: what cron and timers start; exit code 15 if something failed"
INTERRUPTED = "interrupted; what was done stays done, and the next run goes on"
SCHEDULE = "show the next runs, and what the retention will keep a year from now"


def add_verbs(verbs: Verbs) -> None:
    """Add them."""
    one = verbs.add("run", RUN, _run, show_schedule.run, INTERRUPTED)
    one.add_argument(
        "--settle",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait so long for the server to answer (default: 0)",
    )
    one.add_argument("--dry-run", action="store_true", help="print what is due and do nothing")
    verbs.add("schedule", SCHEDULE, _schedule, show_schedule.schedule)


def _run(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, progress: Any) -> dict[str, Any]:
    if arguments.dry_run:
        return run_operation.plan(loaded, system)
    return run_operation.run(loaded, run_operation.RunRequest(arguments.settle), system, progress)


def _schedule(_arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    return schedule_operation.schedule(loaded, system)
