"""How much memory Holdfast's own process needs, for a database and for one with four times the rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.dataset import load_documents
from benchmarks.program import Program
from benchmarks.report import Line, megabytes
from benchmarks.server import Server

COPY = "memory_copy"
#: More than this would mean that something grows with the data; less is the allocator's mood.
FLAT = 1.1


def memory(
    server: Server, folder: Path, documents: int, tell: Callable[[str], None]
) -> tuple[dict[str, Any], list[Line]]:
    """Back up and restore with digests, the way that touches the data most.

    :param documents: rows of the small database; the large one has four times as many.
    """
    program = Program(folder / "holdfast")
    peaks: dict[str, dict[int, int]] = {"backup": {}, "restore": {}}
    sizes: dict[int, int] = {}
    for factor in (1, 4):
        database = f"memory_{factor}"
        server.drop(database)
        server.drop(COPY)
        server.sql("postgres", f"CREATE DATABASE {database}")
        load_documents(server, database, documents * factor, 50)
        sizes[factor] = int(server.sql(database, f"SELECT pg_database_size('{database}')"))
        taken = program("backup", "--database", database, "--fingerprint", "digest")
        restored = program("restore", "--latest", "--database", database, "--into", COPY)
        peaks["backup"][factor], peaks["restore"][factor] = taken.peak_memory, restored.peak_memory
        tell(f"{megabytes(sizes[factor])}: backup {megabytes(taken.peak_memory)}, "
             f"restore {megabytes(restored.peak_memory)}")  # fmt: skip
        server.drop(database)
        server.drop(COPY)
    lines = [
        Line(f"memory: {verb}", f"database of {megabytes(sizes[factor])}", megabytes(peak[factor]),
             *((f"{peak[4] / peak[1]:.2f} of the above", "flat", peak[4] < FLAT * peak[1]) if factor == 4 else ()))
        for verb, peak in peaks.items() for factor in (1, 4)
    ]  # fmt: skip
    return {"database_bytes": sizes, "peak_bytes": peaks}, lines
