# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verbs about the backups that there are: ``holdfast list|show|prune|pin|unpin|check``."""

from __future__ import annotations

import argparse
from typing import Any

from ..config import ClusterConfig
from ..operations import catalogue as catalogue_operation
from ..operations import prune as prune_operation
from ..reporting import show
from ..system import System
from . import Verbs


def add_verbs(verbs: Verbs) -> None:
    """Add them."""
    one = verbs.add("list", "list the backups, newest first", _list, show.catalogue)
    one.add_argument("--check", action="store_true", help="check every file against its checksum first")
    one = verbs.add("show", "show one backup in full", _show, show.one_backup)
    one.add_argument("id", metavar="ID")
    one = verbs.add("prune", "remove what retention no longer needs, with the reason for each", _prune, show.prune)
    one.add_argument("--dry-run", action="store_true", help="print the plan and remove nothing")
    one = verbs.add("pin", "keep a backup whatever its age", _pin, show.pinned)
    one.add_argument("id", metavar="ID")
    one.add_argument("--note", default="", help="why it is kept")
    one = verbs.add("unpin", "let retention decide about a backup again", _unpin, show.pinned)
    one.add_argument("id", metavar="ID")
    text = "check backups against their checksums; exit code 8 if one is corrupt"
    one = verbs.add("check", text, _check, show.checked)
    one.add_argument("id", metavar="ID", nargs="*", help="only these (default: all)")


def _list(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, progress: Any) -> dict[str, Any]:
    if arguments.check:
        catalogue_operation.check(loaded, system, progress)
    return catalogue_operation.catalogue(loaded, system)


def _show(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    found: dict[str, Any] = catalogue_operation.catalogue(loaded, system, [arguments.id])["backups"][0]
    return found


def _prune(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, progress: Any) -> dict[str, Any]:
    if arguments.dry_run:
        chosen = prune_operation.plan(loaded, system)
        return {"changed": False, "plan": chosen.as_dict(), "text": prune_operation.describe(chosen, loaded, system)}
    return prune_operation.prune(loaded, system, progress)


def _pin(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    return catalogue_operation.pin(loaded, system, arguments.id, arguments.note)


def _unpin(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    return catalogue_operation.unpin(loaded, system, arguments.id)


def _check(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, progress: Any) -> dict[str, Any]:
    result = catalogue_operation.check(loaded, system, progress, arguments.id)
    catalogue_operation.require_sound(result)
    return result
