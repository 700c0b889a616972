"""Holdfast as a user runs it: the real program, with a configuration and a repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import PROJECT
from benchmarks.server import CONTAINER, BenchmarkError

CLUSTER = "bench"
#: The high-water mark of a process can be read as long as it lives, so it is read until then.
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Ended:
    """How a run of the program ended: its JSON, and the most memory its process ever had, in bytes."""

    result: Any
    seconds: float
    peak_memory: int


class Program:
    """The command line of this checkout.

    :param folder: for the configuration and the repository.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.repository = folder / "repository"
        access = {"kind": "container", "engine": "docker", "container": CONTAINER, "user": "postgres"}
        config = {"schema": 1, "cluster": CLUSTER, "repository": str(self.repository), "access": access}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{CLUSTER}.json").write_text(json.dumps(config))
        self("init")

    def __call__(self, command: str, *arguments: str) -> Ended:
        """Run one command to its end.

        :raises BenchmarkError: it failed.
        """
        argv = [sys.executable, "-m", "holdfast", command, "--cluster", CLUSTER, "--json", "--quiet"]
        argv += ["--config-dir", str(self._folder), *arguments]
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "module_utils")}
        # To files: a pipe that nobody reads while memory is watched would stop the program.
        with open(self._folder / "stdout", "w+b") as out, open(self._folder / "stderr", "w+b") as err:
            began = time.monotonic()
            running = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env)
            peak = 0
            while True:
                peak = max(peak, _high_water(running.pid))
                try:
                    running.wait(_LOOK_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    continue
            seconds = time.monotonic() - began
            out.seek(0)
            err.seek(0)
            if running.returncode != 0:
                raise BenchmarkError(f"Cannot run {' '.join(argv)}: {err.read().decode()[-2000:]}")
            return Ended(json.loads(out.read()), seconds, peak)

    def forget_backups(self) -> None:
        """Remove all backups, so that every run starts with an empty repository."""
        for backup in (self.repository / "backups").iterdir():
            shutil.rmtree(backup)

    def size(self) -> int:
        """Bytes of all files of all backups."""
        return sum(path.stat().st_size for path in (self.repository / "backups").rglob("*") if path.is_file())


def _high_water(pid: int) -> int:
    """The peak resident set of a live process in bytes (VmHWM, see proc(5)); 0 once it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1]) * 1024
