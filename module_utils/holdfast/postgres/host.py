# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server of the host itself: its tools are programs in its own bin directory."""

from __future__ import annotations

import glob
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ..errors import AccessError
from ..system import Command, Running
from . import files
from .access import HostAccess
from .place import KEEPALIVES, SESSION_OPTIONS, quote_conninfo

#: Where distributions and the PostgreSQL project's own packages put the programs of a major version.
_BIN_DIRS = (
    "/usr/lib/postgresql/{major}/bin",
    "/usr/pgsql-{major}/bin",
    "/usr/lib/postgresql{major}/bin",
    "/usr/local/pgsql/bin",
)


class HostPlace:
    """Connects straight to the server; runs tools as child processes."""

    def __init__(self, access: HostAccess) -> None:
        self.access = access
        self._bin_dir: Optional[str] = access.bin_dir
        if access.service_file:
            # libpq has no connection parameter for it before release 18.
            os.environ["PGSERVICEFILE"] = access.service_file

    @property
    def bin_dir(self) -> Optional[str]:
        """Where its programs are; None before they were looked for."""
        return self._bin_dir

    def use_tools_of(self, major: int) -> None:
        """Find the bin directory of a major version, unless the configuration names one.

        :raises AccessError: there is none on this host.
        """
        if self._bin_dir:
            return
        tried = [pattern.format(major=major) for pattern in _BIN_DIRS]
        on_path = shutil.which("pg_dump")
        candidates = tried + ([os.path.dirname(os.path.realpath(on_path))] if on_path else [])
        for directory in candidates:
            if os.access(os.path.join(directory, "pg_dump"), os.X_OK):
                self._bin_dir = directory
                if re.search(rf"\b{major}\b", directory):
                    return
        if not self._bin_dir:
            found = sorted(glob.glob("/usr/lib/postgresql/*/bin/pg_dump"))
            raise AccessError(
                "find",
                f"the client programs of PostgreSQL {major}",
                "no pg_dump is in the usual places",
                f"Install postgresql-client-{major}, or set access.bin_dir.",
                tried=candidates,
                found=found,
            )

    def remove_leftovers(self) -> list[str]:
        """Nothing: a tool of this host dies with the process that started it."""
        return []

    def connect_params(self, database: str) -> dict[str, Any]:
        a = self.access
        params = {"service": a.service, "host": a.host, "port": a.port, "user": a.user, "passfile": a.passfile}
        return {key: value for key, value in params.items() if value is not None} | {"dbname": database, **KEEPALIVES}

    def tool_conninfo(self, database: str) -> str:
        return quote_conninfo(self.connect_params(database))

    def command(self, program: str, arguments: Sequence[str], paths: Sequence[Path], env: Mapping[str, str]) -> Command:
        full = {"PGOPTIONS": SESSION_OPTIONS, **env}
        if self.access.service_file:
            full["PGSERVICEFILE"] = self.access.service_file
        return Command([os.path.join(self._bin_dir or "", program), *arguments], full)

    def stop(self, command: Command) -> None:
        """Nothing: the tools are this process's own children."""

    def process_of(self, command: Command, running: Running) -> Optional[int]:
        return running.pid

    def close(self) -> None:
        """Nothing: nothing was made for the tools."""

    def path_on_host(self, path: str) -> Optional[Path]:
        return Path(path) if self._is_local() and os.path.isdir(path) else None

    def read_file(self, path: str) -> Optional[bytes]:
        return files.read_file(Path(path)) if self._is_local() else None

    def list_directory(self, path: str) -> Optional[list[str]]:
        return files.list_directory(Path(path)) if self._is_local() else None

    def describe(self) -> dict[str, Any]:
        return {"kind": "host", "host": self.access.host, "port": self.access.port, "bin_dir": self._bin_dir}

    def _is_local(self) -> bool:
        host = self.access.host
        local = host is None or host.startswith("/") or host in ("localhost", "127.0.0.1", "::1")
        return local and not self.access.service
