# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal of something that is done in steps: what has been done is on disk before the next thing is."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Optional

from ..errors import RepositoryError
from ..reporting.progress import Progress
from ..repository.manifest import format_time
from ..repository.records import Records
from ..system import System


class Journal:
    """The record of what is under way.

    :param facts: with ``id``, ``steps`` and ``events``; ``text``: the same for people, when it has ended.
    :ivar has_to_write: whether nothing may be done that cannot be written down first.
    """

    def __init__(
        self, facts: dict[str, Any], records: Records, text: Callable[[Mapping[str, Any]], str], system: System,
        progress: Progress,
    ) -> None:  # fmt: skip
        self._records = records
        self._text = text
        self._system = system
        self._progress = progress
        self.has_to_write = True
        self.facts = facts
        self.save()

    @property
    def id(self) -> str:
        return str(self.facts["id"])

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step: that it began is on disk before it does anything."""
        began = self._system.now()
        step: dict[str, Any] = {"name": name, "state": "running", "began": format_time(began), "seconds": None}
        self.facts["steps"].append(step)
        self.save()
        state = "failed"
        try:
            yield
            state = "done"
        finally:
            step["seconds"] = round((self._system.now() - began).total_seconds(), 3)
            step["state"] = state

    def tell(self, event: str) -> None:
        """Something has been done: it is on disk, and whoever watches sees it."""
        self.facts["events"].append(event)
        self._progress.say(event)
        self.save()

    def save(self) -> None:
        """Write the record as it is.

        :raises RepositoryError: it cannot be written, and has to be.
        """
        self._write(None)

    def end(self, state: str) -> None:
        """Write the record for good, with the text for people.

        A disk that is full by now must not turn what was done into a failure, or hide what failed: it is said.
        """
        self.facts["state"] = state
        self.facts["finished"] = format_time(self._system.now())
        self.has_to_write = False
        self._write(self._text(self.facts))

    def _write(self, text: Optional[str]) -> None:
        try:
            self._records.write(self.facts, text)
        except RepositoryError as error:
            if self.has_to_write:
                raise
            self._progress.say(str(error))


def somebody() -> str:
    """Who runs this: whoever became root by sudo, else the account."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
