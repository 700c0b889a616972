"""Run the benchmarks, print a table and keep the figures as JSON."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import PROJECT, catalogue, converge, dataset, drill, memory, report, speed
from benchmarks.server import BenchmarkError, Server

NAMES = ("backup", "restore", "memory", "drill", "planner", "listing", "converge")
NEEDS_SERVER = {"backup", "restore", "memory", "drill"}
POSTGRES = "17"


def tell(message: str) -> None:
    """Say what is going on; the table at the end is the only thing on standard output."""
    print(message, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is asked for.

    :returns: 0 when everything was measured, whatever the figures; 1 when something failed.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", metavar="NAME[,NAME]", help=f"only these of {', '.join(NAMES)} (default: all of them)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs (default: 3)")
    parser.add_argument(
        "--quick", action="store_true", help="a small database and one round: to see that it works, not how fast"
    )
    options = parser.parse_args(argv)
    chosen = options.only.split(",") if options.only else list(NAMES)
    unknown = sorted(set(chosen) - set(NAMES))
    if unknown or options.rounds < 1:
        parser.error(f"unknown benchmarks: {', '.join(unknown)}" if unknown else "give at least one round")
    try:
        results, lines = measure(chosen, options.quick, 1 if options.quick else options.rounds)
    except BenchmarkError as error:
        tell(str(error))
        return 1
    if options.quick:  # the goals are about the full database
        lines = [replace(line, goal="", met=None) for line in lines]
    print(report.table(lines))
    tell(f"\nfigures: {report.save(results).relative_to(PROJECT)}")
    return 0


def measure(chosen: Sequence[str], quick: bool, rounds: int) -> tuple[dict[str, Any], list[report.Line]]:
    """Run the chosen benchmarks.

    :returns: the figures for the file, and the lines for the table.
    """
    results: dict[str, Any] = {"machine": report.machine(), "quick": quick, "rounds": rounds}
    lines: list[report.Line] = []

    def keep(name: str, measured: tuple[dict[str, Any], list[report.Line]]) -> None:
        results[name] = measured[0]
        lines.extend(measured[1])

    if NEEDS_SERVER & set(chosen):
        data = dataset.QUICK if quick else dataset.FULL
        with Server(POSTGRES, data.volume) as server, folder() as work:
            results["server"] = server.sql("postgres", "SHOW server_version")
            tell(f"PostgreSQL {results['server']}, database {data.name}")
            if data.ensure(server):
                tell("made the database; the next run finds it in its volume")
            results["database_bytes"] = int(server.sql("postgres", f"SELECT pg_database_size('{dataset.DATABASE}')"))
            if "backup" in chosen:
                keep("backup", speed.backup(server, work, rounds, tell))
            if "restore" in chosen:
                keep("restore", speed.restore(server, work, rounds, tell))
            if "memory" in chosen:
                keep("memory", memory.memory(server, work, 8_000 if quick else 40_000, tell))
            if "drill" in chosen:
                keep("drill", drill.drill(server, work, rounds, tell))
    if "planner" in chosen:
        keep("planner", catalogue.planner((10_000, 30_000, 100_000), tell))
    if "listing" in chosen:
        with folder() as work:
            keep("listing", catalogue.listing(1_000 if quick else 10_000, work, tell))
    if "converge" in chosen:
        with folder() as work:
            keep("converge", converge.converge(work, rounds, tell))
    return results, lines


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A directory for the backups of a run, on the disk of the checkout."""
    parent = PROJECT / ".cache" / "benchmarks"
    parent.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path)


if __name__ == "__main__":
    raise SystemExit(main())
