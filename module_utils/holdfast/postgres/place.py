# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a server's own client programs run, and how both sides of Holdfast reach the server from there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Protocol

from ..system import Command, Running

#: Options of every connection that Holdfast opens, and of every tool it starts: a limit that an
#: administrator set for applications must not end a backup half-way.
SESSION_OPTIONS = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0"


#: A server whose host has vanished must not hold a backup for hours: libpq gives up after two minutes.
KEEPALIVES = {"keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 6}


class Place(Protocol):
    """A place from which the server can be reached and where tools of its own version run."""

    def use_tools_of(self, major: int) -> None:
        """Find the client programs for a server of this major version.

        :raises AccessError: there are none.
        """

    def remove_leftovers(self) -> list[str]:
        """Remove what tools of dead processes left running; the caller holds the writer lock."""

    def connect_params(self, database: str) -> dict[str, Any]:
        """libpq parameters for a connection of this very process."""

    def tool_conninfo(self, database: str) -> str:
        """A libpq connection string for a tool that runs in this place; never with a password in it."""

    def command(self, program: str, arguments: Sequence[str], paths: Sequence[Path], env: Mapping[str, str]) -> Command:
        """The command that runs ``program`` in this place; ``paths`` are the directories it may use."""

    def stop(self, command: Command) -> None:
        """End what a command started outside this process's own children."""

    def process_of(self, command: Command, running: Running) -> Optional[int]:
        """The id, on this host, of the process that is the program of a command.

        :returns: None while it does not run yet; 0 if it runs where it cannot be seen from this host.
        :raises AccessError: the engine does not answer.
        """

    def close(self) -> None:
        """Remove what was made for the tools, such as a copy of the passfile."""

    def path_on_host(self, path: str) -> Optional[Path]:
        """The path of this host under which a path of the server's can be looked at, if there is one."""

    def read_file(self, path: str) -> Optional[bytes]:
        """The content of a file of the server's, read from this host; None where that cannot be.

        :raises FileNotFoundError: there is no such file.
        """

    def list_directory(self, path: str) -> Optional[list[str]]:
        """The names in a directory of the server's, seen from this host; None where that cannot be."""

    def describe(self) -> dict[str, Any]:
        """Facts about the place for the manifest."""


def quote_conninfo(params: Mapping[str, Any]) -> str:
    """A libpq connection string. Quoted, so that a name with spaces, quotes or '=' stays a name.

    Input ``{"dbname": "a b'c", "port": 5432}``, output ``dbname='a b\\'c' port='5432'``.
    Source: PostgreSQL documentation, "Connection Strings".
    """
    parts = []
    for key, value in params.items():
        if value is not None:
            escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
            parts.append(f"{key}='{escaped}'")
    return " ".join(parts)


def free_bytes(path: Path) -> int:
    """Bytes that an ordinary user can still write on the file system of a path."""
    stat = os.statvfs(path)
    return stat.f_bavail * stat.f_frsize
