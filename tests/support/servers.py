"""Real PostgreSQL servers for the tests."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tools import embedded
from tools.unprivileged import major_version, server_version, wheel_bin_dir

# A colon and a backslash: a passfile has to escape both.
PASSWORD = "it's a \\ pass:word"

FAST_AND_UNSAFE = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
}

DISTRIBUTION_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")


@dataclass(frozen=True)
class Server:
    """A running server. Over the socket nobody needs a password; on 127.0.0.1 `user` has `password`."""

    directory: Path
    bin_dir: Path
    socket_dir: Path
    port: int
    version: str
    user: str = "postgres"
    password: str = PASSWORD

    @property
    def major(self) -> int:
        """16 for "16.14"."""
        return major_version(self.version)

    def connect(self, dbname: str = "postgres", **parameters: Any) -> psycopg.Connection[Any]:
        """A connection in autocommit mode, over the socket unless `parameters` say otherwise."""
        place = {"host": str(self.socket_dir), "port": self.port, "user": self.user, "dbname": dbname}
        return psycopg.connect(**{**place, **parameters}, autocommit=True)

    def query(self, statement: str, dbname: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows that `statement` returns; none for a statement that returns nothing."""
        with self.connect(dbname) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def run(self, program: str, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """What one of the server's own programs writes; it is told how to connect."""
        place = ["--host", str(self.socket_dir), "--port", str(self.port), "--username", self.user]
        done = subprocess.run(
            [str(self.bin_dir / program), *place, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{program} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def psql(self, statements: str, dbname: str = "postgres") -> str:
        """What psql prints for `statements` (its meta-commands too), unaligned; stops at an error."""
        options = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1")
        return self.run("psql", *options, f"--dbname={_conninfo(dbname)}", "--file=-", stdin=statements)

    def create_database(self, name: str) -> str:
        """Creates an empty database of any name."""
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        return name

    def drop_database(self, name: str) -> None:
        """Drops a database, and whoever is connected to it."""
        with self.connect() as connection:
            quoted = sql.Identifier(name)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(quoted))

    def databases(self) -> set[str]:
        """The names of all databases that are no template."""
        return {row[0] for row in self.query("SELECT datname FROM pg_database WHERE NOT datistemplate")}

    def write_passfile(self, path: Path) -> Path:
        """Writes a libpq passfile that holds the password of `user` on 127.0.0.1."""
        escaped = re.sub(r"([\\:])", r"\\\1", self.password)
        path.touch(mode=0o600)
        path.write_text(f"127.0.0.1:{self.port}:*:{self.user}:{escaped}\n", encoding="utf-8")
        return path


def _conninfo(dbname: str) -> str:
    """A database name as a connection string: psql would take a name with `=` for one."""
    return "dbname='" + dbname.replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextmanager
def running(bin_dir: Path, directory: Path) -> Iterator[Server]:
    """Runs a new, empty server with the programs of `bin_dir`; it is gone afterwards."""
    directory.mkdir(parents=True)
    password_file = directory.with_name(directory.name + ".password")
    password_file.write_text(PASSWORD + "\n", encoding="utf-8")
    started, _ = embedded.start(directory, bin_dir, password_file=password_file, settings=FAST_AND_UNSAFE)
    try:
        yield Server(
            directory=directory,
            bin_dir=Path(started.bin_dir),
            socket_dir=Path(started.socket_dir),
            port=started.port,
            version=started.version,
            user=started.user,
        )
    finally:
        embedded.remove(directory)


def wheel(major: int) -> Path:
    """The programs of the PyPI wheel's PostgreSQL 16 or 18."""
    return wheel_bin_dir(major)


def distribution(patterns: Sequence[str] = DISTRIBUTION_FOLDERS) -> Path | None:
    """The programs of the newest server that the distribution has installed, or None."""
    found = [path for pattern in patterns for path in Path("/").glob(pattern.lstrip("/"))]
    complete = [path for path in found if (path / "postgres").exists() and (path / "initdb").exists()]
    return max(complete, key=lambda path: major_version(server_version(path)), default=None)
