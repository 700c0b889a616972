# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup, restored into a throwaway server: what a drill looks at, and a rehearsal tries its migrations on."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from ..config import ClusterConfig
from ..errors import AccessError
from ..postgres import engine, throwaway_container
from ..postgres.access import ContainerAccess, HostAccess
from ..postgres.host import HostPlace
from ..postgres.throwaway import Limits, Original
from ..postgres.throwaway_container import ContainerThrowaway
from ..postgres.throwaway_host import DEFAULT_DIRECTORY, HostThrowaway
from ..reporting.progress import Progress
from ..repository.store import Repository
from ..system import System, private_directory
from . import load
from .context import Connected, connect, reach

if TYPE_CHECKING:
    from ..postgres.server import Server

#: The database that Holdfast itself connects to in a throwaway: the backup may hold all the others.
_OWN = "holdfast_throwaway"
_LOCATION = re.compile(rb"^(CREATE TABLESPACE .* LOCATION )'(?:[^']|'')*';$", re.MULTILINE)
Copy = Union[ContainerThrowaway, HostThrowaway]


@dataclass
class Restored:
    """A backup in a throwaway server.

    :param copy: the server, ``connected``: how it was reached. None where it is the cluster's own.
    :param image: what the server runs on: the id of its image, or the directory of its programs.
    :param databases: what :func:`~holdfast.operations.load.load_database` said of each.
    :param seconds: of ``start`` and ``restore``.
    """

    copy: Optional[Copy]
    connected: Connected
    image: str
    databases: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def server(self) -> Server:
        """The throwaway."""
        return self.connected.server

    def job(self, root: Path, name: str, expected: Mapping[str, Any], jobs: int) -> load.Job:
        """One database of the backup, under its own name."""
        return load.Job(name, name, root, expected, jobs, analyze=True, compare=True)


@contextmanager
def started(
    config: ClusterConfig, repository: Repository, purpose: str, system: System, progress: Progress,
    limits: Optional[Limits] = None, directory: Optional[str] = None, least_wal: bool = False,
) -> Iterator[Restored]:  # fmt: skip
    """Start a throwaway server like the cluster's own; it is gone when the block ends.

    Call it only while holding the lock of the purpose: what a dead process left of it is removed first.

    :param purpose: what it is for, as part of its label.
    :param directory: below which that of a throwaway of the host is made.
    :param least_wal: nothing is done in it but a restore and a look at what came of it.
    :raises AccessError: the cluster's own server cannot be asked what it is, or the throwaway does not start.
    """
    label = f"{repository.uuid}-{purpose}"
    began = system.now()
    progress.say("starting a throwaway server")
    server = reach(config, system, repository, purpose)
    server.place.remove_leftovers()
    with server.connect() as connection:
        original = Original.ask(connection)
    original = original.with_least_wal() if least_wal else original
    copy, image = _like(config, server, original, system, label, limits, directory)
    with copy:
        connected = connect(replace(config, access=copy.access), system, repository, purpose)
        try:
            yield Restored(copy, connected, image, seconds={"start": _since(began, system)})
        finally:
            connected.server.place.close()


def fill(
    restored: Restored, root: Path, manifest: Mapping[str, Any], expected: Mapping[str, Any], jobs: int, system: System,
    progress: Progress,
) -> None:  # fmt: skip
    """Restore all of a backup: roles and tablespaces first, then each database.

    :param root: directory of the backup; ``expected``: its fingerprint.
    :raises RestoreError: an SQL error, or the server went away.
    """
    began = system.now()
    progress.say("creating roles and tablespaces")
    with _own_globals(root / "globals.sql") as file:
        load.restore_globals(restored.connected, file, system)
    with restored.server.connect() as connection:
        connection.execute(f"CREATE DATABASE {_OWN} TEMPLATE template0".encode())
    restored.server.maintenance_database = _OWN
    for one in manifest["databases"]:
        with restored.server.connect() as connection:
            if one["name"] == "postgres":
                connection.execute("DROP DATABASE postgres WITH (FORCE)")
        job = restored.job(root / one["path"], one["name"], expected["databases"][one["name"]], jobs)
        restored.databases.append(load.load_database(restored.connected, job, system, progress))
    restored.seconds["restore"] = _since(began, system)


def place_of(config: ClusterConfig, directory: Optional[str], system: System) -> tuple[Optional[Path], str]:
    """Where a throwaway will lie, if that can be seen from here, and what frees space there."""
    if isinstance(config.access, ContainerAccess):
        where = throwaway_container.storage(config.access, system)
        return Path(where) if where else None, f"Free space there ('{config.access.engine} system df')."
    return Path(directory or DEFAULT_DIRECTORY), "Free space there, or set verify.directory."


def _like(
    config: ClusterConfig, server: Server, original: Original, system: System, label: str, limits: Optional[Limits],
    directory: Optional[str],
) -> tuple[Copy, str]:  # fmt: skip
    if isinstance(config.access, ContainerAccess):
        facts = engine.find(config.access, system)
        copy = ContainerThrowaway(config.access, facts, original, system, label, limits)
        return copy, f"{facts.get('Config', {}).get('Image')} ({facts['Image']})"
    place = server.place
    bin_dir = place.bin_dir if isinstance(place, HostPlace) else None
    if not bin_dir or not os.access(os.path.join(bin_dir, "initdb"), os.X_OK):
        raise AccessError(
            "start", "a throwaway server like the database's own", f"its programs are not on this host ({bin_dir})",
            f"Install postgresql-{server.facts.major} here, or set access.bin_dir to where its initdb is.",
        )  # fmt: skip
    where = directory or DEFAULT_DIRECTORY
    return HostThrowaway(bin_dir, where, _account(config.access, server), original, system, label), bin_dir


def _account(access: HostAccess, server: Server) -> tuple[int, int]:
    """The user and group that a throwaway of the host runs as: this one, or for root the server's own."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    data = server.place.path_on_host(server.facts.data_directory) if server.facts.data_directory else None
    if data is not None and os.stat(data).st_uid != 0:
        return os.stat(data).st_uid, os.stat(data).st_gid
    try:
        found = pwd.getpwnam("postgres")
    except KeyError:
        raise AccessError(
            "start", "a throwaway server", "PostgreSQL does not run as root, and there is no user postgres here",
            "Run this as the account of the database's server.",
        ) from None  # fmt: skip
    return found.pw_uid, found.pw_gid


@contextmanager
def _own_globals(file: Path) -> Iterator[Path]:
    """``globals.sql`` with every tablespace inside the throwaway: its real place may be the real server's."""
    facts = os.stat(file)
    with private_directory("globals") as private:
        copy = private / file.name
        with open(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(_LOCATION.sub(rb"\1'';", file.read_bytes()))
        if os.geteuid() == 0:
            for path in (private, copy):
                os.chown(path, facts.st_uid, facts.st_gid)
        yield copy


def _since(began: datetime, system: System) -> float:
    return round((system.now() - began).total_seconds(), 3)
