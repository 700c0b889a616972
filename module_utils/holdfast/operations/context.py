# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every operation needs first: the repository of a cluster, and its server with its tools."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, TypeVar, cast

from ..config import ClusterConfig
from ..errors import AccessError, RepositoryError
from ..postgres.access import as_user
from ..postgres.locate import open_place
from ..postgres.server import Server
from ..postgres.tools import Tools
from ..repository import durable
from ..repository.manifest import format_time
from ..repository.marker import MARKER
from ..repository.store import Repository
from ..system import System

_Operation = TypeVar("_Operation", bound=Callable[..., Any])


def explained(verb: str) -> Callable[[_Operation], _Operation]:
    """Decorate an operation so that no error of the server or the disk leaves it unexplained.

    :param verb: what the operation does, in the infinitive.
    """

    def decorate(operation: _Operation) -> _Operation:
        @functools.wraps(operation)
        def run(config: ClusterConfig, *arguments: Any, **named: Any) -> Any:
            try:
                return operation(config, *arguments, **named)
            except OSError as error:
                raise durable.explain(error, verb, config.repository) from error
            except Exception as error:
                if not _comes_from_server(error):
                    raise
                raise AccessError(
                    verb,
                    f"cluster {config.cluster}",
                    " ".join(str(error).split()),
                    "Look at the server's log, mend what it says, and run this again.",
                ) from error

        return cast("_Operation", run)

    return decorate


def _comes_from_server(error: Exception) -> bool:
    try:
        import psycopg
    except ImportError:
        return False
    return isinstance(error, psycopg.Error)


@dataclass(frozen=True)
class Connected:
    """A server that answered, and client programs that fit it."""

    server: Server
    tools: Tools


def open_repository(config: ClusterConfig) -> Repository:
    """Open the repository of a cluster, which must be the one that this host remembers.

    :raises RepositoryError: missing, not mounted, not readable, another one's.
    """
    return Repository.open(config.repository, config.cluster, remembered_id(config))


def initialise(config: ClusterConfig, system: System) -> tuple[Repository, bool]:
    """Make the repository of a cluster unless it exists, and remember which one it is.

    :returns: the repository, and whether it was made now.
    :raises RepositoryError: this host remembers one, but there is none now: its disk is not mounted.
    """
    known = remembered_id(config)
    if known is not None or (config.repository / MARKER).exists():
        repository = open_repository(config)
        _remember(config, repository)
        return repository, False
    repository = Repository.create(config.repository, config.cluster, format_time(system.now()))
    _remember(config, repository)
    return repository, True


def remembered_id(config: ClusterConfig) -> Optional[str]:
    """The id of the repository that this cluster used until now, kept beside its configuration."""
    memory = _memory(config)
    if memory is None or not memory.exists():
        return None
    try:
        return memory.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RepositoryError(
            "open", f"repository {config.repository}", f"{memory} cannot be read ({error})", "Make it readable."
        ) from error


def connect(config: ClusterConfig, system: System, repository: Repository, purpose: str) -> Connected:
    """Reach the server and find tools of its own version.

    :param purpose: what the tools are for; tool containers carry it, so that those of a dead backup can be told.
        For ``restore`` the account is ``access.restore_user``.
    :raises AccessError: unreachable, wrong password, no tools, or tools older than the server.
    """
    server = reach(config, system, repository, purpose)
    tools = Tools(server.place, system, config.cluster)
    tools.require_not_older_than(server.facts.version, server.facts.major)
    return Connected(server, tools)


def reach(config: ClusterConfig, system: System, repository: Optional[Repository], purpose: str) -> Server:
    """Reach the server, without its tools.

    :param repository: whose owner tools run as; None where there is none and no tool is going to run.
    :param purpose: as in :func:`connect`.
    :raises AccessError: unreachable, or wrong password.
    """
    access = as_user(config.access, config.access.restore_user) if purpose == "restore" else config.access
    owner = repository.owner if repository else (os.geteuid(), os.getegid())
    place = open_place(access, system, owner, f"{repository.uuid if repository else config.cluster}-{purpose}")
    return Server(place, config.access.database, config.cluster)


def _memory(config: ClusterConfig) -> Optional[Path]:
    return config.source.parent / f"{config.cluster}.repository-id" if config.source else None


def _remember(config: ClusterConfig, repository: Repository) -> None:
    memory = _memory(config)
    if memory is None or memory.exists():
        return
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        durable.replace_file(memory, (repository.uuid + "\n").encode("ascii"))
        os.chmod(memory, 0o644)
    except OSError as error:
        raise RepositoryError(
            "remember",
            f"repository {config.repository}",
            f"{memory} cannot be written ({error.strerror})",
            "Run this once as an account that may write there (the agent role does).",
        ) from error
