"""A small database that holds one of nearly everything a backup has to bring back."""

from __future__ import annotations

from pathlib import Path

from tests.support.servers import Server

FOLDER = Path(__file__).parent


def load(server: Server, dbname: str) -> str:
    """Loads the sample into an existing, empty database and returns its name.

    Its roles belong to the server: they are created once and shared by every copy of the sample.
    """
    files = ["sample.sql", "sample_objects.sql", *(["sample_18.sql"] if server.major >= 18 else [])]
    statements = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in files)
    server.psql(statements, dbname)
    return dbname
