"""What a user would run instead: `pg_dump | gzip` and `gunzip | psql`, as a shell script.

The script runs where Holdfast's tools run: in a container of the server's own image, in the server's
network, writing to the same disk. Run through `docker exec … | gzip` it would be slower still.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.server import CONTAINER, LABEL, Server, run

SCRIPTS = Path(__file__).parent
FILE = "ordinary.sql.gz"


class OrdinaryScript:
    """The ordinary script, with a directory for its file.

    :param folder: where the compressed dump lies.
    """

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder

    def backup(self, database: str) -> None:
        """Dump a database into a compressed file."""
        self._script("ordinary-backup.sh", database, f"/backups/{FILE}")

    def restore(self, into: str) -> None:
        """Load the compressed file into a new database."""
        self._script("ordinary-restore.sh", f"/backups/{FILE}", into)

    def size(self) -> int:
        """Bytes of the compressed file."""
        return (self._folder / FILE).stat().st_size

    def _script(self, name: str, *arguments: str) -> None:
        own = f"{os.getuid()}:{os.getgid()}"
        where = ["--network", f"container:{CONTAINER}", "--user", own, "--tmpfs", "/var/lib/postgresql/data"]
        mounts = ["--volume", f"{self._folder}:/backups", "--volume", f"{SCRIPTS / name}:/{name}:ro"]
        command = ["--entrypoint", "bash", self._server.image, f"/{name}", *arguments]
        run(["docker", "run", "--rm", "--label", LABEL, "--log-driver", "none", *where, *mounts, *command])
