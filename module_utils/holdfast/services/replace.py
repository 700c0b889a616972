# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let new containers of a service take the place of the old ones, with a way back until it is finished.

Compose only ever *creates* containers here: it is told to start none, to recreate none, and to leave what a
service depends on alone (``up --no-start --no-recreate --no-deps --scale``). So no mistake in a compose file can
touch the database. What is started, drained, stopped and removed are containers of the one service, by their ids.
The old ones are stopped, but removed only when the whole deployment is known to be good.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ..errors import DeployError
from ..postgres.compose import Compose, Project
from ..system import System
from .containers import Container, Containers
from .options import DeployOptions
from .service import Service


@dataclass(frozen=True)
class Change:
    """What is to be done about one service.

    :param action: ``none``, ``start`` (nothing of it runs yet), ``rolling`` or ``recreate``.
    :param reasons: why it is changed, and why in this way.
    :param named: whether its container has a fixed name, so that the old one must go before the new one can be made.
    :param replicas: how many containers it is to have.
    :param image: the name of its new image, and ``image_id`` its id; None where it is not on this host yet.
    :param old: its containers that are to go; ``new``: those that are there already and as they should be.
    """

    service: Service
    action: str
    reasons: tuple[str, ...]
    named: bool
    replicas: int
    image_id: Optional[str]
    old: tuple[Container, ...]
    new: tuple[Container, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "service": self.service.name, "action": self.action, "reasons": list(self.reasons), "replicas": self.replicas,
            "from": sorted({one.image_name for one in self.old}), "to": self.service.image,
            "old": [one.as_dict() for one in self.old], "new": [one.as_dict() for one in self.new],
        }  # fmt: skip


@dataclass
class Replacement:
    """One service's change while it is carried out.

    :param project: with all files that make the new containers.
    :param told: called with what has just been done, so that it is on disk before the next step.
    :param new: the containers that take over; ``stopped``: old ones that were stopped for them.
    :param gap: seconds in which no container of the service could answer; 0 for a rolling one.
    """

    change: Change
    containers: Containers
    compose: Compose
    project: Project
    options: DeployOptions
    system: System
    told: Callable[[str], None]
    new: list[Container] = field(default_factory=list)
    created: list[Container] = field(default_factory=list)
    stopped: list[Container] = field(default_factory=list)
    gap: float = 0.0

    @property
    def name(self) -> str:
        return self.change.service.name

    def apply(self) -> None:
        """Have the new containers take over. When this fails, call :meth:`undo`.

        :raises DeployError: compose or the engine refuses, or a new container does not become healthy.
        """
        self.new = list(self.change.new)
        self._create()
        if self.change.action == "rolling":
            self._start_new()
            self.told(f"the proxy has {self.options.settle} s to find the new containers")
            time.sleep(self.options.settle)
            self._stop_old()
        elif self.change.action == "recreate":
            began = time.monotonic()
            running = any(one.runs for one in self.change.old)
            self._stop_old()
            self._start_new()
            self.gap = round(time.monotonic() - began, 3) if running else 0.0
        else:
            self._start_new()

    def finish(self) -> None:
        """Remove what was replaced: from here on there is no way back but another deployment.

        :raises DeployError: the engine refuses.
        """
        for one in self.change.old:
            self.containers.remove(one)
            self.told(f"removed {one.name}")

    def undo(self) -> None:
        """Put the old containers back as they were, the very same ones, and remove the new ones.

        :raises DeployError: an old one does not become healthy again; the new ones are left as they are then.
        """
        back, going = self._back(), self._going()
        rolls = self.change.action == "rolling" and bool(back)
        if not rolls:
            for one in going:
                self.containers.stop(one)
        for one in back:
            self.containers.start(one)
            self.told(f"started {one.name} again")
        self.containers.wait_until_healthy(back, self.options.start_timeout, self.options.settle)
        if rolls:
            time.sleep(self.options.settle)
        for one in going:
            if rolls:
                self._drain(one)
                self.containers.stop(one)
            self.containers.remove(one)
            self.told(f"removed {one.name}")
        self.created = []

    def _back(self) -> list[Container]:
        """Those that were stopped for the new ones: now, or by the interrupted deployment that this one goes on with."""
        nobody = not any(one.runs for one in self.change.old)
        return self.stopped or (list(self.change.old) if nobody else [])

    def _going(self) -> list[Container]:
        """Those that were made now, and those that this one found made where there are old ones to put back."""
        found = [*self.created, *(self.new if self.change.old else ())]
        return list({one.id: one for one in found}.values())

    def _create(self) -> None:
        missing = self.change.replicas - len(self.new)
        if missing <= 0:
            return
        made = self.create(self.project, missing)
        # Of compose 2 below 2.27 or so, a service's hash says what it depends on, but not if it was told to forget that:
        # the next 'up' by hand would make the container anew. Without that option it still starts and recreates nothing.
        if self.change.service.depends_on and any(not self._is_as_planned(one) for one in made):
            for one in made:
                self.containers.remove(one)
            made = self.create(self.project, missing, forgets_dependencies=False)
        self.new += made
        for one in made:
            self.told(f"created {one.name}")
            if not self._is_as_planned(one):
                raise DeployError(
                    "create", f"container {one.name}", "compose did not make it as its files said when they were read",
                    "Somebody changed the files or the image meanwhile: run this again.",
                )  # fmt: skip

    def create(self, project: Project, missing: int, forgets_dependencies: bool = True) -> list[Container]:
        """Have compose create containers, and do nothing else.

        :raises DeployError: it refuses, or makes others than it was told to.
        """
        before = {one.id for one in self.containers.of(self.name)}
        arguments = [
            "up",
            "--no-start",
            "--no-recreate",
            "--no-build",
            "--scale",
            f"{self.name}={len(before) + missing}",
        ]
        arguments += ["--no-deps"] if forgets_dependencies else []
        done = self.system.run(self.compose.command(project, [*arguments, self.name]))
        made = [one for one in self.containers.of(self.name) if one.id not in before]
        self.created = made
        if done.returncode != 0 or len(made) != missing:
            reason = done.last_error if done.returncode != 0 else f"it made {len(made)} containers, not {missing}"
            raise DeployError(
                "create", f"containers of service {self.name}", reason, "Mend what compose says, and run this again."
            )
        return made

    def _is_as_planned(self, one: Container) -> bool:
        return one.image == self.change.image_id and one.config_hash == self.change.service.config_hash

    def _start_new(self) -> None:
        for one in self.new:
            if not one.runs:
                self.containers.start(one)
                self.told(f"started {one.name}")
        self.containers.wait_until_healthy(self.new, self.options.start_timeout, self.options.settle)
        self.told(f"{', '.join(one.name for one in self.new)} up")

    def _stop_old(self) -> None:
        running = [one for one in self.change.old if one.runs]
        for one in running:
            self._drain(one)
        for one in running:
            self.stopped.append(one)
            self.containers.stop(one)
            self.told(f"stopped {one.name}")

    def _drain(self, container: Container) -> None:
        if self.options.drain_command:
            self.containers.drain(container, self.options.drain_command)
            self.told(f"draining {container.name}")
            time.sleep(self.options.drain)


def names(containers: Sequence[Container]) -> str:
    """Containers in a sentence."""
    return ", ".join(f"{one.name} ({one.image_name})" for one in containers) or "none"
