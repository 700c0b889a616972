# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line: ``holdfast``. It does what the modules do, for cron and for people at 3 a.m."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Optional

from . import (
    __version__,
    cli_deploy,
    cli_endpoint,
    cli_notify,
    cli_recover,
    cli_schedule,
    cli_verify,
    config,
    interruption,
)
from .config import ClusterConfig
from .errors import ConfigError, DrillError, GuardError, HoldfastError
from .operations import backup as backup_operation
from .operations import catalogue as catalogue_operation
from .operations import context, restore_plan
from .operations import guard as guard_operation
from .operations import prune as prune_operation
from .operations import restore as restore_operation
from .operations import runbook as runbook_operation
from .operations.guard_survey import GuardRequest
from .reporting import progress as progress_reporting
from .reporting import show, show_deploy, show_guard, show_recover, show_schedule, show_verify
from .repository.retention import TIERS
from .system import System

INTERRUPTED = 130
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
    arguments = parser().parse_args(argv)
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


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; the reference is generated from it."""
    top = argparse.ArgumentParser(
        prog="holdfast", description="Backups of PostgreSQL that are proved: take, list, prune, restore.",
        epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    top.add_argument("--version", action="version", version=f"holdfast {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--cluster", metavar="NAME", help="the cluster; may be left out where only one is configured")
    common.add_argument(
        "--config-dir", metavar="DIR", help="where <cluster>.json is (default: $HOLDFAST_CONFIG_DIR or /etc/holdfast)"
    )
    common.add_argument(
        "--json", action="store_true", help="print the result, or the error, as one line of JSON on standard output"
    )
    common.add_argument("--quiet", action="store_true", help="no progress on standard error")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, text: str, run: Callable[..., Any], shown: Callable[..., str]) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=[common], help=text, description=text[:1].upper() + text[1:] + ".")
        added.set_defaults(run=run, show=shown, interrupted="interrupted; nothing half-done is in the catalogue")
        return added

    command("init", "make the repository of a cluster, once", _init, show.initialised)
    _add_backup(command("backup", "take a backup", _backup, show.backup))
    one = command("list", "list the backups, newest first", _list, show.catalogue)
    one.add_argument("--check", action="store_true", help="check every file against its checksum first")
    one = command("show", "show one backup in full", _show, show.one_backup)
    one.add_argument("id", metavar="ID")
    one = command("prune", "remove what retention no longer needs, with the reason for each", _prune, show.prune)
    one.add_argument("--dry-run", action="store_true", help="print the plan and remove nothing")
    _add_restore(command("restore", "restore a database or a whole cluster", _restore, show.restore))
    one = command("deploy", cli_deploy.TEXT, cli_deploy.run_deploy, show_deploy.deploy)
    one.set_defaults(interrupted=cli_deploy.INTERRUPTED)
    cli_deploy.add_deploy(one)
    one = command("verify", cli_verify.TEXT, cli_verify.run_verify, show_verify.verify)
    one.set_defaults(interrupted=cli_verify.INTERRUPTED)
    cli_verify.add_verify(one)
    text = "list the drills, newest first, or show one in full"
    one = command("drills", text, cli_verify.run_drills, show_verify.drills)
    one.add_argument("id", metavar="ID", nargs="?")
    one = command("recover", cli_recover.TEXT, cli_recover.run_recover, cli_recover.shown)
    one.set_defaults(interrupted=cli_recover.INTERRUPTED)
    cli_recover.add_recover(one)
    text = "list the recoveries, newest first, or show one in full"
    one = command("recoveries", text, cli_recover.run_recoveries, show_recover.recoveries)
    one.add_argument("id", metavar="ID", nargs="?")
    text = "print how to bring the cluster back by hand, and write it beside the backups (RUNBOOK.md)"
    command("runbook", text, _runbook, lambda result: str(result["text"]).rstrip())
    one = command("run", cli_schedule.RUN, cli_schedule.run_run, show_schedule.run)
    one.set_defaults(interrupted=cli_schedule.RUN_INTERRUPTED)
    cli_schedule.add_run(one)
    command("schedule", cli_schedule.SCHEDULE, cli_schedule.run_schedule, show_schedule.schedule)
    cli_schedule.add_status(command("status", cli_schedule.STATUS, cli_schedule.run_status, show_schedule.status))
    command("metrics", cli_schedule.METRICS, cli_schedule.run_metrics, show_schedule.metrics)
    one = command("notify", cli_notify.TEXT, cli_notify.run_notify, cli_notify.shown)
    one.set_defaults(interrupted=cli_notify.INTERRUPTED)
    cli_notify.add_notify(one)
    cli_endpoint.add_endpoint(command("endpoint", cli_endpoint.TEXT, cli_endpoint.run_endpoint, cli_endpoint.shown))
    text = "list the deployments, newest first, or show one in full"
    one = command("deployments", text, cli_deploy.run_deployments, show_deploy.deployments)
    one.add_argument("id", metavar="ID", nargs="?")
    one = command("pin", "keep a backup whatever its age", _pin, show.pinned)
    one.add_argument("id", metavar="ID")
    one.add_argument("--note", default="", help="why it is kept")
    one = command("unpin", "let retention decide about a backup again", _unpin, show.pinned)
    one.add_argument("id", metavar="ID")
    one = command("check", "check backups against their checksums; exit code 8 if one is corrupt", _check, show.checked)
    one.add_argument("id", metavar="ID", nargs="*", help="only these (default: all)")
    text = "see whether the data are where, and as, they should be; exit code 12 if not"
    one = command("guard", text, _guard, show_guard.guard)
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
    return top


def _add_backup(one: argparse.ArgumentParser) -> None:
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


def _add_restore(one: argparse.ArgumentParser) -> None:
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


def _restore(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, progress: Any) -> dict[str, Any]:
    request = restore_plan.RestoreRequest(
        backup=arguments.id or ("latest" if arguments.latest else "latest_proven"),
        before=catalogue_operation.parse_instant(arguments.before) if arguments.before else None,
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


def _ask(request: Any, loaded: ClusterConfig, system: System) -> Any:
    """Print the plan to a person and ask for the target's name."""
    from dataclasses import replace

    chosen = restore_plan.plan(loaded, request, system)
    print(show.restore({"changed": False, "plan": chosen.as_dict()}), file=sys.stderr)
    sys.stderr.write(f"\nTo go on, type the name of the target ({request.database or loaded.cluster}): ")
    sys.stderr.flush()
    return replace(request, backup=chosen.entry.id, confirm=sys.stdin.readline().rstrip("\n"))


def _runbook(_arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    return runbook_operation.write_runbook(loaded, system)


def _pin(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    return catalogue_operation.pin(loaded, system, arguments.id, arguments.note)


def _unpin(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any) -> dict[str, Any]:
    return catalogue_operation.unpin(loaded, system, arguments.id)


def _check(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, progress: Any) -> dict[str, Any]:
    result = catalogue_operation.check(loaded, system, progress, arguments.id)
    catalogue_operation.require_sound(result)
    return result


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


def _fail(arguments: argparse.Namespace, error: HoldfastError) -> int:
    if arguments.json:
        print(json.dumps(error.as_fields(), sort_keys=True, default=str))
    elif isinstance(error, GuardError):
        print(show_guard.guard(error.details), flush=True)
    elif isinstance(error, DrillError):
        print(show_verify.verify(error.details), flush=True)
    print(f"holdfast: {error}", file=sys.stderr)
    return int(getattr(arguments, "exit_code_of_errors", error.exit_code))
