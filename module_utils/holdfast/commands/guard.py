# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verb that sees whether the data are where, and as, they should be: ``holdfast guard``."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..config import ClusterConfig
from ..errors import ConfigError
from ..operations import guard as guard_operation
from ..operations.guard_survey import GuardRequest
from ..reporting import show_guard
from ..system import System
from . import Verbs


def add_verbs(verbs: Verbs) -> None:
    """Add them."""
    text = "see whether the data are where, and as, they should be; exit code 12 if not"
    one = verbs.add("guard", text, _guard, show_guard.guard)
    one.add_argument(
        "--identity",
        metavar="FILE",
        help="fail unless it is the server, not restarted, of this earlier result (--json); - is standard input",
    )
    one.add_argument(
        "--compose-file",
        metavar="FILE",
        nargs="+",
        default=[],
        help="judge these compose files instead of the project's own",
    )


def _guard(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    before = None
    if arguments.identity is not None:
        try:
            with open(0 if arguments.identity == "-" else arguments.identity, encoding="utf-8") as stream:
                before = json.load(stream)
        except (OSError, ValueError) as error:
            raise ConfigError(
                "read", f"identity {arguments.identity}", str(error), "Give what 'holdfast guard --json' has printed."
            ) from error
    request = GuardRequest.from_arguments(None, before, arguments.compose_file)
    return guard_operation.guard(loaded, request, system)
