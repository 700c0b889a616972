# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verbs that take a backup, and make what takes them: ``holdfast init`` and ``holdfast backup``."""

from __future__ import annotations

import argparse
from typing import Any

from .. import config
from ..config import ClusterConfig
from ..operations import backup as backup_operation
from ..operations import context
from ..reporting import show
from ..repository.retention import TIERS
from ..system import System
from . import Verbs


def add_verbs(verbs: Verbs) -> None:
    """Add them."""
    verbs.add("init", "make the repository of a cluster, once", _init, show.initialised)
    _add_options(verbs.add("backup", "take a backup", _backup, show.backup))


def _add_options(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--tier", action="append", choices=TIERS, help="why it is taken; may be repeated (default: manual)"
    )
    one.add_argument("--method", choices=("logical",), default="logical", help="how it is taken (default: logical)")
    one.add_argument(
        "--if-older-than", metavar="AGE", help="do nothing while a sound backup of the tier is younger, such as 20h"
    )
    one.add_argument(
        "--database",
        action="append",
        metavar="NAME",
        help="only this one; may be repeated (default: all but templates)",
    )
    one.add_argument("--jobs", type=int, metavar="N", help="parallel connections")
    one.add_argument("--compression", metavar="HOW", help="auto, none, gzip:1-9, zstd:1-19 or lz4:1-12")
    one.add_argument("--fingerprint", choices=config.FINGERPRINT_LEVELS, help="how deeply the data are fingerprinted")
    one.add_argument(
        "--exclude-table-data", action="append", metavar="PATTERN", help="leave the rows of these tables out"
    )
    one.add_argument(
        "--comprehensive", action="store_true",
        help="everything: all databases, all rows, the deepest fingerprint, whatever the configuration leaves out",
    )  # fmt: skip
    one.add_argument("--no-role-passwords", action="store_true", help="leave the roles' passwords out")
    one.add_argument("--note", default="", help="kept with the backup")
    one.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="wait for another backup to end (default: 0)"
    )
    one.add_argument("--dry-run", action="store_true", help="print the plan and take none")


def _init(_arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    repository, made = context.initialise(loaded, system)
    return {
        "changed": made,
        "repository": str(repository.path),
        "repository_id": repository.uuid,
        "cluster": loaded.cluster,
    }


def _backup(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, progress: Any) -> dict[str, Any]:
    options = backup_operation.override(
        loaded.backup, jobs=arguments.jobs, compression=arguments.compression, fingerprint=arguments.fingerprint,
        databases=arguments.database, exclude_table_data=arguments.exclude_table_data,
        role_passwords=False if arguments.no_role_passwords else None,
    )  # fmt: skip
    if arguments.comprehensive:
        options = backup_operation.comprehensive(options)
    request = backup_operation.BackupRequest(
        tiers=tuple(dict.fromkeys(arguments.tier or ["manual"])), method=arguments.method, note=arguments.note, wait=arguments.wait,
        if_older_than=backup_operation.parse_age(arguments.if_older_than) if arguments.if_older_than else None, options=options,
    )  # fmt: skip
    if arguments.dry_run:
        return {"changed": False, "plan": backup_operation.plan(loaded, request, system).as_dict()}
    return backup_operation.backup(loaded, request, system, progress)
