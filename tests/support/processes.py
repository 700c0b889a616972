# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of the program that a test watches, interrupts or kills."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.clusters import Cluster


def rounds(default: int) -> int:
    """How often to repeat something random: HOLDFAST_ROUNDS, or the default."""
    return int(os.environ.get("HOLDFAST_ROUNDS", default))


def dice(what: str) -> random.Random:
    """Random numbers of a seed that is printed; HOLDFAST_SEED repeats a run."""
    seed = int(os.environ.get("HOLDFAST_SEED", time.time_ns() % 1_000_000))
    print(f"{what}: HOLDFAST_SEED={seed}")
    return random.Random(seed)


@contextmanager
def started(
    cluster: Cluster, verb: str, *arguments: str, wrap: tuple[str, ...] = (), env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Starts `holdfast VERB …` and lets the test go on; it is gone afterwards."""
    with subprocess.Popen(
        [*wrap, *cluster.command(verb, *arguments)],
        cwd="/",
        env=cluster.environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """Waits for something to become true and returns it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.005)
    return found


def mentioning(text: str) -> list[str]:
    """The command lines of all living processes in which `text` occurs, without this process's own."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue  # it ended meanwhile
        if text in line:
            found.append(line.strip())
    return found
