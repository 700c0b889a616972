# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recreate the database's container as the compose files say: only when it was asked for by name, after a proven backup."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..config import ClusterConfig
from ..errors import AccessError, DeployError, HoldfastError
from ..repository.store import Repository
from ..system import System
from .context import reach
from .deploy_plan import DeployPlan
from .guard import guard
from .guard_survey import GuardRequest

_READY_SECONDS = 300
_POLL = 1.0
#: What must not change when a container is recreated.
_LASTING = ("engine", "system_identifier", "volume")


def recreate_database(
    config: ClusterConfig, chosen: DeployPlan, repository: Repository, system: System, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Have compose recreate the one container, wait until the server answers, and see that it has its data.

    The plan has seen before that the data would lie on the volume that they are on.

    :returns: the identity of the server from now on.
    :raises DeployError: compose refuses, the server does not come up, or it has other data.
    """
    target = chosen.target
    service = str(target.database)
    done = system.run(target.compose.command(target.project, ["up", "--detach", "--no-deps", "--no-build", service]))
    if done.returncode != 0:
        raise DeployError("recreate", f"service {service}", done.last_error, "Mend what compose says.")
    tell(f"compose has recreated the database's container (service {service})")
    until = time.monotonic() + _READY_SECONDS
    while True:
        try:
            reach(config, system, repository, "deploy")
            break
        except AccessError as error:
            if time.monotonic() > until:
                raise DeployError("reach", "the recreated database", error.reason, error.next_step) from error
            time.sleep(_POLL)
    try:
        identity: dict[str, Any] = guard(config, GuardRequest(), system)["identity"]
    except HoldfastError as error:
        raise DeployError("accept", "the recreated database", error.reason, error.next_step) from error
    others = [key for key in _LASTING if chosen.identity.get(key) not in (None, identity.get(key))]
    if others:
        raise DeployError(
            "accept", "the recreated database",
            "; ".join(f"{key} was {chosen.identity.get(key)}, is {identity.get(key)}" for key in others),
            "It does not run on the data it had. Stop it, and compare the compose file with the backup's record.",
        )  # fmt: skip
    tell("the database answers, on the volume it was on")
    return identity
