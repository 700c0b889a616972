"""Long histories: how long planning the retention and listing the catalogue take."""

from __future__ import annotations

import gc
import json
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.program import CLUSTER, Program
from benchmarks.report import Line
from holdfast.repository import manifest
from holdfast.repository.retention import TIERS, Candidate, RetentionPolicy, plan
from holdfast.repository.store import Repository

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
#: Every two hours: 100,000 of them go back for 23 years.
INTERVAL = timedelta(hours=2)
STATES = ("complete", "complete", "complete", "proven", "failed")
TRIES = 5
#: Planning is pure computation: the processor's time is what it takes on a machine that does nothing else.
CLOCK = time.process_time
DATABASES = ("app", "billing", "postgres")


def planner(counts: tuple[int, int, int], tell: Callable[[str], None]) -> tuple[dict[str, Any], list[Line]]:
    """Plan histories of three lengths; the longest is ten times the shortest."""
    policy = RetentionPolicy.from_config({"timezone": "Europe/Berlin"})
    seconds: dict[int, float] = {}
    for count in counts:
        history = _history(count)
        # The history is given, so going through it again and again is no part of the collector's work.
        gc.collect()
        gc.freeze()
        tries = []
        for _ in range(TRIES):
            began = CLOCK()
            decided = plan(history, policy, NOW)
            tries.append(CLOCK() - began)
        seconds[count] = statistics.median(tries)
        tell(f"planned {count} backups, {len(decided.delete)} of them to delete: {seconds[count]:.3f} s")
    shortest, _, longest = counts
    growth = seconds[longest] / seconds[shortest]
    lines = [
        Line("planner: time", f"{longest:,} backups", f"{seconds[longest]:.2f} s", "", "2 s", seconds[longest] < 2),
        Line("planner: growth", f"{shortest:,} to {longest:,}", f"{growth:.1f}x the time",
             f"for {longest / shortest:.0f}x the backups", "linear", growth < 1.5 * longest / shortest),
    ]  # fmt: skip
    return {"median_seconds": seconds, "growth": growth}, lines


def listing(count: int, folder: Path, tell: Callable[[str], None]) -> tuple[dict[str, Any], list[Line]]:
    """List a catalogue of many backups: by the program, its start included, and by the core alone."""
    program = Program(folder / "holdfast")
    repository = Repository.open(program.repository, CLUSTER)
    # What is measured is reading; making thousands of sets durable one by one would take minutes.
    with mock.patch("os.fsync"):
        for number, candidate in enumerate(_history(count)):
            _publish(repository, candidate, number)
    tell(f"made {count} backups of {_kilobytes(repository)} kB manifest each")
    reading, running = [], []
    for _ in range(TRIES):
        began = time.perf_counter()
        entries = repository.entries()
        reading.append(time.perf_counter() - began)
        listed = program("list")
        running.append(listed.seconds)
    if not len(entries) == len(listed.result["backups"]) == count:
        raise AssertionError(f"{len(entries)} entries of {count}")
    tell(f"listed them: {statistics.median(running):.3f} s")
    lines = [
        Line("listing: time", f"{count:,} backups, read", f"{statistics.median(reading):.2f} s"),
        Line("", "holdfast list --json", f"{statistics.median(running):.2f} s", "", "1 s",
             statistics.median(running) < 1),
    ]  # fmt: skip
    return {"backups": count, "read_seconds": reading, "program_seconds": running}, lines


def _history(count: int) -> list[Candidate]:
    """A deterministic history, oldest first as a catalogue lists it: tiers, states and pins are mixed."""
    chance = random.Random(count)
    return [
        Candidate(
            id=manifest.new_id(NOW - INTERVAL * age, TIERS[age % len(TIERS)], f"{age:06x}"),
            time=NOW - INTERVAL * age,
            tiers=tuple(chance.sample(TIERS, k=chance.choice((1, 1, 1, 2)))),
            state=chance.choice(STATES),
            pinned=chance.random() < 0.001,
            size=chance.randrange(10**9),
        )
        for age in range(count, 0, -1)
    ]


def _publish(repository: Repository, backup: Candidate, number: int) -> None:
    """Put a set without dumps into the catalogue, by the code that real backups are published with."""
    failed = backup.state == "failed"
    facts = {
        "id": backup.id, "cluster": repository.cluster, "repository": repository.uuid, "holdfast": "1.0.0",
        "tiers": list(backup.tiers), "method": "logical", "note": "", "outcome": "failed" if failed else "complete",
        "started": manifest.format_time(backup.time), "finished": manifest.format_time(backup.time + INTERVAL / 20),
        "time": manifest.format_time(backup.time), "scope": "all", "size": backup.size,
        "server": {"version": "17.6", "version_num": 170006, "system_identifier": "7567890123456789012",
                   "in_recovery": False, "access": {"kind": "container", "engine": "docker", "container": "app-db-1",
                                                    "image": "postgres:17", "image_digest": "sha256:" + "0f" * 32}},
        "tools": {"version": "17.6"}, "compression": {"algorithm": "zstd:1", "reason": "fastest for its size"},
        "jobs": 2, "exclude_table_data": [],
        "databases": [{"name": name, "path": f"databases/{name}", "size": backup.size // 3, "database_size": backup.size,
                       "tables": 40, "rows": 1_000_000 + number, "encoding": "UTF8", "owner": "app",
                       "digest": f"{number:032x}", "extensions": {"plpgsql": "1.0"}, "excluded_tables": [],
                       "roles": ["app", "postgres"]} for name in DATABASES],
        "globals": {"path": "globals.sql", "role_passwords": True},
        "fingerprint": {"level": "digest", "path": "fingerprint.json"},
        "files": {"path": manifest.CHECKSUMS, "sha256": f"{number:064x}", "count": 123},
        "warnings": [], "limitations": [], "failures": [],
    }  # fmt: skip
    with repository.partial(backup.id) as partial:
        repository.publish(partial, manifest.build(facts))
    # As in a real repository, the recent ones have been checked or proved.
    if backup.state == "proven":
        repository.mark(backup.id, "proof", {"databases": {name: {} for name in DATABASES}})


def _kilobytes(repository: Repository) -> int:
    newest = repository.entries()[-1]
    return len(json.dumps(dict(newest.manifest.facts) if newest.manifest else {}, indent=1)) // 1000
