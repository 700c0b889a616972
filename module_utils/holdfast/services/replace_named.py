# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replace the container of a service whose name is fixed: the old one has to go before compose can create the new one.

The way back is the old container's image, with the settings of the new compose file.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from ..postgres import engine
from .containers import Container
from .replace import Replacement

#: What an image is called that has lost its name to the new one, for as long as it may be needed again.
_KEPT = "holdfast-rollback"


@dataclass
class NamedReplacement(Replacement):
    """The change of a service whose container has a fixed name.

    :param format: the version that the compose files say they are of, which all of them have to say.
    :param back_to: the image of the old container, by a name that still means it.
    """

    format: Optional[str] = None
    back_to: str = ""

    def apply(self) -> None:
        self.back_to = self._keep_image(self.change.old[0]) if self.change.old else ""
        running = any(one.runs for one in self.change.old)
        began = time.monotonic()
        self._stop_old()
        super().finish()
        self._create()
        self._start_new()
        self.gap = round(time.monotonic() - began, 3) if running else 0.0

    def finish(self) -> None:
        """Let the old image go, unless it has a name of its own."""
        if self.back_to.startswith(f"{_KEPT}:"):
            engine.ask(self.containers.access, self.system, "rmi", "--no-prune", self.back_to)

    def undo(self) -> None:
        left = [one for one in self.change.old if self.containers.look(one.id) is not None]
        for one in self.created:
            self.containers.stop(one)
            self.containers.remove(one)
            self.told(f"removed {one.name}")
        if not left and self.back_to:
            left = self._with_old_image()
        for one in left:
            self.containers.start(one)
            self.told(f"started {one.name} with image {one.image_name}")
        self.containers.wait_until_healthy(left, self.options.start_timeout, self.options.settle)

    def _with_old_image(self) -> list[Container]:
        with tempfile.TemporaryDirectory(prefix="holdfast-compose-") as private:
            file = Path(private) / "back.yml"
            version = {"version": self.format} if self.format else {}
            content = {**version, "services": {self.name: {"image": self.back_to}}}
            file.write_text(json.dumps(content), encoding="utf-8")
            return self.create(replace(self.project, files=(*self.project.files, str(file))), 1)

    def _keep_image(self, container: Container) -> str:
        """A name for a container's image: its own, or one that keeps it if that one means another image by now."""
        access = self.containers.access
        found = engine.inspect(access, self.system, "image", container.image_name)
        if [one["Id"] for one in found] == [container.image]:
            return container.image_name
        kept = f"{_KEPT}:{container.image.rpartition(':')[2][:12]}"
        engine.ask(access, self.system, "tag", container.image, kept)
        return kept
