# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verbs that prove backups: ``holdfast verify|drills``."""

from __future__ import annotations

import argparse
from typing import Any

from ..config import ClusterConfig
from ..operations import verify as verify_operation
from ..operations import verify_plan
from ..operations.verify_plan import VerifyRequest
from ..reporting import show_verify
from ..system import System
from . import Verbs

TEXT = "prove that a backup restores: into a throwaway server, looked at from all sides; exit code 14 if it does not"
INTERRUPTED = "interrupted; the throwaway server is gone, and the backup is as it was"


def add_verbs(verbs: Verbs) -> None:
    """Add them."""
    _add_options(verbs.add("verify", TEXT, _verify, show_verify.verify, INTERRUPTED))
    text = "list the drills, newest first, or show one in full"
    verbs.add("drills", text, _drills, show_verify.drills).add_argument("id", metavar="ID", nargs="?")


def _add_options(one: argparse.ArgumentParser) -> None:
    which = one.add_mutually_exclusive_group()
    which.add_argument("id", metavar="ID", nargs="?", help="this backup (default: the newest that is not proven)")
    which.add_argument("--latest", action="store_true", help="the newest one, proven or not")
    which.add_argument(
        "--sample", type=int, metavar="N", help="N backups that no drill has looked at for the longest time"
    )
    one.add_argument("--who", default="", metavar="NAME", help="who asks for it (default: the account that runs this)")
    one.add_argument("--note", default="", help="kept with the evidence")
    one.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="wait for another drill to end (default: 0)"
    )
    one.add_argument("--dry-run", action="store_true", help="print the plan and start nothing")


def _verify(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, progress: Any) -> dict[str, Any]:
    backup = arguments.id or (verify_plan.LATEST if arguments.latest else verify_plan.NEWEST_UNPROVEN)
    request = VerifyRequest(backup, arguments.sample, arguments.who, arguments.note, arguments.wait)
    if arguments.dry_run:
        return {"changed": False, "plan": verify_plan.plan(loaded, request, system).as_dict()}
    return verify_operation.verify(loaded, request, system, progress)


def _drills(arguments: argparse.Namespace, loaded: ClusterConfig, _system: System, _progress: Any) -> dict[str, Any]:
    return {**verify_operation.drills(loaded, arguments.id), "full": arguments.id is not None}
