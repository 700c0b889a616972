# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verbs that deploy an application, and show what was deployed: ``holdfast deploy|deployments``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..config import ClusterConfig
from ..errors import NotFoundError
from ..operations.backup import parse_age
from ..operations.context import open_repository
from ..operations.deploy import deploy
from ..operations.deploy_plan import DeployPlan, DeployRequest, plan
from ..operations.deploy_rollback import plan_rollback, rollback
from ..operations.deploy_target import Wanted
from ..reporting import show_deploy
from ..repository.records import Deployments
from ..system import System
from . import Verbs

TEXT = "update the application's services; the database keeps its data, its container and its uptime"
INTERRUPTED = (
    "interrupted. What was done is in the record (holdfast deployments); the same command goes on from there,"
    " 'holdfast deploy --rollback' puts the old containers back"
)


def add_verbs(verbs: Verbs) -> None:
    """Add them."""
    _add_options(verbs.add("deploy", TEXT, _deploy, show_deploy.deploy, INTERRUPTED))
    text = "list the deployments, newest first, or show one in full"
    one = verbs.add("deployments", text, _deployments, show_deploy.deployments)
    one.add_argument("id", metavar="ID", nargs="?")


def _add_options(one: argparse.ArgumentParser) -> None:
    what = one.add_mutually_exclusive_group()
    what.add_argument(
        "--image",
        metavar="NAME:TAG",
        help="for the services that use another tag of it; default: what the compose files say",
    )
    what.add_argument("--tag", metavar="TAG", help="for the services, which must all use one image")
    one.add_argument("--service", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    one.add_argument(
        "--if-older-than", metavar="AGE", help="take no backup while a proven one is younger than this, such as 20m"
    )
    one.add_argument(
        "--recreate-database", metavar="CLUSTER",
        help="say its name to have the database's container recreated as the compose files say, after a proven backup",
    )  # fmt: skip
    one.add_argument("--who", default="", metavar="NAME", help="who deploys, for the record (default: the account)")
    one.add_argument("--note", default="", help="kept with the record and the backup")
    one.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="wait for another deployment to end (default: 0)"
    )
    one.add_argument(
        "--rollback", action="store_true", help="put the old containers back after an interrupted deployment"
    )
    one.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")


def _deploy(arguments: argparse.Namespace, loaded: ClusterConfig, system: System, progress: Any) -> dict[str, Any]:
    if arguments.rollback:
        if arguments.dry_run:
            return {"changed": False, "rollback": plan_rollback(loaded, system), "deployment": None}
        return rollback(loaded, loaded.deploy, arguments.wait, system, progress)
    request = DeployRequest(
        wanted=Wanted(arguments.image, arguments.tag, tuple(arguments.service)),
        if_older_than=parse_age(arguments.if_older_than) if arguments.if_older_than else None,
        recreate=arguments.recreate_database, who=arguments.who, note=arguments.note, wait=arguments.wait,
    )  # fmt: skip
    if arguments.dry_run:
        return {"changed": False, "plan": plan(loaded, request, system).as_dict(), "deployment": None}

    def show(chosen: DeployPlan) -> None:
        if not (arguments.quiet or arguments.json):
            sys.stderr.write(show_deploy.plan_text(chosen.as_dict()) + "\n")
            sys.stderr.flush()

    return deploy(loaded, request, system, progress, show)


def _deployments(
    arguments: argparse.Namespace, loaded: ClusterConfig, system: System, _progress: Any
) -> dict[str, Any]:
    repository = open_repository(loaded)
    records = Deployments(repository.path, repository.owner)
    if arguments.id is None:
        return {"cluster": loaded.cluster, "deployments": [records.read(one) for one in reversed(records.ids())]}
    if arguments.id not in records.ids():
        raise NotFoundError(
            "find",
            f"deployment {arguments.id}",
            f"cluster {loaded.cluster} has no such record",
            "See 'holdfast deployments'.",
        )
    return {"cluster": loaded.cluster, "deployments": [records.read(arguments.id)], "full": True}
