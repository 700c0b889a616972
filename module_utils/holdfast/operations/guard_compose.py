# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would compose do to the database: nothing, create it, start it, recreate it, or give it another volume?"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ..config import ClusterConfig
from ..errors import HoldfastError
from ..postgres import compose as composing
from ..postgres import engine
from ..postgres.access import ContainerAccess
from ..postgres.compose import Compose, Model, Project
from ..postgres.mounts import Mount
from ..postgres.volume import CLUSTER_LABEL
from ..system import System
from .guard_survey import Candidate, Survey
from .guard_target import Target, judge_target, named

_SEE = "Compare the files with what runs; apply them on purpose in a maintenance window, or take the change back."


def judge_project(
    config: ClusterConfig,
    access: ContainerAccess,
    facts: Mapping[str, Any],
    where: Optional[Mount],
    files: Sequence[str],
    compose: Optional[Compose],
    system: System,
    survey: Survey,
) -> None:
    """Judge the compose files that made a container, as they are now.

    :param where: what the data directory lies on.
    :param files: others to judge in their place; may be empty.
    """
    project = Project.of_container(engine.labels(facts))
    managed = CLUSTER_LABEL in engine.labels(facts)
    survey.compose = {
        "action": "none", "reasons": [], "moves_data": False, "adopted": not managed, "managed": managed,
    }  # fmt: skip
    if project is None:
        survey.ok("compose", "the container was not made by compose")
        return
    if files:
        project = replace(project, files=tuple(os.path.abspath(file) for file in files))
    missing = [file for file in project.files if not os.path.isfile(file)]
    if compose is None or missing:
        reason = (
            f"{', '.join(missing)} is not there" if missing else f"there is no compose for {access.engine} on this host"
        )
        survey.warn("compose", f"what compose would do cannot be said: {reason}")
        return
    try:
        model = compose.read(project)
    except HoldfastError as error:
        survey.by_policy(config.guard.compose, "compose", error.reason, error.next_step)
        return
    target = Target.of(access, model, system)
    reasons = _reasons(facts, model, target)
    if reasons:
        survey.compose.update(action="recreate", reasons=reasons)
    if where is not None and _is_elsewhere(target, where):
        survey.compose["moves_data"] = True
        survey.by_policy(
            config.guard.compose, "compose",
            f"its files would put the data on {named(target.mount)} instead of {named(where)}: an empty database", _SEE,
        )  # fmt: skip
    elif reasons:
        survey.by_policy(
            config.guard.compose, "compose", f"'up' would recreate the database's container: {'; '.join(reasons)}", _SEE
        )
    else:
        survey.ok("compose", "its files would change nothing")


def judge_candidate(
    config: ClusterConfig,
    access: ContainerAccess,
    candidate: Candidate,
    facts: Optional[Mapping[str, Any]],
    where: Optional[Mount],
    compose: Optional[Compose],
    system: System,
    survey: Survey,
) -> None:
    """Judge a compose file before anybody uses it.

    :param facts: what the engine says of the container that there is.
    :param where: what its data directory lies on.
    """
    survey.compose = {"action": "create", "reasons": [], "adopted": False, "managed": facts is not None}
    known = configured_volume(config)
    if known not in (None, candidate.volume):
        survey.fail(
            "compose", f"it names volume {candidate.volume}, but cluster {config.cluster} is configured for {known}",
            f"Correct the name. If the data were moved on purpose, correct guard.volume in {config.source} first.",
        )  # fmt: skip
    if not survey.engine["present"]:
        survey.compose["reasons"] = [f"there is no {access.engine} on this host yet"]
        survey.ok("compose", f"nothing is there yet: no {access.engine} on this host")
        return
    if compose is None:
        detail = f"there is no compose for {access.engine} on this host, so the file cannot be judged"
        step = "Install the compose plugin (docker-compose-plugin, or docker-compose of the distribution)."
        (survey.warn if facts is None else survey.fail)("compose", detail, step)
        judge_target(config, access, candidate, None, facts, system, survey)
        return
    try:
        with composing.candidate(
            candidate.content, candidate.project, candidate.service, candidate.directory
        ) as project:
            model = compose.read(project)
    except HoldfastError as error:
        survey.fail("compose", error.reason, error.next_step)
        return
    target = Target.of(access, model, system)
    if where is not None and _is_elsewhere(target, where):
        survey.fail(
            "compose", f"it would put the data on {named(target.mount)}, but they are on {named(where)}",
            "Name the volume that holds the data.",
        )  # fmt: skip
    judge_target(config, access, candidate, target, facts, system, survey)
    _decide(candidate, facts, model, target, survey)


def configured_volume(config: ClusterConfig) -> Optional[str]:
    """The volume that this cluster is known to use: by this configuration, else by the one that the host has."""
    if config.guard.volume is not None or config.source is None:
        return config.guard.volume
    try:
        raw = json.loads(config.source.read_text(encoding="utf-8"))
        found = raw["guard"]["volume"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, str) else None


def _decide(
    candidate: Candidate, facts: Optional[Mapping[str, Any]], model: Model, target: Target, survey: Survey
) -> None:
    if facts is None:
        survey.compose = {**(survey.compose or {}), "action": "create", "reasons": ["there is no container yet"]}
        survey.ok("compose", "there is no container yet: it would be created")
        return
    reasons = _reasons(facts, model, target)
    action = "recreate" if reasons else "none" if engine.runs(facts) else "start"
    reasons = reasons or ([] if action == "none" else ["it is stopped, and nothing has changed"])
    survey.compose = {**(survey.compose or {}), "action": action, "reasons": reasons}
    if action == "recreate" and not candidate.recreate:
        survey.fail(
            "compose", f"it would recreate the database's container, which nobody has allowed: {'; '.join(reasons)}",
            f"When the database may restart, allow it with '-e cluster_recreate={survey.cluster}'; or take the change back.",
        )  # fmt: skip
    else:
        survey.ok("compose", "; ".join(reasons) or "it would change nothing")


def _is_elsewhere(target: Target, where: Mount) -> bool:
    """Whether the data would lie elsewhere than now. Of anonymous volumes every container has its own."""
    same_kind = target.mount.kind == where.kind
    return not same_kind or (where.kind in ("volume", "bind") and target.mount.source != where.source)


def _reasons(facts: Mapping[str, Any], model: Model, target: Target) -> list[str]:
    """Why compose would recreate a container; empty if it would not."""
    reasons = []
    if target.image is None:
        reasons.append(f"image {model.image} is not on this host")
    elif target.image != facts["Image"]:
        reasons.append(f"image {model.image} is another one than the container's ({facts['Config'].get('Image')})")
    labels = engine.labels(facts)
    if labels.get(composing.CONFIG_HASH) != model.config_hash:
        by = labels.get(composing.VERSION)
        reasons.append(f"its configuration differs from that of the container (made by compose {by})")
    return reasons
