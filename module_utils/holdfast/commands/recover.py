# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verbs that bring a database back: ``holdfast recover|recoveries|runbook``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

from ..config import ClusterConfig
from ..operations import recover as recover_operation
from ..operations import recover_plan, recover_rollback
from ..operations.recover_plan import RecoverRequest
from ..operations.runbook import write_runbook
from ..reporting import show_recover
from ..system import System
from . import Verbs

TEXT = "assess a disaster, and recover from it: nothing is deleted, and every step can be gone on with"
INTERRUPTED = (
    "interrupted; 'holdfast recover' goes on where it stood, 'holdfast recover --rollback' puts back what was there"
)


def add_verbs(verbs: Verbs) -> None:
    """Add them."""
    _add_options(verbs.add("recover", TEXT, _recover, _shown, INTERRUPTED))
    text = "list the recoveries, newest first, or show one in full"
    verbs.add("recoveries", text, _recoveries, show_recover.recoveries).add_argument("id", metavar="ID", nargs="?")
    text = "print how to bring the cluster back by hand, and write it beside the backups (RUNBOOK.md)"
    verbs.add("runbook", text, _runbook, lambda result: str(result["text"]).rstrip())


def _add_options(one: argparse.ArgumentParser) -> None:
    one.add_argument("--database", metavar="NAME", help="this database only (default: the whole cluster)")
    one.add_argument("--id", metavar="ID", help="from this backup (default: the newest sound one)")
    one.add_argument("--fallback", action="store_true", help="try the next older backup if one does not do")
    one.add_argument("--rollback", action="store_true", help="put back what was there before the latest recovery")
    one.add_argument("--confirm", metavar="CLUSTER", help="your say-so: the name of the cluster")
    one.add_argument("--no-safety-backup", action="store_true", help="do not back up what is there")
    one.add_argument("--who", default="", metavar="NAME", help="who asks for it (default: the account that runs this)")
    one.add_argument("--note", default="", help="kept with the record")
    one.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="wait for another recovery to end (default: 0)"
    )
    one.add_argument(
        "--dry-run", action="store_true", help="print what is wrong and what would be done, and do nothing"
    )


def _recover(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, progress: Any) -> dict[str, Any]:
    if arguments.rollback:
        return _rollback(arguments, loaded, system, progress)
    request = RecoverRequest(
        arguments.database, arguments.id or recover_plan.LATEST, arguments.fallback, arguments.confirm,
        not arguments.no_safety_backup, arguments.who, arguments.note, arguments.wait,
    )  # fmt: skip
    if arguments.dry_run:
        return {"changed": False, "plan": recover_plan.plan(loaded, request, system).as_dict()}
    if request.confirm is None and _is_attended():
        chosen = recover_plan.plan(loaded, request, system)
        request = replace(request, confirm=_ask(show_recover.assessment(chosen.as_dict()), loaded.cluster))
    return recover_operation.recover(loaded, request, system, progress)


def _recoveries(
    arguments: argparse.Namespace, loaded: ClusterConfig, _system: System, _progress: Any
) -> dict[str, Any]:
    return {**recover_operation.recoveries(loaded, arguments.id), "full": arguments.id is not None}


def _runbook(_arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    return write_runbook(loaded, system)


def _shown(result: dict[str, Any]) -> str:
    """The result of ``recover``, with or without ``--rollback``."""
    return show_recover.rollback(result) if result.get("rollback") else show_recover.recover(result)


def _rollback(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, progress: Any) -> dict[str, Any]:
    if arguments.dry_run:
        return {"changed": False, "rollback": True, "plan": recover_rollback.plan_rollback(loaded, system)}
    confirm = arguments.confirm
    if confirm is None and _is_attended():
        planned = {"rollback": True, "plan": recover_rollback.plan_rollback(loaded, system)}
        confirm = _ask(show_recover.rollback(planned), loaded.cluster)
    done = recover_rollback.rollback(loaded, confirm or "", arguments.wait, system, progress)
    return {**done, "rollback": True}


def _is_attended() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask(text: str, cluster: str) -> str:
    """Show a person what is about to be done, and ask for the cluster's name."""
    sys.stderr.write(f"{text}\n\nTo go on, type the name of the cluster ({cluster}): ")
    sys.stderr.flush()
    return sys.stdin.readline().rstrip("\n")
