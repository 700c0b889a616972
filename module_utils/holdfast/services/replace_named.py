# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replace the container of a service whose name is fixed: there cannot be two of that name, so compose does it.

The old container is gone then. The way back is its image, with the settings of the new compose file.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from ..errors import DeployError
from ..postgres import engine
from ..postgres.compose import Project
from .containers import Container
from .replace import Replacement

#: What an image is called that has lost its name to the new one, for as long as it may be needed again.
_KEPT = "holdfast-rollback"


@dataclass
class NamedReplacement(Replacement):
    """A service's change that compose itself carries out.

    :param format: the version that the compose files say they are of, which all of them have to say.
    :param back_to: the image of the old container, by a name that still means it.
    """

    format: Optional[str] = None
    back_to: str = ""

    def apply(self) -> None:
        self.back_to = self._keep_image(self.change.old[0]) if self.change.old else ""
        running = any(one.runs for one in self.change.old)
        for one in self.change.old:
            if one.runs:
                self._drain(one)
        began = time.monotonic()
        self._up(self.project)
        self.stopped = list(self.change.old)
        self.new = self.containers.of(self.name)
        self.told(f"compose has recreated {', '.join(one.name for one in self.new)}")
        self.containers.wait_until_healthy(self.new, self.options.start_timeout, self.options.settle)
        self.gap = round(time.monotonic() - began, 3) if running else 0.0

    def finish(self) -> None:
        """Let the old image go, unless it has a name of its own."""
        if self.back_to.startswith(f"{_KEPT}:"):
            engine.ask(self.containers.access, self.system, "rmi", "--no-prune", self.back_to)

    def undo(self) -> None:
        there = self.containers.of(self.name)
        if not self.back_to or {one.id for one in there} == {one.id for one in self.change.old}:
            return
        with tempfile.TemporaryDirectory(prefix="holdfast-compose-") as private:
            file = Path(private) / "back.yml"
            version = {"version": self.format} if self.format else {}
            content = {**version, "services": {self.name: {"image": self.back_to}}}
            file.write_text(json.dumps(content), encoding="utf-8")
            self._up(replace(self.project, files=(*self.project.files, str(file))))
        back = self.containers.of(self.name)
        self.told(f"compose has recreated {', '.join(one.name for one in back)} with image {self.back_to}")
        self.containers.wait_until_healthy(back, self.options.start_timeout, self.options.settle)

    def _up(self, project: Project) -> None:
        arguments: Sequence[str] = ["up", "--detach", "--no-deps", "--no-build", self.name]
        done = self.system.run(self.compose.command(project, arguments))
        if done.returncode != 0:
            raise DeployError(
                "recreate", f"service {self.name}", done.last_error, "Mend what compose says, and run this again."
            )

    def _keep_image(self, container: Container) -> str:
        """A name for a container's image: its own, or one that keeps it if that one means another image by now."""
        access = self.containers.access
        if [one["Id"] for one in engine.inspect(access, self.system, "image", container.image_name)] == [
            container.image
        ]:
            return container.image_name
        kept = f"{_KEPT}:{container.image.rpartition(':')[2][:12]}"
        engine.ask(access, self.system, "tag", container.image, kept)
        return kept
