# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verb that restores a database or a whole cluster: ``holdfast restore``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

from ..config import ClusterConfig
from ..operations import restore as restore_operation
from ..operations import restore_plan
from ..operations.catalogue import parse_instant
from ..reporting import show
from ..system import System
from . import Verbs


def add_verbs(verbs: Verbs) -> None:
    """Add them."""
    _add_options(verbs.add("restore", "restore a database or a whole cluster", _restore, show.restore))


def _add_options(one: argparse.ArgumentParser) -> None:
    which = one.add_mutually_exclusive_group()
    which.add_argument("--id", metavar="ID", help="this backup")
    which.add_argument("--latest", action="store_true", help="the newest sound one")
    which.add_argument("--latest-proven", action="store_true", help="the newest that a restore has proved (default)")
    one.add_argument("--before", metavar="TIME", help="only backups up to this time, such as 2026-11-22T10:00:00+01:00")
    one.add_argument("--database", metavar="NAME", help="this database of the backup")
    where = one.add_mutually_exclusive_group(required=True)
    where.add_argument("--into", metavar="NEW", help="into a new database of this name")
    where.add_argument("--in-place", action="store_true", help="in the place of the database, which is kept aside")
    where.add_argument("--whole-cluster", action="store_true", help="everything, into an empty server")
    one.add_argument(
        "--confirm", metavar="NAME", help="your say-so: the database's name (in place) or the cluster's (whole cluster)"
    )
    one.add_argument("--drop-replaced", action="store_true", help="drop the old database after the swap")
    one.add_argument("--no-safety-backup", action="store_true", help="do not back up what is about to be replaced")
    one.add_argument("--no-compare", action="store_true", help="do not compare fingerprints")
    one.add_argument("--no-analyze", action="store_true", help="do not gather statistics before the swap")
    one.add_argument("--jobs", type=int, metavar="N", help="parallel connections")
    one.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")


def _restore(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, progress: Any) -> dict[str, Any]:
    request = restore_plan.RestoreRequest(
        backup=arguments.id or ("latest" if arguments.latest else "latest_proven"),
        before=parse_instant(arguments.before) if arguments.before else None,
        mode="whole_cluster" if arguments.whole_cluster else "in_place" if arguments.in_place else "new",
        database=arguments.database, into=arguments.into, confirm=arguments.confirm, jobs=arguments.jobs,
        keep_replaced=not arguments.drop_replaced, safety_backup=not arguments.no_safety_backup,
        compare=not arguments.no_compare, analyze=not arguments.no_analyze,
    )  # fmt: skip
    if arguments.dry_run:
        return {"changed": False, "plan": restore_plan.plan(loaded, request, system).as_dict()}
    if request.mode != "new" and request.confirm is None and sys.stdin.isatty() and sys.stderr.isatty():
        request = _ask(request, loaded, system)
    return restore_operation.restore(loaded, request, system, progress)


def _ask(request: restore_plan.RestoreRequest, loaded: ClusterConfig, system: System) -> restore_plan.RestoreRequest:
    """Print the plan to a person and ask for the target's name."""
    chosen = restore_plan.plan(loaded, request, system)
    sys.stderr.write(show.restore({"changed": False, "plan": chosen.as_dict()}) + "\n")
    sys.stderr.write(f"\nTo go on, type the name of the target ({request.database or loaded.cluster}): ")
    sys.stderr.flush()
    return replace(request, backup=chosen.entry.id, confirm=sys.stdin.readline().rstrip("\n"))
