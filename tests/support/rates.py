# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watching how fast a dump arrives in the repository, and which of its processes stand still."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.clusters import Cluster

MIB = 1 << 20


class Watch:
    """What lay in the dumps of a cluster's partial set, and when: looked at fifty times a second."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._seen: list[tuple[float, int]] = []
        self._done = threading.Event()

    def look(self) -> None:
        """Look until it is done."""
        while not self._done.wait(0.02):
            size = sum(_size(path) for path in self._cluster.repository.glob("backups/.partial-*/databases/*/*"))
            if list(self._cluster.repository.glob("backups/.partial-*/databases/*")):
                self._seen.append((time.monotonic(), size))

    def stop(self) -> None:
        """It is done."""
        self._done.set()

    @property
    def size(self) -> int:
        """Bytes that were written in all."""
        return max(size for _when, size in self._seen)

    @property
    def seconds(self) -> float:
        """From when the first dump was begun to when the last byte was there."""
        return next(when for when, size in self._seen if size == self.size) - self._seen[0][0]

    def fastest(self, window: float) -> float:
        """Bytes per second of the fastest time of that many seconds."""
        best = 0.0
        for when, size in self._seen:
            later = [bytes_ for other, bytes_ in self._seen if when <= other <= when + window]
            best = max(best, (later[-1] - size) / window)
        return best


@contextmanager
def watched(cluster: Cluster) -> Iterator[Watch]:
    """Watches what is written meanwhile."""
    watch = Watch(cluster)
    thread = threading.Thread(target=watch.look)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()


def processes(*words: str) -> dict[int, str]:
    """The living processes whose command line has all these words, and the state of each (`T`: it stands still)."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if entry.name.isdigit() and line and all(word in line for word in words):
                found[int(entry.name)] = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            continue  # it ended meanwhile
    return found


def dumps(cluster: Cluster) -> dict[int, str]:
    """The processes of pg_dump that write into a repository, without the engine's client, and the state of each."""
    engines = processes(str(cluster.repository), "--entrypoint")
    return {pid: state for pid, state in processes("--file=" + str(cluster.repository)).items() if pid not in engines}


def brakes(cluster: Cluster) -> list[int]:
    """The processes that hold its dumps to the limit."""
    return list(processes("operations.brake", str(cluster.repository)))


def stand_still(cluster: Cluster, count: int) -> bool:
    """Whether that many processes of a dump stand still, and all of them do."""
    found = list(dumps(cluster).values())
    return len(found) == count and set(found) == {"T"}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
