# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which image a service was deployed with, where that is another one than its compose file says.

Compose must know too, or the next ``up`` by hand would put the old image back. It reads
``compose.override.yml`` beside a project's one file by itself, so the images are kept there. Where that name
is somebody's own, or where the project has other files, they are kept beside it and a warning says so.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from ..errors import ConfigError, DeployError
from .options import DEFAULT_FILES

_MARK = "# Written by Holdfast: the images of the last deployment."
_ADVICE = "# A compose file that names another image than it did then wins over this one. See docs/how-to/deploy.md."
_OTHER_NAME = "holdfast.images.yml"
_KEY = "x-holdfast"
_VERSION = re.compile(r"""^version:\s*["']?([0-9.]+)""", re.MULTILINE)


@dataclass(frozen=True)
class Pins:
    """The images of services, and those that stood in the compose file when they were set.

    :param path: the file that holds them, or would.
    :param found_by_compose: whether compose finds that file by itself.
    """

    path: Path
    found_by_compose: bool
    images: Mapping[str, str] = field(default_factory=dict)
    instead_of: Mapping[str, str] = field(default_factory=dict)
    version: Optional[str] = None

    @classmethod
    def read(cls, directory: str, files: tuple[str, ...]) -> Pins:
        """Those of a project.

        :param files: its compose files, without the pins'.
        :raises ConfigError: the file of the pins is damaged.
        """
        own = Path(directory) / override_name(files)
        by_itself = len(files) == 1 and Path(files[0]) in [Path(directory) / name for name in DEFAULT_FILES]
        others = [Path(directory) / f"{stem}.{end}" for stem in ("compose.override", "docker-compose.override") for end in ("yml", "yaml")]  # fmt: skip
        if by_itself and not any(path.exists() and not is_pins(path) for path in others):
            path = own
        else:
            path, by_itself = Path(directory) / _OTHER_NAME, False
        raw: Mapping[str, Any] = {}
        if path.exists():
            try:
                raw = json.loads("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[2:]))
                images = {name: str(told["image"]) for name, told in raw["services"].items()}
                return cls(path, by_itself, images, dict(raw[_KEY]["instead_of"]), _version(files))
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise ConfigError(
                    "read", str(path), f"it is not as Holdfast wrote it ({error})",
                    "Write what it should say into the compose file, and remove it.",
                ) from error  # fmt: skip
        return cls(path, by_itself, version=_version(files))

    def for_deployment(self, base: Mapping[str, str], wanted: Mapping[str, str]) -> Pins:
        """What is to be kept after a deployment.

        :param base: the images that the compose files name, by service.
        :param wanted: the images that this deployment was told to use.
        """
        still = {
            name: image
            for name, image in self.images.items()
            # Whoever has changed the compose file since then means what it says now.
            if base.get(name) == self.instead_of.get(name)
        }
        images = {name: image for name, image in {**still, **wanted}.items() if base.get(name, image) != image}
        return Pins(self.path, self.found_by_compose, images, {name: base[name] for name in images}, self.version)

    def to_text(self) -> str:
        """As it lies on disk: JSON, which is YAML too, below a line that says whose it is."""
        content: dict[str, Any] = {"version": self.version} if self.version else {}
        content["services"] = {name: {"image": image} for name, image in sorted(self.images.items())}
        content[_KEY] = {"instead_of": dict(sorted(self.instead_of.items()))}
        return f"{_MARK}\n{_ADVICE}\n{json.dumps(content, indent=2)}\n"

    def write(self) -> None:
        """Have the file say this; without any image there is none.

        :raises DeployError: it cannot be written.
        """
        put(self.path, self.to_text() if self.images else None)


def put(path: Path, text: Optional[str]) -> None:
    """Write a file at once or, for None, have none. It is as readable as the compose files are: it holds no secret.

    :raises DeployError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        if text is None:
            path.unlink(missing_ok=True)
            return
        temporary.write_text(text, encoding="utf-8")
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise DeployError(
            "write", str(path), f"{error.strerror or error}", "Let this account write to the project's directory."
        ) from error


def override_name(files: tuple[str, ...]) -> str:
    """What compose calls the file that it reads besides: ``docker-compose.yml`` → ``docker-compose.override.yml``."""
    stem, end = os.path.splitext(os.path.basename(files[0])) if files else ("compose", ".yml")
    return f"{stem}.override{end}"


def is_pins(path: Path) -> bool:
    """Whether a file is one of these."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.readline().startswith(_MARK)
    except OSError:
        return False


def _version(files: tuple[str, ...]) -> Optional[str]:
    """Compose 1 wants all files of a project to name the same version of their format."""
    try:
        found = _VERSION.search(Path(files[0]).read_text(encoding="utf-8")) if files else None
    except (OSError, UnicodeDecodeError):
        return None
    return found.group(1) if found else None
