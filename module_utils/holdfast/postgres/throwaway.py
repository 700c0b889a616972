# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A throwaway server: the very image of the real one, with no network but its own, and nothing of it is kept.

Its network has nothing but a loopback interface. Whoever is put into it (``--network container:…``) finds the
server under every name of the real one, and is let in without a password: the stock image trusts 127.0.0.1.
Nobody else can reach it, the host's own users included.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Optional

from ..errors import AccessError
from ..system import System
from . import engine
from .access import ContainerAccess
from .image import declared_volumes

#: On the containers and volumes of throwaways: the repository whose backup is in them, and what they are for.
LABEL = "io.holdfast.throwaway"
_READY_SECONDS = 120
_POLL = 0.2
#: What the real server is started with and a copy needs too, to take the same data and statements.
_INHERITED = (
    "shared_preload_libraries", "max_connections", "max_locks_per_transaction", "max_prepared_transactions",
    "max_worker_processes", "wal_level",
)  # fmt: skip
#: Nobody misses these data after a crash, so nothing waits for a disk. Source: PostgreSQL documentation,
#: "Non-Durable Settings".
_FAST = {
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "archive_mode": "off",
    "autovacuum": "off", "max_wal_size": "4GB", "checkpoint_timeout": "1h", "shared_buffers": "256MB",
}  # fmt: skip


@dataclass(frozen=True)
class Original:
    """What a throwaway has to know of the server that it stands in for.

    :param facts: what the engine says of its container.
    :param superuser: name of the role that made the cluster.
    :param settings: its settings of `wanted_settings`.
    """

    facts: Mapping[str, Any]
    superuser: str
    settings: Mapping[str, str]

    @classmethod
    def ask(cls, facts: Mapping[str, Any], connection: Any) -> Original:
        """Ask the real server.

        :param connection: to any of its databases.
        """
        (superuser,) = connection.execute("SELECT rolname FROM pg_roles WHERE oid = 10").fetchone()
        # An account that may not read a setting is told nothing of it.
        rows = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(_INHERITED)]
        ).fetchall()
        return cls(facts, superuser, dict(rows))


