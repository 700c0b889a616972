# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is remembered of a cluster's runs, on its host and not in the repository: that may be what is gone.

``<state_dir>/<cluster>/runs.json`` and ``.run.lock``. Nothing is decided by it; it is for people, metrics and
notifications, so a damaged file is begun anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from ..errors import BusyError, RepositoryError
from ..repository import durable
from ..repository.lock import FileLock

_SCHEMA = 1
#: Seconds.
_LOOKED_AT = 3.0
DEFAULT_DIR = "/var/lib/holdfast"


@dataclass
class RunFacts:
    """What is remembered.

    :param jobs: by name, how it ended the last time: ``started``, ``finished``, ``seconds``, ``success``, ``exit_code``,
        ``reason``, ``next_step`` and ``id`` of what came of it.
    :param running: the run that is going: ``started`` and ``jobs``; None if there is none.
    :param pruned: how many backups prunes have removed in all.
    :param told: what notifications remember.
    """

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: Optional[dict[str, Any]] = None
    pruned: int = 0
    told: dict[str, Any] = field(default_factory=dict)


class RunState:
    """The directory of one cluster."""

    def __init__(self, state_dir: Path, cluster: str) -> None:
        self.path = state_dir / cluster
        self._file = self.path / "runs.json"

    def lock(self) -> FileLock:
        """The lock of whoever runs: one at a time.

        :raises RepositoryError: the directory cannot be made.
        """
        self._make()
        # Whoever looks for a run holds it for an instant, and must not be taken for one.
        return FileLock(self.path / ".run.lock", "run", wait=_LOOKED_AT)

    def is_running(self) -> bool:
        """Whether a run is going: the kernel knows, whatever was written."""
        lock = FileLock(self.path / ".run.lock", "look for a run")
        try:
            lock.acquire()
        except BusyError:
            return True
        except RepositoryError:
            return False
        lock.release()
        return False

    def read(self) -> RunFacts:
        """What is remembered; nothing where there is no file, or none that can be read."""
        try:
            raw = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return RunFacts()
        if not isinstance(raw, Mapping) or raw.get("schema") != _SCHEMA:
            return RunFacts()
        return RunFacts(dict(raw["jobs"]), raw["running"], int(raw["pruned"]), dict(raw["told"]))

    def write(self, facts: RunFacts) -> None:
        """Remember.

        :raises RepositoryError: it cannot be written.
        """
        self._make()
        try:
            durable.replace_file(self._file, durable.to_json({"schema": _SCHEMA, **facts.__dict__}))
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def _make(self) -> None:
        try:
            self.path.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(self.path, error) from error


def _cannot_write(path: Path, error: OSError) -> RepositoryError:
    return RepositoryError(
        "write", f"the state of the runs in {path}", os.strerror(error.errno or 0),
        "Make that directory writable for this account (the agent role does), or set state_dir.",
    )  # fmt: skip
