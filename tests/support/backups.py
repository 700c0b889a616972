"""Words for tests that back up and restore: what must succeed, what must be refused, what is left behind."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.clusters import Cluster, Run
from tests.support.servers import Server

#: Exit codes of the program, as its help says.
CONFIG, ACCESS, BUSY, BACKUP, PREFLIGHT, NOT_FOUND, RESTORE, DIFFERENT, INTERRUPTED = 2, 3, 5, 6, 7, 9, 10, 11, 130


def back_up(cluster: Cluster, *arguments: str) -> dict[str, Any]:
    """Takes a backup, which must succeed, and returns its summary."""
    summary: dict[str, Any] = cluster.holdfast("backup", "--json", *arguments, check=True).json["backup"]
    return summary


def restore(cluster: Cluster, *arguments: str) -> dict[str, Any]:
    """Restores, which must succeed, and returns the result."""
    result: dict[str, Any] = cluster.holdfast("restore", "--json", *arguments, check=True).json
    return result


def restore_new(cluster: Cluster, backup_id: str, database: str, into: str, *arguments: str) -> dict[str, Any]:
    """Restores one database of a backup into a new one."""
    return restore(cluster, "--id", backup_id, f"--database={database}", f"--into={into}", *arguments)


def restore_in_place(cluster: Cluster, backup_id: str, database: str, *arguments: str) -> dict[str, Any]:
    """Restores a database in its own place, with the say-so."""
    return restore(cluster, *in_place(backup_id, database), *arguments)


def in_place(backup_id: str, database: str) -> list[str]:
    """The arguments of a restore in place, with the say-so."""
    return ["--id", backup_id, f"--database={database}", "--in-place", f"--confirm={database}"]


def refusal(cluster: Cluster, exit_code: int, verb: str, *arguments: str) -> dict[str, Any]:
    """Runs what must fail with an exit code, and returns the error's fields."""
    return error_of(cluster.holdfast(verb, "--json", *arguments), exit_code)


def error_of(run: Run, exit_code: int) -> dict[str, Any]:
    """The fields of the error that a run with `--json` ended with; it must be in the project's form."""
    assert run.returncode == exit_code, f"exit code {run.returncode}: {run.stderr}{run.stdout}"
    fields: dict[str, Any] = run.json
    assert fields["exit_code"] == exit_code
    assert fields["msg"].startswith("Cannot ")
    assert fields["reason"]
    assert fields["next_step"].endswith("."), fields["next_step"]
    assert "Traceback" not in run.stderr
    return fields


def listed(cluster: Cluster) -> list[str]:
    """The ids of the catalogue, newest first."""
    return [one["id"] for one in cluster.holdfast("list", "--json", check=True).json["backups"]]


def fingerprint_of(cluster: Cluster, backup_id: str, database: str) -> dict[str, Any]:
    """The fingerprint of a database, as it lies in the set."""
    file = cluster.repository / "backups" / backup_id / "fingerprint.json"
    facts: dict[str, Any] = json.loads(file.read_text(encoding="ascii"))["databases"][database]
    return facts


@contextmanager
def started(cluster: Cluster, verb: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Starts a run and leaves it to the test; it has ended afterwards, whatever happens."""
    process = subprocess.Popen(
        cluster.command(verb, "--json", *arguments),
        cwd="/",
        env=cluster.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> Run:
    """How a run that was started has ended; waits for it."""
    stdout, stderr = process.communicate(timeout=120)
    return Run(process.returncode, stdout, stderr)


def eventually(what: Callable[[], Any], seconds: float = 30) -> Any:
    """Waits until `what` returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"still not after {seconds} s"
        time.sleep(0.01)
    return found


@contextmanager
def tidied(server: Server) -> Iterator[Server]:
    """Drops the databases and roles that appear on a shared server meanwhile."""
    databases, roles = server.databases(), _roles(server)
    try:
        yield server
    finally:
        for name in server.databases() - databases:
            server.query(f"ALTER DATABASE {quoted(name)} ALLOW_CONNECTIONS true")
            server.drop_database(name)
        for name in _roles(server) - roles:
            if not name.startswith("sample") and not name.startswith("Sample"):
                server.query(f"DROP ROLE {quoted(name)}")


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def contents(server: Server, database: str) -> list[str]:
    """What pg_dump says of a database, as sorted lines: schema, rows, large objects, rights. No fingerprint of ours."""
    # Settings that a database may have of its own, and that change how pg_dump prints its rows.
    pinned = " options='-c TimeZone=UTC -c bytea_output=hex'"
    # The tokens of \restrict are random, and comments name positions.
    lines = server.run("pg_dump", f"--dbname={conninfo(database)}{pinned}").splitlines()
    return sorted(line for line in lines if not line.startswith(("\\restrict", "\\unrestrict", "--")))


def copy_with_stock_tools(server: Server, database: str, copy: str) -> str:
    """What an operator without Holdfast would do: a plain dump into a new database."""
    server.create_database(copy)
    server.psql(server.run("pg_dump", f"--dbname={conninfo(database)}"), copy)
    return copy


def conninfo(database: str) -> str:
    """A database of any name as a connection string."""
    return "dbname='" + database.replace("\\", "\\\\").replace("'", "\\'") + "'"


def files_below(path: Path) -> list[str]:
    """Every file below a directory, relative to it."""
    return sorted(str(one.relative_to(path)) for one in path.rglob("*") if one.is_file())


def _roles(server: Server) -> set[str]:
    return {name for (name,) in server.query("SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'")}
