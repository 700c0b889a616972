"""The benchmark database: pgbench's tables, a large table of text and JSONB, and 200 small ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from benchmarks.server import Server

SQL = Path(__file__).with_name("dataset.sql")
DATABASE = "bench"

#: What has to be there after a restore, whichever side did it.
COUNTS = (
    "SELECT (SELECT count(*) FROM pgbench_accounts), (SELECT count(*) FROM documents),"
    " (SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace),"
    " (SELECT count(*) FROM pg_constraint WHERE connamespace = 'public'::regnamespace)"
)


@dataclass(frozen=True)
class Dataset:
    """How much of everything.

    :param scale: of pgbench: 100,000 accounts, 15 MB, for each.
    :param documents: rows of the large table, about 1.6 kB each.
    :param small_rows: rows of each of the 200 small tables.
    """

    name: str
    scale: int
    documents: int
    small_rows: int

    @property
    def volume(self) -> str:
        """The volume that keeps the database for the next run."""
        return f"holdfast-lab-bench-{self.name}"

    @property
    def recipe(self) -> str:
        """What the database was made from; another one means that it has to be made again."""
        return hashlib.sha256(SQL.read_bytes() + repr(self).encode()).hexdigest()[:16]

    def ensure(self, server: Server) -> bool:
        """Make the database unless it is there and complete.

        :returns: whether it was made now.
        """
        query = f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{DATABASE}'"
        if server.sql("postgres", query) == self.recipe:
            return False
        server.drop(DATABASE)
        server.sql("postgres", f"CREATE DATABASE {DATABASE}")
        # Server-side generation (G), which is also the same in every run, and then keys (p).
        server.program("pgbench", "-i", "-I", "dtGvp", "-s", str(self.scale), "-q", DATABASE)
        load_documents(server, DATABASE, self.documents, self.small_rows)
        server.sql("postgres", f"COMMENT ON DATABASE {DATABASE} IS '{self.recipe}'")
        return True


def load_documents(server: Server, database: str, documents: int, small_rows: int) -> None:
    """Load the large table and the small ones, vacuumed and on disk, as after a quiet night."""
    server.sql_file(database, SQL, {"documents": documents, "small_rows": small_rows})
    server.sql(database, "VACUUM (FREEZE, ANALYZE)")
    server.sql(database, "CHECKPOINT")


FULL = Dataset("full", scale=100, documents=640_000, small_rows=500)
QUICK = Dataset("quick", scale=5, documents=32_000, small_rows=50)