class Throwaway:
    """A server in a container of its own; a context manager. It is gone when the block ends."""

    def __init__(self, access: ContainerAccess, original: Original, system: System, label: str) -> None:
        self._original = original
        self._system = system
        self._label = label
        self._engine = access.engine
        self._port = access.port
        self.name = f"holdfast-throwaway-{system.token()}"
        self.access = ContainerAccess(
            engine=access.engine, container=self.name, user=original.superuser, port=access.port, database="postgres"
        )
        self.container_id = ""

    def __enter__(self) -> Throwaway:
        remove_all(self.access, self._system, self._label)
        try:
            self._start()
            self._wait_until_ready()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove the container and its volume."""
        remove_all(self.access, self._system, self._label)

    def log(self, since: str = "") -> str:
        """All that the server has written.

        :param since: only from this instant on, as the engine reads it.
        """
        done = engine.ask(self.access, self._system, "logs", *(["--since", since] if since else []), self.name)
        return done.stdout + done.stderr

    def command(self) -> list[str]:
        """The command that starts the container; its volume exists."""
        env = engine.environment(self._original.facts)
        image = str(self._original.facts["Image"])
        settings = {**_FAST, **self._original.settings, "listen_addresses": "127.0.0.1", "port": str(self._port)}
        places = declared_volumes({"Config": {"Volumes": self._original.facts.get("Config", {}).get("Volumes")}}, "")
        argv = [
            self._engine, "run", "--detach", "--name", self.name, "--label", f"{LABEL}={self._label}",
            "--network", "none", "--pull", "never", "--security-opt", "no-new-privileges",
            "--shm-size", "256m", "--cpu-shares", "512",
            "--mount", f"type=volume,source={self.name},target={(places or ['/var/lib/postgresql/data'])[0]}",
            "--env", f"POSTGRES_USER={self._original.superuser}", "--env", "POSTGRES_DB=postgres",
            # By password nobody gets in from anywhere: there is no network, and the socket and 127.0.0.1 are trusted.
            "--env", f"POSTGRES_PASSWORD={self._system.token()}{self._system.token()}{self._system.token()}",
        ]  # fmt: skip
        if env.get("POSTGRES_INITDB_ARGS"):
            argv += ["--env", f"POSTGRES_INITDB_ARGS={env['POSTGRES_INITDB_ARGS']}"]
        for host in names_of(self._original.facts):
            argv += ["--add-host", f"{host}:127.0.0.1"]
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [*argv, image, "postgres", *options]

    def _start(self) -> None:
        label = ["--label", f"{LABEL}={self._label}"]
        for arguments in (["volume", "create", *label, self.name], self.command()[1:]):
            done = engine.ask(self.access, self._system, *arguments)
            if done.returncode != 0:
                raise self._failed(done.last_error)
        (facts,) = engine.inspect(self.access, self._system, "container", self.name)
        self.container_id = str(facts["Id"])

    def _wait_until_ready(self) -> None:
        """By TCP: while the image prepares its data directory, its server answers on the socket only."""
        ready = ["exec", self.name, "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={self._port}"]
        until = time.monotonic() + _READY_SECONDS
        while engine.ask(self.access, self._system, *ready).returncode != 0:
            facts = engine.inspect(self.access, self._system, "container", self.name)
            if not facts or not engine.runs(facts[0]) or time.monotonic() > until:
                lines = [line for line in self.log().splitlines() if line.strip()] if facts else ["it has gone"]
                raise self._failed(" | ".join(lines[-4:])[-600:])
            time.sleep(_POLL)

    def _failed(self, reason: str) -> AccessError:
        return AccessError(
            "start", "a throwaway server of the database's own image", reason,
            "See that the engine has room for it, and run this again. The database itself was not touched.",
        )  # fmt: skip


def names_of(facts: Mapping[str, Any]) -> list[str]:
    """Every name under which others in its networks reach a container, sorted.

    Its id is one of its names there too, and is left out.
    """
    found = {engine.name(facts), str(facts.get("Config", {}).get("Hostname") or "")}
    labelled = engine.labels(facts).get("com.docker.compose.service")
    found |= {labelled} if labelled else set()
    for network in (facts.get("NetworkSettings", {}).get("Networks") or {}).values():
        found |= set(network.get("Aliases") or []) | set(network.get("DNSNames") or [])
        # Whoever has its address in a setting reaches it there too.
    identifier = str(facts.get("Id", ""))
    return sorted(name for name in found if name and not identifier.startswith(name) and name != "localhost")


def remove_all(access: ContainerAccess, system: System, label: str) -> None:
    """Remove the containers and volumes of a label, also those that a killed process left.

    Call it only while holding the lock of whoever makes such ones.
    """
    wanted = ["--filter", f"label={LABEL}={label}"]
    found = engine.listed(access, system, "ps", "--all", "--quiet", "--no-trunc", *wanted)
    if found:
        engine.ask(access, system, "rm", "--force", "--volumes", *found)
    volumes = engine.listed(access, system, "volume", "ls", "--quiet", *wanted)
    if volumes:
        engine.ask(access, system, "volume", "rm", "--force", *volumes)


def storage(access: ContainerAccess, system: System) -> Optional[str]:
    """The directory of this host in which the engine keeps its volumes; None if that cannot be seen from here.

    :raises AccessError: the engine does not answer.
    """
    field = "{{.DockerRootDir}}" if access.engine == "docker" else "{{.Store.GraphRoot}}"
    found = (engine.listed(access, system, "info", "--format", field) or [""])[0]
    return found if os.path.isdir(found) else None


def options_of(label: str) -> Sequence[str]:
    """What marks a container as belonging to a throwaway, so that it is removed with it."""
    return ["--label", f"{LABEL}={label}"]
