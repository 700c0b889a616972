# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The volume, or the directory of the host, that holds a server's data directory."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from ..system import System
from . import engine
from .access import ContainerAccess
from .mounts import below

#: Holdfast's mark on what it provisions: the cluster that it is for.
CLUSTER_LABEL = "io.holdfast.cluster"
#: Where in a volume a data directory may be: that of images up to 17, of 18 and later, and of habit.
_DATA_PLACES = ("", "*", "*/*")


@dataclass(frozen=True)
class Volume:
    """What is known of a volume, or of a directory of the host.

    :param name: its name; the path, for a directory.
    :param exists: whether it is there.
    :param mountpoint: its place on the host; None where the engine does not say.
    :param data_path: where on the host the data directory in it is, or would be.
    :param pg_version: the major version that this data directory says it is of; None if there is none or it cannot be read.
    :param readable: whether this account may look into it.
    :param used_by: names of other running containers that may write to it.
    """

    name: str
    exists: bool
    labels: Mapping[str, str] = field(default_factory=dict)
    mountpoint: Optional[str] = None
    data_path: Optional[str] = None
    pg_version: Optional[int] = None
    readable: bool = False
    used_by: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "exists": self.exists,
            "labels": dict(self.labels),
            "mountpoint": self.mountpoint,
            "data_path": self.data_path,
            "pg_version": self.pg_version,
            "used_by": list(self.used_by),
        }


def look(
    access: ContainerAccess,
    system: System,
    name: str,
    inner: str,
    own_container: Optional[str],
    ignored_label: str,
) -> Volume:
    """Look at a named volume, or at a directory of the host if the name is an absolute path.

    :param inner: where in it the data directory is, relative to it.
    :param own_container: id of the server's own container, which may use it.
    :param ignored_label: containers that have it do not count as users.
    :raises AccessError: the engine does not answer.
    """
    mountpoint: Optional[str]
    labels: dict[str, str] = {}
    if os.path.isabs(name):
        exists, mountpoint = os.path.isdir(name), os.path.realpath(name)
    else:
        facts = next(iter(engine.inspect(access, system, "volume", name)), None)
        exists, labels = facts is not None, (facts or {}).get("Labels") or {}
        mountpoint = (facts or {}).get("Mountpoint") or None
    data_path = os.path.normpath(os.path.join(mountpoint, inner)) if mountpoint else None
    return Volume(
        name=name,
        exists=exists,
        labels=labels,
        mountpoint=mountpoint,
        data_path=data_path,
        pg_version=pg_version(data_path) if data_path else None,
        readable=bool(mountpoint) and os.access(mountpoint or "", os.R_OK | os.X_OK),
        used_by=tuple(_users(access, system, name, mountpoint, own_container, ignored_label)) if exists else (),
    )


def pg_version(data_path: str) -> Optional[int]:
    """The major version that a data directory is of, from its file PG_VERSION; None if there is none to be read."""
    try:
        with open(os.path.join(data_path, "PG_VERSION"), encoding="ascii") as stream:
            return int(stream.read(16))
    except (OSError, ValueError):
        return None


def data_directories(mountpoint: str) -> list[tuple[str, int]]:
    """The data directories that a volume holds, relative to it, with their major versions."""
    for place in _DATA_PLACES:
        found = []
        for path in sorted(glob.glob(os.path.join(glob.escape(mountpoint), place, "PG_VERSION"))):
            directory = os.path.dirname(path)
            major = pg_version(directory)
            # A database within a data directory has a PG_VERSION as well, but no global/.
            if major is not None and os.path.isdir(os.path.join(directory, "global")):
                found.append((os.path.relpath(directory, mountpoint), major))
        if found:
            return found
    return []


def labelled(access: ContainerAccess, system: System, cluster: str) -> list[str]:
    """Names of the volumes that are labelled for a cluster, sorted.

    :raises AccessError: the engine does not answer.
    """
    return sorted(
        engine.listed(access, system, "volume", "ls", "--quiet", "--filter", f"label={CLUSTER_LABEL}={cluster}")
    )


def names(access: ContainerAccess, system: System) -> list[str]:
    """Names of all volumes.

    :raises AccessError: the engine does not answer.
    """
    return engine.listed(access, system, "volume", "ls", "--quiet")


def system_identifier(data_path: Path) -> Optional[str]:
    """What a data directory calls itself; None if it cannot be read.

    The first eight bytes of global/pg_control, in the machine's own byte order. Source: catalog/pg_control.h.
    """
    try:
        with open(data_path / "global" / "pg_control", "rb") as stream:
            head = stream.read(8)
    except OSError:
        return None
    return str(int.from_bytes(head, sys.byteorder)) if len(head) == 8 else None


def _users(
    access: ContainerAccess,
    system: System,
    name: str,
    mountpoint: Optional[str],
    own_container: Optional[str],
    ignored_label: str,
) -> Sequence[str]:
    running = engine.listed(access, system, "ps", "--quiet", "--no-trunc")
    found = []
    for facts in engine.inspect(access, system, "container", *running):
        if facts["Id"] == own_container or ignored_label in engine.labels(facts):
            continue
        for mount in facts.get("Mounts") or []:
            source = str(mount.get("Source") or "")
            same = mount.get("Name") == name or bool(mountpoint and source and below(source, mountpoint))
            if same and mount.get("RW", True):
                found.append(engine.name(facts))
                break
    return sorted(found)
