# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line: ``holdfast``. It does what the modules do, for cron and for people at 3 a.m."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Optional

from . import __version__, commands, config, interruption
from .errors import DrillError, GuardError, HoldfastError
from .reporting import progress as progress_reporting
from .system import System

#: The verbs, in the order of the help, and the file of ``commands`` that each is in.
VERBS = {
    "init": "backup",
    "backup": "backup",
    "list": "catalogue",
    "show": "catalogue",
    "prune": "catalogue",
    "pin": "catalogue",
    "unpin": "catalogue",
    "check": "catalogue",
    "restore": "restore",
    "verify": "verify",
    "drills": "verify",
    "recover": "recover",
    "recoveries": "recover",
    "runbook": "recover",
    "deploy": "deploy",
    "deployments": "deploy",
    "guard": "guard",
    "run": "schedule",
    "schedule": "schedule",
    "status": "status",
    "metrics": "status",
    "notify": "notify",
    "endpoint": "endpoint",
}
INTERRUPTED = 130
_INTERRUPTED = "interrupted; nothing half-done is in the catalogue"
_EPILOG = """\
exit codes: 0 done; 1 unexpected; 2 wrong configuration or argument; 3 server or tools not reachable;
4 repository not usable; 5 busy; 6 backup failed; 7 refused before anything was touched; 8 backup corrupt;
9 not found; 10 restore failed, target as before; 11 restored data differ, target as before; 12 the data are not
where, or as, they should be; 13 deployment failed, its record says in which state; 14 a drill found that a backup does
not restore to what it should be; 15 a scheduled run failed; 130 interrupted. Those of status are a Nagios plugin's.
"""


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command.

    :param argv: without the program's name; None means the process's own.
    :returns: the exit code.
    """
    given = sys.argv[1:] if argv is None else argv
    arguments = parser(given[0] if given else None).parse_args(given)
    interruption.listen()
    system = System()
    progress = progress_reporting.Progress() if arguments.quiet else progress_reporting.for_stream(sys.stderr)
    try:
        loaded = config.load(arguments.cluster, arguments.config_dir)
        result = arguments.run(arguments, loaded, system, progress)
        interruption.ignore()
        progress.close()
    except HoldfastError as error:
        progress.close()
        return _fail(arguments, error)
    except KeyboardInterrupt:
        progress.close()
        print(arguments.interrupted, file=sys.stderr)
        return INTERRUPTED
    try:
        print(json.dumps(result, sort_keys=True) if arguments.json else arguments.show(result), flush=True)
    except BrokenPipeError:
        # Whoever reads has seen enough (head, less): that is no failure of what was done.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    exit_code: Callable[[Any], int] = getattr(arguments, "exit_code", lambda _result: 0)
    return exit_code(result)


def parser(verb: Optional[str] = None) -> argparse.ArgumentParser:
    """The parser; the reference is generated from it.

    :param verb: only the verbs of its file are needed: those of others are not imported, which takes a host most of the
        time of a short command. None, or no verb at all, means all of them.
    """
    top = argparse.ArgumentParser(
        prog="holdfast", description="Backups of PostgreSQL that are proved: take, list, prune, restore.",
        epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    top.add_argument("--version", action="version", version=f"holdfast {__version__}")
    verbs = _Verbs(top.add_subparsers(dest="command", metavar="COMMAND", required=True))
    for name in [VERBS[verb]] if verb in VERBS else dict.fromkeys(VERBS.values()):
        importlib.import_module(f"{commands.__name__}.{name}").add_verbs(verbs)
    return top


class _Verbs(commands.Verbs):
    """Makes the parsers of verbs.

    :param added: what argparse adds the parsers of verbs to.
    """

    def __init__(self, added: Any) -> None:
        self._added = added
        self._common = argparse.ArgumentParser(add_help=False)
        self._common.add_argument(
            "--cluster", metavar="NAME", help="the cluster; may be left out where only one is configured"
        )
        text = "where <cluster>.json is (default: $HOLDFAST_CONFIG_DIR or /etc/holdfast)"
        self._common.add_argument("--config-dir", metavar="DIR", help=text)
        text = "print the result, or the error, as one line of JSON on standard output"
        self._common.add_argument("--json", action="store_true", help=text)
        self._common.add_argument("--quiet", action="store_true", help="no progress on standard error")

    def add(
        self, name: str, text: str, run: commands.Run, show: commands.Show, interrupted: Optional[str] = None
    ) -> argparse.ArgumentParser:
        """Add a verb; see :class:`commands.Verbs`."""
        description = text[:1].upper() + text[1:] + "."
        one: argparse.ArgumentParser = self._added.add_parser(
            name, parents=[self._common], help=text, description=description
        )
        one.set_defaults(run=run, show=show, interrupted=interrupted or _INTERRUPTED)
        return one


def _fail(arguments: argparse.Namespace, error: HoldfastError) -> int:
    if arguments.json:
        print(json.dumps(error.as_fields(), sort_keys=True, default=str))
    elif isinstance(error, GuardError):
        from .reporting import show_guard

        print(show_guard.guard(error.details), flush=True)
    elif isinstance(error, DrillError):
        from .reporting import show_verify

        print(show_verify.verify(error.details), flush=True)
    print(f"holdfast: {error}", file=sys.stderr)
    return int(getattr(arguments, "exit_code_of_errors", error.exit_code))
