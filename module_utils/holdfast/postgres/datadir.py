# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the parts of a data directory are: the directory itself, its WAL, its tablespaces."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

_PROGRAMS = ("postgres", "postmaster")


@dataclass(frozen=True)
class Part:
    """One part: what to call it, and its path in the server's own file system, without links as far as could be seen."""

    name: str
    path: str


def parts(
    data: str,
    on_host: Optional[Path],
    resolve: Callable[[str], Optional[str]],
    tablespaces: Sequence[str],
) -> tuple[list[Part], bool]:
    """The parts of a data directory besides itself, and whether the links in it could be read.

    :param data: its path as the server sees it.
    :param on_host: the directory as this host sees it; None if it cannot.
    :param resolve: follows the links of one of the server's paths; None where it cannot.
    :param tablespaces: their places as the server itself says, for when the links cannot be read.
    """
    try:
        links = list(_links(on_host)) if on_host else None
    except OSError:
        links = None
    if links is None:
        return [Part("tablespace", resolve(path) or os.path.normpath(path)) for path in tablespaces], False
    found = []
    for name, inner, target in links:
        path = os.path.normpath(os.path.join(data, os.path.dirname(inner), target) if target else f"{data}/{inner}")
        found.append(Part(name, resolve(path) or path))
    return found, True


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


def _links(directory: Path) -> Iterator[tuple[str, str, Optional[str]]]:
    yield "WAL directory", "pg_wal", _target(directory / "pg_wal")
    for name in sorted(os.listdir(directory / "pg_tblspc")):
        yield f"tablespace {name}", f"pg_tblspc/{name}", _target(directory / "pg_tblspc" / name)


def _target(path: Path) -> Optional[str]:
    return os.readlink(path) if path.is_symlink() else None


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
