# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The evidence of drills, beside the backups: what was restored, what was found, and when.

::

    drills/<id>.json              the evidence of one drill; with <id>.json.sig, if it is signed
    drills/<id>.html              the same for people; with <id>.html.sig
    drills/index.html             all of them
    .drill.lock                   one drill at a time
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import IntegrityError, NotFoundError
from . import durable
from .lock import FileLock

LOCK = ".drill.lock"
INDEX = "index.html"
_SCHEMA = 1
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-drill-[0-9a-f]{6}")


class Evidence:
    """The evidence in one repository.

    :param path: the repository's directory; ``owner``: user and group id that own it.
    """

    def __init__(self, path: Path, owner: tuple[int, int]) -> None:
        self.repository = path
        self.path = path / "drills"
        self._owner = owner

    def lock(self, wait: float = 0.0) -> FileLock:
        """The lock of whoever carries out a drill."""
        return FileLock(self.repository / LOCK, "verify", wait=wait)

    def ids(self) -> list[str]:
        """The ids of all drills, oldest first."""
        try:
            names = [entry.name for entry in os.scandir(self.path)]
        except FileNotFoundError:
            return []
        except OSError as error:
            durable.refuse(error, "read", self.path)
        return sorted(name[: -len(".json")] for name in names if name.endswith(".json") and _ID.fullmatch(name[: -len(".json")]))  # fmt: skip

    def file(self, drill_id: str, end: str) -> Path:
        """The path of a file of a drill: ``json``, ``html``, ``json.sig`` or ``html.sig``."""
        return self.path / f"{drill_id}.{end}"

    def read(self, drill_id: str) -> dict[str, Any]:
        """The evidence of one drill.

        :raises NotFoundError: there is no such drill.
        :raises IntegrityError: it is damaged, or of a newer form.
        """
        path = self.file(drill_id, "json")
        if not _ID.fullmatch(drill_id) or not path.exists():
            raise NotFoundError("find", f"drill {drill_id}", "there is no evidence of it", "See 'holdfast drills'.")
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            durable.refuse(error, "read", path)
        except ValueError as error:
            raise _damaged(path, str(error)) from error
        if not isinstance(facts, dict) or facts.get("schema") != _SCHEMA:
            raise _damaged(path, "it is of an unknown form")
        return facts

    def render(self, facts: Mapping[str, Any]) -> bytes:
        """The evidence as it lies on disk."""
        return durable.to_json({**facts, "schema": _SCHEMA})

    def write(self, name: str, content: bytes) -> Path:
        """Write one file durably.

        :raises RepositoryError: it cannot be written.
        """
        path = self.path / name
        try:
            if not self.path.exists():
                durable.make_directory(self.path)
                durable.give_to(self.path, self._owner)
            durable.replace_file(path, content)
            durable.give_to(path, self._owner)
        except OSError as error:
            durable.refuse(error, "write the evidence of a drill in", self.repository)
        return path


def _damaged(path: Path, reason: str) -> IntegrityError:
    return IntegrityError(
        "read", f"evidence {path}", reason, "Keep it for inspection elsewhere, and move it out of that directory."
    )
