# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On what a path of a server really lies: a volume, a directory of the host, memory, or a container's own layer."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

#: File systems that are gone after a restart. Source: filesystems(5).
MEMORY = ("tmpfs", "ramfs", "devtmpfs")
_ANONYMOUS_NAME = re.compile(r"[0-9a-f]{64}")
_ANONYMOUS_LABEL = "com.docker.volume.anonymous"
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """What is mounted at a place.

    :param target: the mount point, absolute and without links.
    :param kind: ``volume``, ``anonymous`` (a volume that nobody has named), ``bind``, ``memory`` or ``layer``
        (a container's own, writable layer).
    :param source: the volume's name, or the path of the host; empty where there is none.
    :param path: where it is on the host, as far as that is known.
    :param writable: whether the container may write to it.
    """

    target: str
    kind: str
    source: str = ""
    path: str = ""
    writable: bool = True


def holder(path: str, mounts: Iterable[Mount]) -> Mount:
    """The mount that a path lies on: the longest mount point above it, the last one where two are equal.

    ``/data2/pg`` lies on ``/``, not on ``/data``.

    :param path: absolute and without links.
    """
    found = Mount("/", "layer")
    for mount in mounts:
        if below(path, mount.target) and len(mount.target) >= len(found.target):
            found = mount
    return found


def below(path: str, directory: str) -> bool:
    """Whether an absolute path is a directory or is in it."""
    return directory == "/" or path == directory or path.startswith(directory.rstrip("/") + "/")


def parse_mountinfo(text: str) -> list[tuple[str, str]]:
    """Mount points and their file systems, in the order in which they were mounted.

    ``36 35 98:0 /a /mnt\\040x rw - ext4 /dev/sda rw`` → ``[("/mnt x", "ext4")]``. Source: proc_pid_mountinfo(5).
    """
    found = []
    for line in text.splitlines():
        left, separator, right = line.partition(" - ")
        fields = left.split(" ")
        if separator and len(fields) >= 5:
            found.append((_OCTAL.sub(lambda code: chr(int(code.group(1), 8)), fields[4]), right.split(" ")[0]))
    return found


def anonymous(name: str, facts: Mapping[str, Any]) -> bool:
    """Whether a volume is one that nobody has named, so that the next container would get another one.

    :param facts: what the engine says of it; may be empty. Older dockers do not label such volumes.
    """
    labelled = _ANONYMOUS_LABEL in (facts.get("Labels") or {})
    return labelled or bool(facts.get("Anonymous")) or bool(_ANONYMOUS_NAME.fullmatch(name))


def in_memory(facts: Mapping[str, Any]) -> bool:
    """Whether a volume is one of the driver ``local`` with the option ``type=tmpfs``."""
    return (facts.get("Options") or {}).get("type") in MEMORY


def of_container(
    facts: Mapping[str, Any],
    volume: Callable[[str], Mapping[str, Any]],
    resolve: Callable[[str], Optional[str]],
    mountinfo: Optional[str],
) -> list[Mount]:
    """All mounts of a container.

    :param facts: what the engine says of the container.
    :param volume: what the engine says of a volume.
    :param resolve: follows the links of a path inside the container.
    :param mountinfo: what is mounted for real. None, for a container that does not run or on an engine that is
        elsewhere, leaves what the engine has been told.
    """
    declared: dict[str, Mount] = {}
    for one in facts.get("Mounts") or []:
        mount = _declared(one, volume, resolve)
        declared[mount.target] = mount
    for target in facts.get("HostConfig", {}).get("Tmpfs") or {}:
        place = os.path.normpath(resolve(target) or target)
        declared[place] = Mount(place, "memory")
    if mountinfo is None:
        return [Mount("/", "layer"), *declared.values()]
    return [_real(target, fstype, declared) for target, fstype in parse_mountinfo(mountinfo)]


def _declared(
    one: Mapping[str, Any], volume: Callable[[str], Mapping[str, Any]], resolve: Callable[[str], Optional[str]]
) -> Mount:
    destination = str(one["Destination"])
    target = os.path.normpath(resolve(destination) or destination)
    name, path = str(one.get("Name") or ""), str(one.get("Source") or "")
    writable = bool(one.get("RW", True))
    if one.get("Type") == "volume":
        known = volume(name)
        kind = "memory" if in_memory(known) else "anonymous" if anonymous(name, known) else "volume"
        return Mount(target, kind, name, path, writable)
    if one.get("Type") == "tmpfs":
        return Mount(target, "memory", writable=writable)
    return Mount(target, "bind", path, path, writable)


def _real(target: str, fstype: str, declared: Mapping[str, Mount]) -> Mount:
    told = declared.get(target)
    if fstype in MEMORY:
        return Mount(target, "memory", told.source if told else "", told.path if told else "")
    if told is not None:
        return told
    # What is mounted below a directory of the host comes along with it.
    above = holder(target, declared.values())
    if above.kind == "bind":
        path = os.path.join(above.path, os.path.relpath(target, above.target))
        return Mount(target, "bind", path, path, above.writable)
    return Mount(target, "layer")


def host_mount(path: str) -> tuple[str, str]:
    """The mount point and the file system that a path of this host lies on.

    :param path: absolute and without links.
    :raises OSError: the kernel does not say.
    """
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        mounts = parse_mountinfo(stream.read())
    best = ("/", "unknown")
    for target, fstype in mounts:
        if below(path, target) and len(target) >= len(best[0]):
            best = (target, fstype)
    return best
