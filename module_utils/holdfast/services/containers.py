# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The containers of a service: which there are, and how they are started, watched, drained, stopped and removed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..errors import AccessError, DeployError
from ..postgres import compose as composing
from ..postgres import engine
from ..postgres.access import ContainerAccess
from ..postgres.compose import Project
from ..system import System

_POLL = 0.3
#: What an engine gives a container to end by itself when nothing else was said. Source: docker stop, "--time".
_USUAL_GRACE = 10
_LOG_LINES = 5


@dataclass(frozen=True)
class Container:
    """A container of a service, as the engine described it at one moment."""

    facts: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.facts["Id"])

    @property
    def name(self) -> str:
        return engine.name(self.facts)

    @property
    def image(self) -> str:
        """The id of its image."""
        return str(self.facts["Image"])

    @property
    def image_name(self) -> str:
        """What its image was called when it was made."""
        return str(self.facts.get("Config", {}).get("Image"))

    @property
    def config_hash(self) -> str:
        """What compose made it from."""
        return engine.labels(self.facts).get(composing.CONFIG_HASH, "")

    @property
    def runs(self) -> bool:
        return engine.runs(self.facts)

    @property
    def health(self) -> Optional[str]:
        """``starting``, ``healthy`` or ``unhealthy``; None where it has no healthcheck."""
        told = (self.facts.get("State", {}).get("Health") or {}).get("Status")
        return str(told) if told and told != "none" else None

    @property
    def restarts(self) -> int:
        """How often the engine has started it again after it had ended."""
        return int(self.facts.get("RestartCount") or 0)

    @property
    def grace(self) -> int:
        """Seconds that it has to end by itself."""
        told = self.facts.get("Config", {}).get("StopTimeout")
        return _USUAL_GRACE if told is None else int(told)

    def as_dict(self) -> dict[str, Any]:
        """As JSON, for a record."""
        return {"id": self.id, "name": self.name, "image": self.image_name, "image_id": self.image}


class Containers:
    """The containers of one project, by way of its engine."""

    def __init__(self, access: ContainerAccess, project: Project, system: System) -> None:
        self.access = access
        self.project = project
        self._system = system

    def of(self, service: str) -> list[Container]:
        """All containers of a service, running or not, oldest first. Those of ``compose run`` do not count.

        :raises AccessError: the engine does not answer.
        """
        facts = engine.of_project(self.access, self._system, self.project.name, service)
        return [Container(one) for one in sorted(facts, key=lambda one: str(one.get("Created")))]

    def look(self, container_id: str) -> Optional[Container]:
        """A container as it is now; None if it has gone.

        :raises AccessError: the engine does not answer.
        """
        found = engine.inspect(self.access, self._system, "container", container_id)
        return Container(found[0]) if found else None

    def start(self, container: Container) -> None:
        """Start a container.

        :raises DeployError: the engine refuses.
        """
        self._do(container, "start")

    def stop(self, container: Container) -> None:
        """Stop a container, which has its grace period to end what it is doing.

        :raises DeployError: the engine refuses.
        """
        self._do(container, "stop", "--time", str(container.grace))

    def remove(self, container: Container) -> None:
        """Remove a container with its anonymous volumes; one that has gone is not missed.

        :raises DeployError: the engine refuses.
        """
        if self.look(container.id) is not None:
            self._do(container, "rm", "--force", "--volumes")

    def drain(self, container: Container, command: Sequence[str]) -> None:
        """Run a command in a container that is to have the proxy leave it.

        :raises DeployError: it failed.
        """
        done = engine.ask(self.access, self._system, "exec", container.id, *command)
        if done.returncode != 0:
            raise _failed(container, "drain", done.last_error, "Correct deploy.drain_command.")

    def wait_until_healthy(self, containers: Sequence[Container], seconds: float, settle: float) -> None:
        """Wait until all of them are healthy; where one has no healthcheck, until it has run for a while.

        :param settle: how long a container without a healthcheck has to run.
        :raises DeployError: one ended, was restarted, is unhealthy, or took too long.
        """
        began = time.monotonic()
        waiting = {one.id: one for one in containers}
        while waiting:
            for one in list(waiting.values()):
                now = self.look(one.id)
                if now is None:
                    raise _failed(one, "start", "somebody removed it", "Find out who, and run this again.")
                if self._is_up(now, one.restarts, time.monotonic() - began, settle):
                    del waiting[now.id]
                elif time.monotonic() - began > seconds:
                    state = f"it is still {now.health or 'not up'} after {seconds:.0f} s"
                    raise self._unhealthy(now, state)
            if waiting:
                time.sleep(_POLL)

    def _is_up(self, now: Container, restarts: int, waited: float, settle: float) -> bool:
        state = now.facts.get("State", {})
        if state.get("Restarting") or now.restarts > restarts:
            raise self._unhealthy(now, f"it ended with exit code {state.get('ExitCode')} and was started again")
        if not now.runs:
            raise self._unhealthy(now, f"it ended with exit code {state.get('ExitCode')}")
        if now.health == "unhealthy":
            raise self._unhealthy(now, "it is unhealthy")
        return now.health == "healthy" or (now.health is None and waited >= settle)

    def _unhealthy(self, container: Container, reason: str) -> DeployError:
        log = engine.ask(self.access, self._system, "logs", "--tail", str(_LOG_LINES), container.id)
        checks = ((container.facts.get("State", {}).get("Health") or {}).get("Log") or [])[-1:]
        said = [str(one.get("Output", "")).strip() for one in checks]
        lines = [line for line in (log.stdout + log.stderr).splitlines()[-_LOG_LINES:] if line.strip()]
        told = [f"its healthcheck said: {text}" for text in said if text]
        told += [f"its log ends: {' | '.join(lines)}"] if lines else []
        return _failed(container, "start", "; ".join([reason, *told])[:1500], "Mend the image or its settings.")

    def _do(self, container: Container, verb: str, *options: str) -> None:
        done = engine.ask(self.access, self._system, verb, *options, container.id)
        if done.returncode != 0:
            raise _failed(
                container, verb, done.last_error, f"See '{self.access.engine} ps --all' and the engine's log."
            )


def pull(access: ContainerAccess, system: System, image: str) -> dict[str, Any]:
    """Have an image on this host, from its registry if need be.

    :returns: what the engine says of it.
    :raises AccessError: there is no such image, or its registry does not give it.
    """
    found = engine.inspect(access, system, "image", image)
    if not found:
        done = engine.ask(access, system, "pull", image)
        found = engine.inspect(access, system, "image", image)
        if done.returncode != 0 or not found:
            raise AccessError(
                "pull", f"image {image}", done.last_error,
                f"See that it exists and that this host may have it ('{access.engine} pull {image}', '{access.engine} login').",
                image=image,
            )  # fmt: skip
    return found[0]


def _failed(container: Container, verb: str, reason: str, next_step: str) -> DeployError:
    return DeployError(verb, f"container {container.name} of {container.image_name}", reason, next_step)
