# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration files of a server: read by the server itself where the account may, else from this host.

What cannot be read is named. Nothing here fails an operation: a backup without its configuration is a backup.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import quote

from ..errors import HoldfastError
from .volume import system_identifier

if TYPE_CHECKING:
    from .rows import Rows
    from .server import Server

#: Settings of this very session are nobody's configuration.
_SETTINGS = (
    "SELECT name, setting, unit, source, pending_restart FROM pg_settings"
    " WHERE source NOT IN ('default', 'client', 'session') ORDER BY name"
)
_PATHS = (
    "SELECT current_setting('config_file'), current_setting('data_directory'), current_setting('hba_file'),"
    " current_setting('ident_file')"
)
#: Where the server tells which files it has read, and the first release that does. The first is for superusers.
_TOLD = (
    ("SELECT DISTINCT sourcefile FROM pg_file_settings", 0),
    ("SELECT DISTINCT file_name FROM pg_hba_file_rules", 160000),
    ("SELECT DISTINCT file_name FROM pg_ident_file_mappings", 160000),
)
_SOURCES = "SELECT DISTINCT sourcefile FROM pg_settings WHERE sourcefile IS NOT NULL"
#: Source: PostgreSQL documentation, "Configuration File Contents" and "The pg_hba.conf File".
_INCLUDE = re.compile(
    rb"""^[ \t]*(include|include_if_exists|include_dir)(?:[ \t]*=[ \t]*|[ \t]+)(?:'((?:[^'\n]|'')*)'|"([^"\n]*)"|([^\s#'"]+))""",
    re.MULTILINE | re.IGNORECASE,
)
#: Files that include each other are followed this often at most; the server itself stops at ten.
_MOST_FILES = 1000
_LONGEST_NAME = 100
NOT_READABLE = "configuration files are not in this backup: this account may not read them"


@dataclass(frozen=True)
class ServerFile:
    """One file of the server's.

    :param name: in a set, plain whatever the server calls it; ``source``: its path as the server knows it.
    """

    name: str
    source: str
    content: bytes


@dataclass
class Gathered:
    """What could be had, and what a backup lacks without the rest."""

    files: list[ServerFile] = field(default_factory=list)
    settings: Optional[list[dict[str, Any]]] = None
    limitations: list[str] = field(default_factory=list)


def gather(server: Server) -> Gathered:
    """Read the configuration files of a server, those that they include, and its settings."""
    import psycopg

    found = Gathered()
    try:
        with server.connect() as connection:
            try:
                found.settings = [
                    dict(zip(("name", "setting", "unit", "source", "pending_restart"), row))
                    for row in connection.execute(_SETTINGS).fetchall()
                ]
                _Reader(server, connection).gather(found)
            except (psycopg.Error, UnicodeError) as error:
                found.limitations.append(_missing(error))
    except HoldfastError as error:
        found.limitations.append(f"configuration files are not in this backup: {error.reason}")
    return found


class _Reader:
    """Reads over one connection."""

    def __init__(self, server: Server, connection: Rows) -> None:
        self._server = server
        self._connection = connection
        self._host_sees_it = False

    def gather(self, found: Gathered) -> None:
        """Read all there is.

        :raises psycopg.Error: the account may not even know where the files are.
        """
        config, data, hba, ident = self._connection.execute(_PATHS).fetchall()[0]
        root = self._server.place.path_on_host(data)
        # Another server's files lie under the same path where a port is forwarded: it must be this one's directory.
        self._host_sees_it = root is not None and system_identifier(root) == self._server.facts.system_identifier
        auto = posixpath.join(data, "postgresql.auto.conf")
        own = {"postgresql.conf": config, "postgresql.auto.conf": auto, "pg_hba.conf": hba, "pg_ident.conf": ident}
        refused: list[str] = []
        told, complete = self._told()
        waiting = [*own.values(), *told]
        seen: set[str] = set()
        included = 0
        while waiting and len(seen) < _MOST_FILES:
            path = waiting.pop(0)
            if path in seen or not path:
                continue
            seen.add(path)
            try:
                content = self._read(path)
            except FileNotFoundError:
                continue  # such as a pg_ident.conf that nobody needs
            if content is None:
                refused.append(path)
                continue
            name = next((name for name, source in own.items() if source == path), None)
            if name is None:
                included += 1
                name = f"included/{included:02d}-{_plain(posixpath.basename(path))}"
            found.files.append(ServerFile(name, path, content))
            if not complete:
                waiting += self._includes(path, content, refused)
        if refused and not found.files:
            found.limitations.append(NOT_READABLE)
        else:
            found.limitations += [
                f"configuration file {path!r} is not in this backup: it cannot be read" for path in refused
            ]

    def _told(self) -> tuple[list[str], bool]:
        """The files that the server says it has read, and whether it named all of them."""
        import psycopg

        paths: list[str] = []
        complete = True
        for query, since in _TOLD:
            if self._server.facts.version_num >= since:
                try:
                    paths += [path for (path,) in self._connection.execute(query.encode()).fetchall() if path]
                except psycopg.errors.InsufficientPrivilege:
                    complete = False
        if not complete:
            paths += [path for (path,) in self._connection.execute(_SOURCES).fetchall()]
        return list(dict.fromkeys(paths)), complete

    def _read(self, path: str) -> Optional[bytes]:
        """The content of a file; None where neither the server nor this host lets the account read it.

        :raises FileNotFoundError: there is no such file.
        """
        import psycopg

        try:
            row = self._connection.execute("SELECT pg_read_binary_file(%s)", [path]).fetchone()
            return bytes(row[0]) if row and row[0] is not None else None
        except psycopg.errors.UndefinedFile as error:
            raise FileNotFoundError(path) from error
        except psycopg.Error:
            if self._connection.closed:
                raise
        return self._server.place.read_file(path) if self._host_sees_it else None

    def _includes(self, path: str, content: bytes, refused: list[str]) -> Iterator[str]:
        """The files that a file includes, by its own words."""
        for directive, target in directives(content):
            full = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            if directive != "include_dir":
                yield full
                continue
            names = self._server.place.list_directory(full) if self._host_sees_it else None
            if names is None:
                refused.append(full)
            # Source: PostgreSQL documentation, include_dir: these names, in this order.
            for name in sorted(names or (), key=os.fsencode):
                if name.endswith(".conf") and not name.startswith("."):
                    yield posixpath.join(full, name)


def directives(content: bytes) -> list[tuple[str, str]]:
    """The directives that include other files: ``include_dir = 'conf.d'`` → ``[("include_dir", "conf.d")]``."""
    found = []
    for directive, single, double, plain in _INCLUDE.findall(content):
        target = single.replace(b"''", b"'") or double or plain
        if target:
            found.append((directive.decode("ascii").lower(), os.fsdecode(target)))
    return found


def _plain(name: str) -> str:
    """A file's name as one that is safe in any directory and in a list of checksums, cut to a length."""
    return quote(name, safe=" ", errors="surrogateescape")[:_LONGEST_NAME]


def _missing(error: Exception) -> str:
    import psycopg

    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return NOT_READABLE
    return f"configuration files are not in this backup: {' '.join(str(error).split())}"
