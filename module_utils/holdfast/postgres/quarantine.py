# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put the data of a server aside, in constant time, and put them back: a rename on the same file system.

What lies in a volume is moved to a volume of its own, so that the engine shows it and a container can look at it; a
directory of the host is renamed. Nothing is ever copied or deleted. The server must not run.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..errors import RestoreError
from ..system import System
from . import engine
from .access import ContainerAccess

#: On volumes that hold what was put aside: the cluster that it is of.
LABEL = "io.holdfast.quarantine"


@dataclass(frozen=True)
class Holder:
    """What a server's data lie in.

    :param kind: ``volume`` or ``directory``.
    :param name: the volume's name, or the directory's path.
    :param path: the directory on this host that holds them.
    """

    kind: str
    name: str
    path: str

    def as_dict(self) -> dict[str, str]:
        """As JSON."""
        return {"kind": self.kind, "name": self.name, "path": self.path}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Holder:
        """Of :meth:`as_dict`."""
        return cls(str(facts["kind"]), str(facts["name"]), str(facts["path"]))


def holder_of(access: ContainerAccess, system: System, facts: Mapping[str, Any], data_directory: str) -> Holder:
    """What the data of a container lie in.

    :param facts: what the engine says of the container; :param data_directory: as the container sees it.
    :raises RestoreError: nothing that could be put aside: memory, or the container's own layer.
    """
    best: Optional[Mapping[str, Any]] = None
    for mount in facts.get("Mounts") or []:
        target = os.path.normpath(str(mount["Destination"]))
        if (data_directory + "/").startswith(target + "/") and (best is None or len(target) > len(best["Destination"])):
            best = mount
    if best is None or best.get("Type") not in ("volume", "bind"):
        raise _refused(data_directory, "it lies on no volume and on no directory of the host", "Run 'holdfast guard'.")
    if best["Type"] == "bind":
        return Holder("directory", str(best["Source"]), str(best["Source"]))
    name = str(best["Name"])
    told = next(iter(engine.inspect(access, system, "volume", name)), {})
    options = told.get("Options") or {}
    if options.get("type") in (None, "none") and "bind" in str(options.get("o", "")):
        return Holder("directory", str(options["device"]), str(options["device"]))
    if options or told.get("Driver", "local") != "local":
        raise _refused(
            f"volume {name}", f"it is no plain local volume (driver {told.get('Driver')}, options {options})",
            "Put its content aside with the means of its storage (a snapshot), empty it, and recover by the RUNBOOK.",
        )  # fmt: skip
    return Holder("volume", name, str(told.get("Mountpoint") or best["Source"]))


def is_empty(holder: Holder) -> bool:
    """Whether there is nothing in it.

    :raises RestoreError: this account may not look.
    """
    try:
        return not os.path.isdir(holder.path) or not os.listdir(holder.path)
    except OSError as error:
        raise _refused(holder.name, str(error.strerror), "Run this as root.") from error


def place_for(holder: Holder, why: str, stamp: str) -> Holder:
    """Where something is put aside: beside it, under a dated name.

    :param why: ``quarantine``, or what else it is; part of the name.
    """
    name = f"{holder.name}_{why}_{stamp}"
    if holder.kind == "directory":
        return Holder("directory", name, name)
    # Volumes of the local driver: …/volumes/<name>/_data
    root, inner = os.path.split(os.path.dirname(holder.path))[0], os.path.basename(holder.path)
    return Holder("volume", name, os.path.join(root, name, inner))


def move(access: ContainerAccess, system: System, source: Holder, target: Holder, cluster: str) -> None:
    """Move all that is in one to the other, which is new or empty. Begun again after a kill, it goes on.

    :raises RestoreError: it cannot be done; everything is where it was.
    """
    if target.kind == "volume" and not engine.inspect(access, system, "volume", target.name):
        done = engine.ask(access, system, "volume", "create", "--label", f"{LABEL}={cluster}", target.name)
        if done.returncode != 0:
            raise _refused(source.name, done.last_error, "See what the engine says.")
    try:
        if os.path.ismount(source.path):
            raise OSError(errno.EBUSY, "it is a mount point of its own")
        moved = is_empty(source) and not is_empty(target)
        facts = os.stat(source.path if os.path.isdir(source.path) else target.path)
        if not moved:
            # An empty directory gives way to the one that is renamed. Source: rename(2).
            os.rename(source.path, target.path)
        _make_like(source.path, facts)
        for path in (source.path, target.path):
            _flush(os.path.dirname(path))
    except OSError as error:
        raise _refused(
            source.name, f"{error.strerror} ({source.path} to {target.path})",
            "Run this as root, on the host that has it; both must lie on one file system.",
        ) from error  # fmt: skip


def forget_empty(access: ContainerAccess, system: System, holder: Holder) -> None:
    """Remove what was put aside and is empty by now; what is not empty is left alone."""
    if not is_empty(holder):
        return
    if holder.kind == "volume":
        engine.ask(access, system, "volume", "rm", holder.name)
    elif os.path.isdir(holder.path):
        os.rmdir(holder.path)


def _make_like(path: str, facts: os.stat_result) -> None:
    if not os.path.isdir(path):
        os.mkdir(path, 0o700)
    os.chown(path, facts.st_uid, facts.st_gid)
    os.chmod(path, facts.st_mode & 0o7777)


def _flush(directory: str) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refused(what: str, reason: str, next_step: str) -> RestoreError:
    return RestoreError("put aside", what, reason, next_step)
