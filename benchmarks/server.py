"""A PostgreSQL server in a lab container, with two cores and sane settings."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import PROJECT

CORES = 2
CONTAINER = "holdfast-lab-bench"
LABEL = "holdfast.lab=1"
READY_SECONDS = 120

#: The stock settings are for a machine of 20 years ago. These are what a small server gets from any tuning
#: guide; everything that a restore could set for its own session is left at its default for both sides.
SETTINGS = {
    "shared_buffers": "2GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
}


class BenchmarkError(Exception):
    """A side of a comparison failed, so that there is nothing to compare."""


def run(argv: Sequence[str], *, stdin: Path | None = None) -> str:
    """Run a command and return its standard output.

    :raises BenchmarkError: it failed; the message ends with what it said.
    """
    with open(stdin or os.devnull, "rb") as source:
        done = subprocess.run(argv, stdin=source, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchmarkError(f"Cannot run {' '.join(argv)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


class Server:
    """A running server; a context manager, because a benchmark leaves no container behind.

    :param version: PostgreSQL's major version, for which the lab has an image.
    :param volume: name of the volume with its data directory, which outlives it.
    """

    def __init__(self, version: str, volume: str) -> None:
        self.version = version
        self.volume = volume
        lab = [sys.executable, str(PROJECT / "tools" / "lab.py")]
        self.image = run([*lab, "image", f"postgres:{version}"]).strip()

    def __enter__(self) -> Server:
        self._remove()
        run(["docker", "volume", "create", "--label", LABEL, self.volume])
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        # Trust, because it is reached through the engine's private bridge alone and thrown away afterwards.
        given = ["--env", "POSTGRES_HOST_AUTH_METHOD=trust", "--volume", f"{self.volume}:/var/lib/postgresql/data"]
        limits = ["--name", CONTAINER, "--label", LABEL, "--cpus", str(CORES)]
        run(["docker", "run", "--detach", *limits, *given, self.image, "postgres", *settings])
        deadline = time.monotonic() + READY_SECONDS
        ready = ["docker", "exec", CONTAINER, "pg_isready", "--quiet", "--host", "127.0.0.1"]
        while subprocess.run(ready, capture_output=True).returncode != 0:
            if time.monotonic() > deadline:
                self._remove()
                raise BenchmarkError(f"Cannot start {self.image}: not ready within {READY_SECONDS} s.")
            time.sleep(0.2)
        return self

    def __exit__(self, *_exception: object) -> None:
        # In good order, so that the next run starts without recovery.
        subprocess.run(["docker", "stop", "--time", "120", CONTAINER], capture_output=True)
        self._remove()

    def _remove(self) -> None:
        subprocess.run(["docker", "rm", "--force", CONTAINER], capture_output=True)

    def sql(self, database: str, query: str) -> str:
        """Run SQL as the superuser and return the rows, unaligned."""
        arguments = ["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set", "ON_ERROR_STOP=1"]
        return run(
            ["docker", "exec", CONTAINER, "psql", *arguments, "-U", "postgres", "-d", database, "-c", query]
        ).strip()

    def sql_file(self, database: str, file: Path, variables: Mapping[str, object]) -> None:
        """Run a file of SQL with psql variables."""
        given = [part for name, value in variables.items() for part in ("--set", f"{name}={value}")]
        arguments = ["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", *given]
        run(
            ["docker", "exec", "--interactive", CONTAINER, "psql", *arguments, "-U", "postgres", "-d", database],
            stdin=file,
        )

    def program(self, *argv: str) -> None:
        """Run a program in the server's own container."""
        run(["docker", "exec", "--user", "postgres", CONTAINER, *argv])

    def drop(self, database: str) -> None:
        """Drop a database if it exists, and leave no dirty pages of it to whoever comes next."""
        self.sql("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self.sql("postgres", "CHECKPOINT")
