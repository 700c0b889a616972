# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress for whoever watches: a bar on a terminal, plain lines in a log, nothing for a module."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Optional, TextIO

from .text import duration, size, visible

_BAR = 24


class Progress:
    """Says nothing. The base of those that do.

    :param interval: seconds between two samples that are worth taking; None: none are wanted.
    """

    interval: Optional[float] = None

    def say(self, text: str) -> None:
        """A step begins or ended; one line."""

    def relay(self, text: str) -> None:
        """What another run of this program said, with the times that it gave."""

    def at(self, what: str, done: int, total: int) -> None:
        """How far a step has come, in bytes."""

    def close(self) -> None:
        """Nothing more comes."""


class Lines(Progress):
    """Plain lines with a time stamp, for cron's mail and log files; one in ten seconds at most."""

    interval = 10.0

    def __init__(self, stream: Optional[TextIO] = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream or sys.stderr
        self._clock = clock
        self._rate = _Rate(clock)

    def say(self, text: str) -> None:
        self._rate.reset()
        print(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {visible(text)}", file=self.stream, flush=True)

    def relay(self, text: str) -> None:
        for line in text.splitlines():
            print(visible(line), file=self.stream, flush=True)

    def at(self, what: str, done: int, total: int) -> None:
        print(
            f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {visible(what)}: {self._rate.describe(done, total)}",
            file=self.stream,
            flush=True,
        )


class Bar(Progress):
    """One line that is drawn again and again on a terminal."""

    interval = 0.5

    def __init__(self, stream: Optional[TextIO] = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream or sys.stderr
        self._rate = _Rate(clock)
        self._drawn = False

    def say(self, text: str) -> None:
        self._wipe()
        self._rate.reset()
        print(visible(text), file=self.stream, flush=True)

    def relay(self, text: str) -> None:
        for line in text.splitlines():
            self.say(line)

    def at(self, what: str, done: int, total: int) -> None:
        filled = int(_BAR * _share(done, total))
        line = f"  {visible(what)} [{'#' * filled}{'.' * (_BAR - filled)}] {self._rate.describe(done, total)}"
        self.stream.write("\r\x1b[K" + line[:158])
        self.stream.flush()
        self._drawn = True

    def close(self) -> None:
        self._wipe()

    def _wipe(self) -> None:
        if self._drawn:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
            self._drawn = False


class _Rate:
    """The rate since a step began, and the time that is left at that rate."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        self._begun = self._clock()

    def describe(self, done: int, total: int) -> str:
        passed = self._clock() - self._begun
        share = f"{int(100 * _share(done, total))}% of {size(total)}"
        if done <= 0 or passed < 1:
            return share
        rate = done / passed
        left = max(0, total - done) / rate
        return f"{share}, {size(int(rate))}/s, {duration(left)} left"


def _share(done: int, total: int) -> float:
    """From 0 to 1: the total is an estimate, and what is done may be more."""
    return min(1.0, max(0.0, done / total)) if total > 0 else 0.0


def for_stream(stream: TextIO) -> Progress:
    """A bar where a person watches, lines elsewhere."""
    return Bar(stream) if stream.isatty() else Lines(stream)
