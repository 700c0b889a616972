# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge the place that a compose file would give to a database: the right volume, with the right data in it?"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..config import ClusterConfig
from ..postgres import engine, volume
from ..postgres.access import ContainerAccess
from ..postgres.compose import Model
from ..postgres.container import LABEL
from ..postgres.image import declared_volumes, default_data_directory, major_of
from ..postgres.mounts import Mount, holder
from ..system import System
from .guard_survey import Candidate, Survey
from .guard_volume import judge_volume


@dataclass(frozen=True)
class Target:
    """Where a service would have its data.

    :param mount: what the data directory would lie on.
    :param data_directory: its path in the container.
    :param image: id of the service's image; None if it is not on this host.
    :param major: version of the server in the image; None where nothing says it.
    """

    mount: Mount
    data_directory: str
    image: Optional[str]
    major: Optional[int]

    @classmethod
    def of(cls, access: ContainerAccess, model: Model, system: System) -> Target:
        """That of what compose would run.

        :raises AccessError: the engine does not answer.
        """
        image = next(iter(engine.inspect(access, system, "image", model.image)), None)
        told = model.environment.get("PGDATA") or engine.environment(image or {}).get("PGDATA")
        data = os.path.normpath(told or default_data_directory(model.image))
        unnamed = [Mount(place, "anonymous") for place in declared_volumes(image, model.image)]
        return cls(
            mount=holder(data, [*unnamed, *model.mounts]),
            data_directory=data,
            image=image["Id"] if image else None,
            major=major_of(image, model.image),
        )


def named(mount: Mount) -> str:
    """What data would lie on, in words."""
    kinds = {"anonymous": "a new, anonymous volume", "memory": "a tmpfs", "layer": "the container's own layer"}
    return kinds.get(mount.kind) or (f"volume {mount.source}" if mount.kind == "volume" else mount.source)


def judge_target(
    config: ClusterConfig,
    access: ContainerAccess,
    candidate: Candidate,
    target: Optional[Target],
    facts: Optional[Mapping[str, Any]],
    system: System,
    survey: Survey,
) -> None:
    """Judge the volume of a candidate, and whether the data would lie on it.

    :param target: None if the candidate could not be read: its volume is judged all the same.
    :param facts: what the engine says of the container that there is.
    """
    inner = ""
    if target is not None:
        if (target.mount.kind, target.mount.source) not in (("volume", candidate.volume), ("bind", candidate.volume)):
            survey.fail(
                "target", f"PGDATA {target.data_directory} would lie on {named(target.mount)}, not on {candidate.volume}",
                f"Mount {candidate.volume} on the parent of the image's PGDATA or on PGDATA itself"
                " (/var/lib/postgresql from PostgreSQL 18 on, /var/lib/postgresql/data before).",
            )  # fmt: skip
            return
        inner = os.path.relpath(target.data_directory, target.mount.target)
        survey.ok("target", f"PGDATA {target.data_directory} would lie on {named(target.mount)}")
    own = str(facts["Id"]) if facts else None
    survey.volume = found = volume.look(access, system, candidate.volume, inner, own, LABEL)
    if found.exists:
        judge_volume(config, survey, target.major if target else None)
        if found.pg_version is None and found.mountpoint and target is not None:
            _judge_contents(found.mountpoint, inner, candidate.volume, survey)
    if found.pg_version is None:
        _look_for_another(config, access, found, system, survey)


def _judge_contents(mountpoint: str, inner: str, name: str, survey: Survey) -> None:
    """An empty place in a volume that has data elsewhere: a new database would be made beside the old one."""
    others = volume.data_directories(mountpoint)
    if others:
        place, major = others[0]
        survey.fail(
            "target", f"{name} holds data of PostgreSQL {major} in {place}, but the server would look in {inner}",
            "Mount the volume, or set PGDATA, so that PGDATA is the directory that holds them.",
        )  # fmt: skip


def _look_for_another(
    config: ClusterConfig, access: ContainerAccess, found: volume.Volume, system: System, survey: Survey
) -> None:
    """The volume is empty or not there: has this cluster another one, and is its name merely misspelt?"""
    state = "is empty" if found.exists else "does not exist"
    ours = [name for name in volume.labelled(access, system, config.cluster) if name != found.name]
    if ours:
        closest = (difflib.get_close_matches(found.name, ours, 1, 0) or ours)[0]
        survey.fail(
            "volume", f"volume {found.name} {state}, but {', '.join(ours)} is labelled for cluster {config.cluster}:"
            " a new, empty database would take its place",
            f"Did you mean {closest}? If not, remove that label's claim: move the data, or give this cluster another name.",
        )  # fmt: skip
        return
    similar = difflib.get_close_matches(found.name, set(volume.names(access, system)) - {found.name}, 1, 0.85)
    if similar and not found.exists:
        survey.warn(
            "volume", f"volume {found.name} does not exist, but {similar[0]} does", "See that the name is right."
        )
    elif not found.exists:
        survey.ok("volume", f"volume {found.name} does not exist yet")
