# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server's own client programs: what they can do, and their argument lists. Commands are data here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..errors import AccessError
from ..system import Command, System
from .options import Compression
from .place import SESSION_OPTIONS, Place

#: A path below a device cannot be created: a pg_dump that gets this far has accepted its other options.
_IMPOSSIBLE = "/dev/null/holdfast"


@dataclass(frozen=True)
class ChosenCompression:
    """The compression of a backup and why it was chosen."""

    compression: Compression
    reason: str

    def as_dict(self) -> dict[str, str]:
        """As JSON."""
        return {"algorithm": str(self.compression), "reason": self.reason}


class Tools:
    """The client programs of one place."""

    def __init__(self, place: Place, system: System, cluster: str) -> None:
        self.place = place
        self.system = system
        self.cluster = cluster
        self.version, self.major = self._ask_version()

    def require_not_older_than(self, server_version: str, server_major: int) -> None:
        """Refuse tools that are older than the server.

        :raises AccessError: they are; nothing has been written.
        """
        if self.major < server_major:
            raise AccessError(
                "use",
                f"pg_dump {self.version}",
                f"it is older than the server of cluster {self.cluster} ({server_version})",
                f"Install the client programs of PostgreSQL {server_major}, or set access.bin_dir to them.",
                tools=self.version,
                server=server_version,
            )

    def choose_compression(self, wanted: Compression) -> ChosenCompression:
        """Choose the fastest compression that this build has, or check the one that is asked for.

        The build is asked, not its version: 16 knows zstd, but may be compiled without it.

        :raises AccessError: the one that is asked for is not compiled in.
        """
        if wanted.algorithm != "auto":
            refusal = self._refuses(wanted)
            if refusal:
                raise AccessError(
                    "use",
                    f"compression {wanted}",
                    f"this pg_dump ({self.version}) says: {refusal}",
                    "Set compression to auto, or to one that it has.",
                    tools=self.version,
                )
            return ChosenCompression(wanted, "asked for")
        for candidate, why in (
            (Compression("zstd", 1), "fastest for its size, and this pg_dump has it"),
            (Compression("gzip", 1), "this pg_dump has no zstd"),
        ):
            if not self._refuses(candidate):
                return ChosenCompression(candidate, why)
        return ChosenCompression(Compression("none"), "this pg_dump has neither zstd nor gzip")

    def dump(
        self, database: str, directory: Path, snapshot: str, compression: Compression, jobs: int,
        lock_timeout: int, exclude_table_data: Sequence[str],
    ) -> Command:  # fmt: skip
        """pg_dump of one database in directory format, in an exported snapshot.

        ``["pg_dump", "--format=directory", "--file=…/shop", "--jobs=2", "--snapshot=0000…", "--compress=zstd:1",
        "--lock-wait-timeout=300000", "--no-password", "--dbname=dbname='shop' host=…"]``
        """
        arguments = [
            "--format=directory", f"--file={directory}", f"--jobs={jobs}", f"--snapshot={snapshot}",
            f"--compress={compression.as_option()}", f"--lock-wait-timeout={lock_timeout * 1000}", "--no-password",
        ]  # fmt: skip
        arguments += [f"--exclude-table-data={pattern}" for pattern in exclude_table_data]
        arguments += [f"--dbname={self.place.tool_conninfo(database)}"]
        return self.place.command("pg_dump", arguments, [directory.parent], {})

    def dump_globals(self, database: str, file: Path, passwords: bool) -> Command:
        """pg_dumpall of roles, their settings and grants, and tablespaces."""
        arguments = [
            "--globals-only",
            f"--file={file}",
            "--no-password",
            f"--dbname={self.place.tool_conninfo(database)}",
        ]
        if not passwords:
            arguments.append("--no-role-passwords")
        return self.place.command("pg_dumpall", arguments, [file.parent], {})

    def list_dump(self, directory: Path) -> Command:
        """pg_restore's table of contents of a dump, on standard output."""
        return self.place.command("pg_restore", ["--list", str(directory)], [directory], {})

    def restore(self, directory: Path, database: str, jobs: int, settings: Mapping[str, str]) -> Command:
        """pg_restore of a whole dump into an empty database; the first SQL error ends it."""
        arguments = [
            "--exit-on-error",
            f"--jobs={jobs}",
            "--no-password",
            f"--dbname={self.place.tool_conninfo(database)}",
            str(directory),
        ]
        return self.place.command("pg_restore", arguments, [directory], {"PGOPTIONS": _options(settings)})

    def analyze(self, database: str, jobs: int) -> Command:
        """vacuumdb that gathers the planner's statistics and does nothing else."""
        arguments = [
            "--analyze-only",
            "--quiet",
            f"--jobs={jobs}",
            "--no-password",
            f"--dbname={self.place.tool_conninfo(database)}",
        ]
        return self.place.command("vacuumdb", arguments, [], {})

    def run_sql(self, file: Path, database: str) -> Command:
        """psql of a file, going on after errors, each of which is printed with its SQLSTATE."""
        arguments = ["--no-psqlrc", "--quiet", "--no-password", "--set=VERBOSITY=verbose", "--set=ON_ERROR_STOP=0",
                     "--output=/dev/null", f"--file={file}", f"--dbname={self.place.tool_conninfo(database)}"]  # fmt: skip
        return self.place.command("psql", arguments, [file.parent], {"PGOPTIONS": _options({"lc_messages": "C"})})

    def _refuses(self, compression: Compression) -> Optional[str]:
        command = self.place.command(
            "pg_dump",
            [
                "--format=directory",
                f"--compress={compression.as_option()}",
                f"--file={_IMPOSSIBLE}",
                "--dbname=postgres",
            ],
            [],
            {},
        )
        done = self.system.run(command)
        return None if _IMPOSSIBLE in done.stderr else done.last_error

    def _ask_version(self) -> tuple[str, int]:
        command = self.place.command("pg_dump", ["--version"], [], {})
        try:
            done = self.system.run(command)
        except OSError as error:
            raise self._unusable(command, str(error)) from error
        match = re.search(r"\) (\d+)(\S*)", done.stdout)
        if done.returncode != 0 or not match:
            raise self._unusable(command, done.last_error)
        return match.group(1) + match.group(2), int(match.group(1))

    def _unusable(self, command: Command, reason: str) -> AccessError:
        return AccessError(
            "run",
            f"pg_dump for cluster {self.cluster}",
            reason,
            "Correct access.bin_dir, or see that the server's image has its client programs.",
            program=command.argv[0],
        )


def _options(settings: Mapping[str, str]) -> str:
    """libpq's ``options`` for session settings without spaces in them. ``{"a": "b"}`` → ``… -c a=b``."""
    return " ".join([SESSION_OPTIONS, *(f"-c {key}={value}" for key, value in settings.items())])
