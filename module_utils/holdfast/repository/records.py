# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The records of deployments and recoveries, beside the backups: what was done, and how far it came.

::

    deployments/<id>.json         the record, written anew at every step: whoever dies leaves how far he came
    deployments/<id>.txt          the same for people, once it has ended
    .deploy.lock                  one deployment at a time
    recoveries/, .recover.lock    the same of recoveries
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Optional

from ..errors import IntegrityError
from . import durable
from .lock import FileLock

#: The states in which what a record is of has not ended.
UNFINISHED = ("running", "interrupted")
_SCHEMA = 1


class Records:
    """The records of one kind in one repository.

    :param path: the repository's directory; ``owner``: user and group id that own it.
    :cvar directory: name of their directory; ``verb``: what is done; it is in the ids, too.
    """

    directory: ClassVar[str]
    verb: ClassVar[str]

    def __init__(self, path: Path, owner: tuple[int, int]) -> None:
        self.repository = path
        self.path = path / self.directory
        self._owner = owner
        self._id = re.compile(rf"[0-9]{{8}}T[0-9]{{6}}Z-{self.verb}-[0-9a-f]{{6}}")

    def lock(self, wait: float = 0.0) -> FileLock:
        """The lock of whoever does it: one at a time."""
        return FileLock(self.repository / f".{self.verb}.lock", self.verb, wait=wait)

    def ids(self) -> list[str]:
        """The ids of all records, oldest first."""
        try:
            names = [entry.name for entry in os.scandir(self.path)]
        except FileNotFoundError:
            return []
        except OSError as error:
            durable.refuse(error, "read", self.path)
        return sorted(name[: -len(".json")] for name in names if self._id.fullmatch(name[: -len(".json")]) and name.endswith(".json"))  # fmt: skip

    def read(self, record_id: str) -> dict[str, Any]:
        """One record.

        :raises IntegrityError: it is damaged, or of a newer form.
        """
        path = self.path / f"{record_id}.json"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            durable.refuse(error, "read", path)
        except ValueError as error:
            raise _damaged(path, str(error)) from error
        if not isinstance(record, dict) or record.get("schema") != _SCHEMA:
            raise _damaged(path, "it is of an unknown form")
        return record

    def latest(self) -> Optional[dict[str, Any]]:
        """The newest record; None if there is none yet.

        :raises IntegrityError: it is damaged.
        """
        ids = self.ids()
        return self.read(ids[-1]) if ids else None

    def write(self, record: Mapping[str, Any], text: Optional[str] = None) -> None:
        """Write a record as it is now, durably.

        :param text: the same for people, when it has ended.
        :raises RepositoryError: it cannot be written.
        """
        try:
            if not self.path.exists():
                durable.make_directory(self.path)
                durable.give_to(self.path, self._owner)
            for end, content in (
                ("json", durable.to_json({**record, "schema": _SCHEMA})),
                ("txt", text.encode("utf-8", "replace") if text else None),
            ):
                if content is not None:
                    path = self.path / f"{record['id']}.{end}"
                    durable.replace_file(path, content)
                    durable.give_to(path, self._owner)
        except OSError as error:
            durable.refuse(error, f"write to {self.directory} in", self.repository)


class Deployments(Records):
    """The records of deployments."""

    directory, verb = "deployments", "deploy"


class Recoveries(Records):
    """The records of recoveries."""

    directory, verb = "recoveries", "recover"


def _damaged(path: Path, reason: str) -> IntegrityError:
    return IntegrityError(
        "read", f"record {path}", reason,
        "See with the engine which containers of the project run, then move that file away.",
    )  # fmt: skip
