# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the parts of a data directory are: the directory itself, its WAL, its tablespaces."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..system import System
from . import engine
from .access import ContainerAccess

_WAL, _TABLESPACES = "pg_wal", "pg_tblspc"
_PROGRAMS = ("postgres", "postmaster")


@dataclass(frozen=True)
class Part:
    """One part: what to call it, and its path in the server's own file system, without links as far as could be seen."""

    name: str
    path: str


def parts(
    data: str, links: Optional[Mapping[str, str]], resolve: Callable[[str], Optional[str]], tablespaces: Sequence[str]
) -> list[Part]:
    """The parts of a data directory besides itself.

    :param data: its path as the server sees it.
    :param links: what :func:`links` or :func:`links_by_podman` have found; None if they could not look.
    :param resolve: follows the links of one of the server's paths; None where it cannot.
    :param tablespaces: their places as the server itself says, for when the links cannot be read.
    """
    if links is None:
        return [Part("tablespace", resolve(path) or os.path.normpath(path)) for path in tablespaces]
    found = []
    for inner in sorted({_WAL, *links}):
        target = links.get(inner)
        path = os.path.normpath(os.path.join(data, os.path.dirname(inner), target) if target else f"{data}/{inner}")
        name = "WAL directory" if inner == _WAL else f"tablespace {os.path.basename(inner)}"
        found.append(Part(name, resolve(path) or path))
    return found


def links(directory: Path) -> Optional[dict[str, str]]:
    """The links of a data directory that lead out of it, by their names in it; None if this account may not look.

    ``{"pg_wal": "/wal", "pg_tblspc/16400": "/fast/space"}``
    """
    try:
        inner = [_WAL, *(f"{_TABLESPACES}/{name}" for name in os.listdir(directory / _TABLESPACES))]
        return {name: os.readlink(directory / name) for name in inner if (directory / name).is_symlink()}
    except OSError:
        return None


def links_by_podman(access: ContainerAccess, system: System, directory: str) -> Optional[dict[str, str]]:
    """The same for a rootless podman, whose user may look at the server's files only among its own user ids."""
    where = [f"{directory}/{_WAL}", f"{directory}/{_TABLESPACES}"]
    done = engine.ask(
        access, system, "unshare", "find", *where, "-maxdepth", "1", "-type", "l", "-printf", "%p\\0%l\\0"
    )
    if done.returncode != 0:
        return None
    words = done.stdout.split("\0")
    return {os.path.relpath(path, directory): target for path, target in zip(words[0::2], words[1::2])}


def of_process(pid: int) -> Optional[str]:
    """The data directory of a postmaster, which works in it; None if this account may not look, or it is none.

    A container's first process may be an init that has started it. Source: ChangeToDataDir() in miscinit.c.
    """
    for candidate in (pid, *_children(pid)):
        process = Path(f"/proc/{candidate}")
        try:
            if (process / "comm").read_text().strip() in _PROGRAMS:
                return os.readlink(process / "cwd")
        except OSError:
            continue
    return None


def of_backend(pid: int) -> Optional[str]:
    """The data directory of the server that has started a process of this host for a connection; None as before."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        # pid (name) state parent …, and the name may hold anything. Source: proc_pid_stat(5).
        return of_process(int(stat.rpartition(")")[2].split()[1]))
    except (OSError, ValueError, IndexError):
        return None


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
