# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""amcheck of one restored database, beside whatever else looks at it meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Optional

from ..postgres import amcheck
from ..system import Command, Running, System
from .throwaway import Restored


class Amcheck:
    """One run of pg_amcheck.

    :param level: what it weighs; with ``ignore`` it is not run.
    :ivar skipped: why it was not run; ``counts``: how much there was for it; ``seconds``: how long it took.
    """

    def __init__(self, restored: Restored, database: str, jobs: int, system: System, level: str) -> None:
        self._tools = restored.connected.tools
        self._server = restored.server
        self._database = database
        self._system = system
        self._jobs = jobs
        self._running: Optional[Running] = None
        self._command: Optional[Command] = None
        self._waiter: Optional[threading.Thread] = None
        self.skipped = "as configured (verify.levels.amcheck)" if level == "ignore" else ""
        self.counts: Optional[amcheck.Relations] = None
        self.seconds = 0.0

    def start(self) -> None:
        """Start it."""
        if self.skipped:
            return
        with self._server.connect(self._database) as connection:
            self.skipped = amcheck.unavailable(self._tools, self._system, connection)
            self.counts = amcheck.count(connection)
        if not self.skipped:
            self._command = amcheck.command(self._tools, self._database, self._jobs)
            running = self._running = self._system.start(self._command)
            self._waiter = threading.Thread(target=self._wait, args=[running, time.monotonic()], daemon=True)
            self._waiter.start()

    def stop(self) -> None:
        """End it before its time."""
        if self._running is not None and self._command is not None:
            self._running.stop()
            self._tools.place.stop(self._command)

    def finish(self) -> Sequence[str]:
        """Wait for its end, and return what it found."""
        if self._running is None or self._waiter is None:
            return []
        try:
            self._waiter.join()
            return amcheck.findings(self._running.finish())
        except BaseException:
            self.stop()
            raise

    def _wait(self, running: Running, began: float) -> None:
        running.wait()
        self.seconds = time.monotonic() - began
