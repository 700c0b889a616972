# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is the data where it should be, and as it should be? Looks at what is real, and changes nothing."""

from __future__ import annotations

from typing import Any

from ..config import ClusterConfig
from ..errors import GuardError
from ..postgres.access import ContainerAccess
from ..postgres.identity import differences
from ..system import System
from .guard_container import look_at_container
from .guard_host import look_at_host
from .guard_survey import GuardRequest, Survey


def guard(config: ClusterConfig, request: GuardRequest, system: System) -> dict[str, Any]:
    """Look at a cluster, and at a compose file that somebody is about to use for it.

    :returns: what was found: ``verdict``, ``checks``, ``identity``, ``compose``, ``server``, ``volume`` …
    :raises GuardError: a check found an error; its details are the whole result.
    :raises AccessError: the engine is not there or does not answer.
    """
    survey = Survey(config.cluster)
    if isinstance(config.access, ContainerAccess):
        look_at_container(config, config.access, request, system, survey)
    else:
        look_at_host(config, config.access, survey)
    if request.identity is not None:
        _compare(request, survey)
    if survey.errors:
        steps = dict.fromkeys(check.next_step for check in survey.errors if check.next_step)
        raise GuardError(
            "vouch for",
            f"cluster {config.cluster}",
            "; ".join(f"{check.name}: {check.detail}" for check in survey.errors),
            " ".join(steps),
            **survey.as_dict(),
        )
    return survey.as_dict()


def _compare(request: GuardRequest, survey: Survey) -> None:
    found = differences(request.identity or {}, survey.identity or {})
    if not survey.server.get("running"):
        found.append("it does not run, or does not answer")
    if found:
        survey.fail(
            "identity",
            f"the server was stopped, restarted or replaced: {'; '.join(found)}",
            "Find out who did it (the engine's or the system's journal) before anything else touches it.",
        )
    else:
        survey.ok("identity", "it is the same server, and it was not restarted")
