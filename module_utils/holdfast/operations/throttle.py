# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rate limit of a backup: pg_dump has none, so a brake runs beside it (:mod:`.brake`).

It counts what arrives in the repository, which is what was compressed. The processes of a tool container are
signalled from this host as those of a host server are: to ask an engine ten times a second costs more than the dump.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Optional

from ..errors import HoldfastError
from ..postgres.place import Place
from ..system import Command, Running, System
from . import brake

_MIB = 1 << 20
#: How often a dump that runs is looked for in vain before it is said to run elsewhere.
_TRIES = 20
_PROGRAM = "import importlib, sys; sys.path.insert(0, sys.argv.pop(1)); importlib.import_module(sys.argv.pop(1)).main()"


class Throttle:
    """The limit of one backup, over all its dumps.

    :param limit: MiB/s that dumps may write; None is no limit.
    """

    def __init__(self, limit: Optional[int], place: Place, system: System) -> None:
        self.bytes_per_second = limit * _MIB if limit else None
        self.place = place
        self.system = system
        self._ready = time.monotonic()

    def wait(self) -> None:
        """Wait until the dumps before are paid for: many small ones, each too short for the brake, add up."""
        time.sleep(max(0.0, self._ready - time.monotonic()))

    def paid(self, began: float, directory: Path) -> None:
        """A dump that was begun then (of :func:`time.monotonic`) has ended, with this directory."""
        if self.bytes_per_second:
            written = brake.size_of(os.fspath(directory))
            self._ready = brake.paid_until(self._ready, began, written, self.bytes_per_second)

    def stoppable(self, command: Command) -> Command:
        """The command of a dump, so that the kernel ends it if both this process and the brake are killed."""
        return replace(command, stoppable=self.bytes_per_second is not None)

    def held(self, command: Command, running: Running, directory: Path) -> Held:
        """A context in which the dump that was started is held to the limit."""
        return Held(self, command, running, directory)


class Held:
    """One dump under the limit. ``reason``: why it was not kept, if it was not."""

    def __init__(self, throttle: Throttle, command: Command, running: Running, directory: Path) -> None:
        self.reason: Optional[str] = None
        self._throttle = throttle
        self._command = command
        self._running = running
        self._directory = directory
        self._brake: Optional[Running] = None
        self._process = (0, 0)
        self._tries = 0
        self._began = time.monotonic()

    def __enter__(self) -> Held:
        self.step()
        return self

    def step(self) -> None:
        """Look after the brake. Called now and then while the dump runs."""
        if self._throttle.bytes_per_second is None or self.reason is not None or self._running.poll():
            return
        if self._brake is None:
            self._start(self._throttle.bytes_per_second)
        elif self._brake.poll():
            self._release()

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._brake is not None:
            ended = self._brake.poll()
            try:
                self._brake.stop()
            finally:
                brake.resume(*self._process)
            if ended:
                self._release()
        self._throttle.paid(self._began, self._directory)

    def _start(self, limit: int) -> None:
        try:
            pid = self._throttle.place.process_of(self._command, self._running)
        except HoldfastError as error:
            self._in_vain(error.reason)
            return
        if pid is None:
            return  # a busy engine takes its time to start it
        start = brake.started_at(pid)
        if start:
            self._process = (pid, start)
            arguments = [str(limit), os.fspath(self._directory), str(pid), str(start)]
            try:
                self._brake = self._throttle.system.start(Command([*_python(), *arguments]))
            except OSError as error:
                self.reason = f"what was to slow the dump down does not start: {error.strerror or error}"
        else:
            self._in_vain("the processes of the dump cannot be seen from this host")

    def _in_vain(self, reason: str) -> None:
        """It could not be looked at, for this reason: that may pass, but not for ever."""
        self._tries += 1
        if self._tries >= _TRIES:
            self.reason = reason

    def _release(self) -> None:
        """The brake has ended by itself: because the dump has, or because it cannot go on."""
        if self._brake is None:
            return
        done = self._brake.finish()
        if done.returncode != 0:
            brake.resume(*self._process)
            self.reason = f"what was to slow the dump down ended: {done.last_error.replace('error: ', '')}"


def _python() -> list[str]:
    """The brake's program: this very interpreter, with the brake from wherever this was loaded (a directory or an archive)."""
    root = Path(__file__).parents[__name__.count(".")]
    return [sys.executable, "-I", "-S", "-B", "-c", _PROGRAM, os.fspath(root), brake.__name__]
