# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a container, as seen from this host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

_MOST_LINKS = 64


class Rootfs:
    """The root of a running container's main process: ``/proc/<pid>/root``."""

    def __init__(self, process: Path) -> None:
        self._process = process
        self._root = process / "root"

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Optional[Rootfs]:
        """That of a container which the engine describes; None if it does not run on this very host."""
        process = Path(f"/proc/{facts.get('State', {}).get('Pid') or 0}")
        return cls(process) if _is_of_container(process, str(facts["Id"])) else None

    def resolve(self, path: str) -> Optional[str]:
        """A path of the container without any link in it, or None where this account may not look.

        Links are followed by hand within the container's root: followed by the kernel, an absolute one
        (``/var/run`` → ``/run``) would lead into this host's own tree, to another server's files.
        """
        parts = [part for part in path.split("/") if part not in ("", ".")]
        resolved: list[str] = []
        for _hop in range(_MOST_LINKS + path.count("/")):
            if not parts:
                return "/" + "/".join(resolved)
            part = parts.pop(0)
            if part == "..":
                resolved = resolved[:-1]
                continue
            here = self._root.joinpath(*resolved, part)
            try:
                if here.is_symlink():
                    target = os.readlink(here)
                    resolved = [] if target.startswith("/") else resolved
                    parts = [piece for piece in target.split("/") if piece not in ("", ".")] + parts
                    continue
            except OSError:
                return None
            resolved.append(part)
        return None

    def on_host(self, path: str) -> Optional[Path]:
        """The path of this host under which a path of the container can be read, or None."""
        resolved = self.resolve(path)
        found = self._root.joinpath(*resolved.split("/")[1:]) if resolved is not None else None
        return found if found and os.access(found, os.R_OK | os.X_OK) else None

    def mountinfo(self) -> Optional[str]:
        """What is mounted in the container, as the kernel says it, or None where this account may not look."""
        try:
            return (self._process / "mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return None


def _is_of_container(process: Path, container_id: str) -> bool:
    """Whether a process of this host is of that container: an engine elsewhere counts other processes.

    Both engines name its control group after the container, and mount files of the container's into it.
    """
    try:
        return any(container_id in (process / name).read_text(errors="replace") for name in ("cgroup", "mountinfo"))
    except OSError:
        return False
