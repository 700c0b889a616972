# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge a volume: what it is, whose it is, what is in it, and who uses it."""

from __future__ import annotations

import os
from typing import Optional

from ..config import ClusterConfig
from ..postgres.mounts import Mount, below
from ..postgres.volume import CLUSTER_LABEL
from .guard_survey import Survey

_MOVE = "Take a backup, mount a named volume there, and restore into it; do not remove the container before."


def judge_mount(name: str, what: str, path: str, mount: Mount, expected: Optional[str], survey: Survey) -> None:
    """Judge what a part of the data lies on.

    :param name: of the check.
    :param what: the part, in words.
    :param path: of the part, in the container.
    :param expected: name or path of the volume that is wanted; None wants no certain one.
    """
    part = f"{what} {path}"
    if mount.kind == "memory":
        survey.fail(
            name, f"{part} lies in memory (tmpfs on {mount.target}): it is gone when the container stops", _MOVE
        )
    elif mount.kind == "anonymous":
        survey.fail(
            name, f"{part} lies on an anonymous volume ({mount.source[:12] or 'a new one'} on {mount.target}):"
            " the next container would get an empty one", _MOVE,
        )  # fmt: skip
    elif mount.kind == "layer":
        survey.fail(name, f"{part} lies in the container's own layer: it goes with the container", _MOVE)
    elif expected is not None and not _is_expected(mount, expected):
        survey.fail(
            name, f"{part} lies on {_named(mount)}, not on {expected} as guard.volume says",
            "See which of the two holds the data that are wanted; then correct guard.volume or the mount.",
        )  # fmt: skip
    else:
        survey.ok(name, f"{part} lies on {_named(mount)}")


def judge_volume(config: ClusterConfig, survey: Survey, major: Optional[int]) -> None:
    """Judge the volume of the survey.

    :param major: version of the server in the image; None where it is not known.
    """
    volume = survey.volume
    if volume is None:
        return
    if not volume.exists:
        survey.fail("volume", f"volume {volume.name} does not exist", "Correct guard.volume.")
        return
    owner = volume.labels.get(CLUSTER_LABEL)
    if owner not in (None, config.cluster):
        survey.fail(
            "volume", f"volume {volume.name} is labelled for cluster {owner}",
            "Give this cluster a volume of its own, or correct the name of the cluster.",
        )  # fmt: skip
    else:
        survey.ok("volume", f"{volume.name} is {'labelled for this cluster' if owner else 'labelled for no cluster'}")
    if volume.used_by:
        survey.fail(
            "users", f"{volume.name} is also mounted, writable, by {', '.join(volume.used_by)}",
            "Stop them: two servers on one data directory destroy it. Whoever only reads mounts it read-only.",
        )  # fmt: skip
    else:
        survey.ok("users", f"nobody else may write to {volume.name}")
    if volume.pg_version is None or major is None:
        if volume.mountpoint and not volume.readable:
            survey.warn("version", f"this account may not read PG_VERSION in {volume.name}")
    elif volume.pg_version != major:
        survey.fail(
            "version", f"{volume.name} holds data of PostgreSQL {volume.pg_version}, the image is of {major}",
            f"Run an image of PostgreSQL {volume.pg_version}; upgrade by a backup and a restore, or by pg_upgrade.",
        )  # fmt: skip
    else:
        survey.ok("version", f"data and image are of PostgreSQL {major}")


def _is_expected(mount: Mount, expected: str) -> bool:
    if not os.path.isabs(expected):
        return mount.kind == "volume" and mount.source == expected
    return bool(mount.path) and below(os.path.realpath(mount.path), os.path.realpath(expected))


def _named(mount: Mount) -> str:
    return f"volume {mount.source}" if mount.kind == "volume" else f"the host's directory {mount.source}"
