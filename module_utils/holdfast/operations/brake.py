# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hold a running dump to a rate, by stopping its processes for fractions of a second.

A program of its own, beside the backup: whoever is stopped goes on when this ends, and this ends when the
backup does, however that is killed. In one process the two could be killed together, and a stopped pg_dump
would hold its locks for days. It starts anew with every dump, so it imports next to nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import NoReturn

#: Seconds of a slice of running and a slice of standing still together.
CYCLE = 0.2
#: Seconds of writing at the limit that may be caught up on: a dump that waited for a while is no reason for a burst.
CREDIT = 0.2
_SHORTEST = 0.01
#: Looking at the files may take this share of the time at most: a dump can have as many as there are large objects.
_LOOKING = 0.1


def paid_until(ready: float, since: float, written: int, limit: float) -> float:
    """The instant at which all that was written is paid for.

    :param ready: this instant, as of the last look; ``since``: when that was, in seconds of the same clock.
    :param written: bytes since then; ``limit``: bytes per second.
    """
    return max(ready, since - CREDIT) + written / limit


def pause(ready: float, now: float) -> float:
    """How long to stand still, in seconds; debts too small for that are kept for later."""
    return ready - now if ready - now >= _SHORTEST else 0.0


def next_slice(ran: float, paused: float, looked: float) -> float:
    """How long to run next, in seconds, so that running and standing still make one cycle.

    :param ran: how long it ran; ``paused``: how long it then had to stand still; ``looked``: how long the look took.
    """
    cycle = max(CYCLE, looked / _LOOKING)
    wanted = ran * cycle / (ran + paused) if paused else ran * 2
    return min(max(wanted, _SHORTEST, looked), cycle / 2)


def size_of(directory: str) -> int:
    """Bytes of the files in a directory; 0 before it exists."""
    total = 0
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                try:
                    total += entry.stat(follow_symlinks=False).st_size
                except FileNotFoundError:
                    continue
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return total


def started_at(pid: int) -> int:
    """When a process was started, in the kernel's ticks, which tells it from a later one of the same id; 0: it has ended.

    Source: proc(5), /proc/pid/stat, fields 3 and 22.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    return int(fields[19]) if len(fields) > 19 and fields[0] not in (b"Z", b"X") else 0


def signalled(pid: int, start: int, number: int) -> None:
    """Send a signal to a process, and to no other that has got its id meanwhile.

    :raises PermissionError: this account may not.
    """
    descriptor = -1
    try:
        # Kernels before 5.3 know no such descriptors: there the time between the question and the signal is not covered.
        if hasattr(os, "pidfd_open") and hasattr(signal, "pidfd_send_signal"):
            try:
                descriptor = os.pidfd_open(pid)
            except OSError:
                descriptor = -1
        if started_at(pid) != start:
            return
        if descriptor >= 0:
            signal.pidfd_send_signal(descriptor, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def family(pid: int) -> Iterator[tuple[int, int]]:
    """A process and all below it, each with its start; the elder first."""
    waiting = [pid]
    while waiting:
        one = waiting.pop(0)
        start = started_at(one)
        if start:
            yield one, start
            waiting += _children(one)


def resume(pid: int, start: int) -> None:
    """Have a process and all below it go on."""
    if started_at(pid) == start:
        for one, its_start in reversed(list(family(pid))):
            signalled(one, its_start, signal.SIGCONT)


def _children(pid: int) -> list[int]:
    """The children of a process. Not every kernel has the short list of them."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as stream:
                found += map(int, stream.read().split())
    except FileNotFoundError:
        if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
            return [int(name) for name in os.listdir("/proc") if name.isdigit() and _parent(name) == pid]
    except OSError:
        return []
    return found


def _parent(name: str) -> int:
    try:
        with open(f"/proc/{name}/stat", "rb") as stream:
            return int(stream.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):
        return -1


class Brake:
    """Stops and resumes a dump for as long as that and the backup live.

    :param limit: bytes per second; ``directory``: where the dump writes; ``pid`` and ``start``: of its process.
    """

    def __init__(self, limit: int, directory: str, pid: int, start: int) -> None:
        self._limit = limit
        self._directory = directory
        self._pid = pid
        self._start = start
        self._parent = os.getppid()

    def hold(self) -> None:
        """Work until the dump has ended.

        :raises PermissionError: this account may not stop it.
        """
        ready = since = resumed = time.monotonic()
        written = 0
        ran = _SHORTEST
        while started_at(self._pid) == self._start:
            self._sleep(ran)
            began = time.monotonic()
            total = size_of(self._directory)
            now = time.monotonic()
            ready = paid_until(ready, since, max(0, total - written), self._limit)
            written, since = max(written, total), now
            paused = pause(ready, now)
            ran = next_slice(now - resumed, paused, now - began)
            if paused:
                self._stand_still(paused)
            resumed = time.monotonic()

    def _stand_still(self, seconds: float) -> None:
        stopped: list[tuple[int, int]] = []
        try:
            # The eldest first: what is stopped begets no others.
            for one in family(self._pid):
                stopped.append(one)
                signalled(*one, signal.SIGSTOP)
            self._sleep(seconds)
        finally:
            for pid, start in reversed(stopped):
                signalled(pid, start, signal.SIGCONT)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            # The kernel says so when the backup dies; that is asked too, for where it does not.
            if os.getppid() != self._parent:
                raise SystemExit
            time.sleep(min(left, CYCLE))


def _end(_number: int, _frame: object) -> NoReturn:
    # Only once: the way out resumes what is stopped, and must not be interrupted.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit


def main() -> None:
    """Hold the dump that the arguments name: bytes per second, directory, process id, its start."""
    limit, directory, pid, start = sys.argv[1:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    # Out of the group of the backup: whoever kills that as a whole would kill this while the dump stands still.
    os.setsid()
    try:
        Brake(int(limit), directory, int(pid), int(start)).hold()
    except OSError as error:
        raise SystemExit(f"error: {error.strerror or error}") from error
