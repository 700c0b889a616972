# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verb that tells the monitoring where the server is: ``holdfast endpoint``."""

from __future__ import annotations

import argparse
from typing import Any

from ..config import ClusterConfig
from ..operations import endpoint, statements
from ..operations.endpoint import EndpointRequest
from ..system import System
from . import Verbs

TEXT = "write where the server is now, for the exporter of the monitoring"


def add_verbs(verbs: Verbs) -> None:
    """Add it."""
    one = verbs.add("endpoint", TEXT, _endpoint, _shown)
    what = one.add_mutually_exclusive_group(required=True)
    what.add_argument("--environment", metavar="FILE", help="write it into this file, unless it says so already")
    what.add_argument(
        "--prepare", action="store_true", help="make pg_stat_statements instead, if the server has it preloaded"
    )
    one.add_argument("--account", default=endpoint.ACCOUNT, metavar="NAME", help="who connects (default: %(default)s)")
    one.add_argument("--database", metavar="NAME", help="where (default: access.database of the configuration)")
    one.add_argument("--restart", metavar="UNIT", help="restart this unit of systemd if the file has changed")
    one.add_argument("--dry-run", action="store_true", help="with --prepare: only say what would be done")


def _endpoint(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    if arguments.prepare:
        return statements.prepare(loaded, arguments.database, not arguments.dry_run, system)
    request = EndpointRequest(arguments.environment, arguments.account, arguments.database, arguments.restart)
    return endpoint.write(loaded, request, system)


def _shown(result: dict[str, Any]) -> str:
    """The result of ``endpoint`` for people."""
    if "statements" in result:
        return f"{result['database']}: {result['text']}{' (made now)' if result['changed'] else ''}"
    news = "is now at" if result["changed"] else "is still at"
    return f"{result['cluster']} {news} {result['endpoint']}" + (
        f"; restarted {result['restarted']}" if result["restarted"] else ""
    )
