"""Backing up and restoring the benchmark database, beside the ordinary script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.dataset import COUNTS, DATABASE
from benchmarks.duel import Side, Times, interleave
from benchmarks.peers import OrdinaryScript
from benchmarks.program import Program
from benchmarks.report import Line, megabytes, times
from benchmarks.server import BenchmarkError, Server

COPY = "bench_copy"
ORDINARY = "pg_dump | gzip"
ORDINARY_RESTORE = "gunzip | psql"
JOBS = ("--jobs", "2")


def backup(server: Server, folder: Path, rounds: int, tell: Callable[[str], None]) -> tuple[dict[str, Any], list[Line]]:
    """Compare taking a backup; each level of the fingerprint is a side of its own."""
    script, program = OrdinaryScript(server, folder), Program(folder / "holdfast")
    sizes: dict[str, int] = {}
    how = ("--database", DATABASE, *JOBS, "--method", "logical", "--compression", "zstd:1")

    def ours(level: str) -> Side:
        return Side(
            work=lambda: _ignore(program("backup", *how, "--fingerprint", level)),
            before=program.forget_backups,
            after=lambda: sizes.__setitem__(level, program.size()),
        )

    sides = {
        ORDINARY: Side(lambda: script.backup(DATABASE), after=lambda: sizes.__setitem__(ORDINARY, script.size())),
        "none": ours("none"),
        "counts": ours("counts"),
        "digest": ours("digest"),
    }
    _warm(server)
    measured = interleave(sides, rounds, tell)
    lines = [
        Line("backup: time", ORDINARY, f"{measured.median(ORDINARY):.1f} s"),
        Line("", "holdfast, fingerprint none", f"{measured.median('none'):.1f} s",
             times(measured, "none", ORDINARY), "5x", measured.ratio("none", ORDINARY) >= 5),
        *(
            Line("", f"holdfast, fingerprint {level}", f"{measured.median(level):.1f} s",
                 times(measured, level, ORDINARY) + f", adds {measured.median(level) - measured.median('none'):.1f} s")
            for level in ("counts", "digest")
        ),
        Line("backup: size", ORDINARY, megabytes(sizes[ORDINARY])),
        Line("", "holdfast", megabytes(sizes["none"]), f"{sizes['none'] / sizes[ORDINARY]:.2f} of it", "no larger",
             sizes["none"] <= sizes[ORDINARY]),
    ]  # fmt: skip
    facts = {**_facts(measured, ORDINARY), "bytes": sizes}
    return facts, lines


def restore(
    server: Server, folder: Path, rounds: int, tell: Callable[[str], None]
) -> tuple[dict[str, Any], list[Line]]:
    """Compare restoring into a new database, and what gathering its statistics adds."""
    script, program = OrdinaryScript(server, folder), Program(folder / "holdfast")
    program.forget_backups()
    program("backup", "--database", DATABASE, *JOBS, "--compression", "zstd:1", "--fingerprint", "none")
    script.backup(DATABASE)
    expected = server.sql(DATABASE, COUNTS)
    how = ("--latest", "--database", DATABASE, "--into", COPY, *JOBS)

    def side(work: Callable[[], object]) -> Side:
        return Side(lambda: _ignore(work()), before=lambda: server.drop(COPY), after=lambda: _same(server, expected))

    sides = {
        ORDINARY_RESTORE: side(lambda: script.restore(COPY)),
        # The script gathers no statistics, so the same work is compared first.
        "holdfast": side(lambda: program("restore", *how, "--no-analyze")),
        "with analyze": side(lambda: program("restore", *how)),
    }
    measured = interleave(sides, rounds, tell)
    server.drop(COPY)
    lines = [
        Line("restore: time", ORDINARY_RESTORE, f"{measured.median(ORDINARY_RESTORE):.1f} s"),
        Line("", "holdfast", f"{measured.median('holdfast'):.1f} s",
             times(measured, "holdfast", ORDINARY_RESTORE), "1.2x", measured.ratio("holdfast", ORDINARY_RESTORE) >= 1.2),
        Line("", "holdfast, with statistics", f"{measured.median('with analyze'):.1f} s",
             times(measured, "with analyze", ORDINARY_RESTORE)),
    ]  # fmt: skip
    return _facts(measured, ORDINARY_RESTORE), lines


def _facts(measured: Times, base: str) -> dict[str, Any]:
    others = [side for side in measured.seconds if side != base]
    return {
        "seconds": measured.seconds,
        "median_seconds": {side: measured.median(side) for side in measured.seconds},
        "times_as_fast": {side: measured.ratio(side, base) for side in others},
        "times_as_fast_by_round": {side: measured.ratios(side, base) for side in others},
    }


def _warm(server: Server) -> None:
    """Read the large tables once: the first round must not be the one that reads from disk."""
    server.sql(DATABASE, "SELECT count(*) FROM pgbench_accounts")
    server.sql(DATABASE, "SELECT sum(length(body)) FROM documents")


def _same(server: Server, expected: str) -> None:
    """A side that restored less would win for the wrong reason."""
    found = server.sql(COPY, COUNTS)
    if found != expected:
        raise BenchmarkError(f"Cannot compare: the copy has {found}, the database {expected}.")


def _ignore(_result: object) -> None:
    """A result that the benchmark does not look at."""
