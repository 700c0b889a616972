# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A throwaway server in a container: the very image of the real one, with no network but its own.

Its network has nothing but a loopback interface. Whoever is put into it (``--network container:…``) finds the
server under every name of the real one, and is let in without a password: the stock image trusts 127.0.0.1.
Nobody else can reach it, the host's own users included.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..errors import AccessError
from ..system import System
from . import engine
from .access import ContainerAccess
from .image import declared_volumes
from .throwaway import POLL, READY_SECONDS, Limits, Original, Throwaway, failed_to_start

#: On the containers and volumes of throwaways: the repository whose backup is in them, and what they are for.
LABEL = "io.holdfast.throwaway"
#: A busy engine answers "in progress" or "in use" for a while: so long it is asked again.
REMOVE_SECONDS = 60
_SWEEPS = (
    (("ps", "--all", "--quiet", "--no-trunc"), ("rm", "--force", "--volumes")),
    (("volume", "ls", "--quiet"), ("volume", "rm", "--force")),
)
_ADMISSION = ("--auth", "-A", "--auth-host", "--auth-local", "--pwfile")


class ContainerThrowaway(Throwaway):
    """A server in a container of its own.

    :param access: of the real server; ``facts``: what the engine says of its container.
    :param label: what all of it is labelled with.
    """

    def __init__(
        self, access: ContainerAccess, facts: Mapping[str, Any], original: Original, system: System, label: str,
        limits: Optional[Limits] = None,
    ) -> None:  # fmt: skip
        self._facts = facts
        self._original = original
        self._system = system
        self._label = label
        self._limits = limits or Limits()
        self._engine = access.engine
        self._port = access.port
        self.name = f"holdfast-throwaway-{system.token()}"
        self.access: ContainerAccess = ContainerAccess(
            engine=access.engine, container=self.name, user=original.superuser, port=access.port, database="postgres"
        )
        self.container_id = ""

    def remove(self) -> None:
        """Remove the containers and volumes of the label.

        :raises AccessError: the engine does not remove them.
        """
        remove_all(self.access, self._system, self._label)

    def log(self, since: str = "") -> str:
        done = engine.ask(self.access, self._system, "logs", *(["--since", since] if since else []), self.name)
        return done.stdout + done.stderr

    def command(self) -> list[str]:
        """The command that starts the container; its volume exists."""
        env = engine.environment(self._facts)
        image = str(self._facts["Image"])
        settings = {**self._original.copied_settings(), "listen_addresses": "127.0.0.1", "port": str(self._port)}
        places = declared_volumes({"Config": {"Volumes": self._facts.get("Config", {}).get("Volumes")}}, "")
        argv = [
            self._engine, "run", "--detach", "--name", self.name, "--label", f"{LABEL}={self._label}",
            "--network", "none", "--pull", "never", "--security-opt", "no-new-privileges",
            "--shm-size", "256m", "--cpu-shares", "512",
            "--mount", f"type=volume,source={self.name},target={(places or ['/var/lib/postgresql/data'])[0]}",
            "--env", f"POSTGRES_USER={self._original.superuser}", "--env", "POSTGRES_DB=postgres",
            # By password nobody gets in from anywhere: there is no network, and the socket and 127.0.0.1 are trusted.
            "--env", f"POSTGRES_PASSWORD={self._system.token()}{self._system.token()}{self._system.token()}",
            "--env", f"POSTGRES_INITDB_ARGS={initdb_arguments(env.get('POSTGRES_INITDB_ARGS', ''))}",
        ]  # fmt: skip
        argv += ["--memory", str(self._limits.memory)] if self._limits.memory else []
        argv += ["--cpus", f"{self._limits.cpus:g}"] if self._limits.cpus else []
        for host in names_of(self._facts):
            argv += ["--add-host", f"{host}:127.0.0.1"]
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [*argv, image, "postgres", *options]

    def start(self) -> None:
        label = ["--label", f"{LABEL}={self._label}"]
        for arguments in (["volume", "create", *label, self.name], self.command()[1:]):
            done = engine.ask(self.access, self._system, *arguments)
            if done.returncode != 0:
                raise failed_to_start(done.last_error)
        (facts,) = engine.inspect(self.access, self._system, "container", self.name)
        self.container_id = str(facts["Id"])
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        """By TCP: while the image prepares its data directory, its server answers on the socket only."""
        ready = ["exec", self.name, "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={self._port}"]
        until = time.monotonic() + READY_SECONDS
        while engine.ask(self.access, self._system, *ready).returncode != 0:
            facts = engine.inspect(self.access, self._system, "container", self.name)
            if not facts or not engine.runs(facts[0]) or time.monotonic() > until:
                lines = [line for line in self.log().splitlines() if line.strip()] if facts else ["it has gone"]
                raise failed_to_start(" | ".join(lines[-4:])[-600:])
            time.sleep(POLL)


def initdb_arguments(own: str) -> str:
    """What initdb of a throwaway is given: as the real one was, but for who is let in, and waiting for no disk.

    Input ``--data-checksums --auth-local=scram-sha-256``, output ``--data-checksums --no-sync``.
    """
    kept, words = [], iter(shlex.split(own))
    for word in words:
        name, given, _value = word.partition("=")
        if name in _ADMISSION:
            if not given:
                next(words, None)
        else:
            kept.append(word)
    return shlex.join([*kept, "--no-sync"])


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

    :raises AccessError: the engine does not remove them; a copy of the data would lie there unnoticed.
    """
    wanted = ["--filter", f"label={LABEL}={label}"]
    until = time.monotonic() + REMOVE_SECONDS
    while True:
        failed = []
        for listing, removal in _SWEEPS:
            found = engine.listed(access, system, *listing, *wanted)
            done = engine.ask(access, system, *removal, *found) if found else None
            failed += [done.last_error] if done is not None and done.returncode != 0 else []
        if not failed:
            return
        if time.monotonic() > until:
            raise AccessError(
                "remove", "a throwaway server that has done its work", "; ".join(failed),
                f"See '{access.engine} ps --all --filter label={LABEL}={label}', and remove it: it holds a copy of the data.",
            )  # fmt: skip
        time.sleep(POLL)


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
