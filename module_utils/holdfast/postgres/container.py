# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server in a container: its tools run in a one-off container of the very same image.

The stock image is used as it is: no port has to be published, nothing is installed into it, and the
server's container is never restarted, entered or changed. Dumps do not stream through the engine: the
tool container writes into the bind-mounted repository itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ..system import Command, Running, System
from . import engine, files
from .access import ContainerAccess
from .passfile import PassfileCopy, remove_dead_copies
from .place import SESSION_OPTIONS, quote_conninfo
from .rootfs import Rootfs

LABEL = "io.holdfast.tools-of"
_PASSFILE = "/run/holdfast/passfile"
_SOCKET_DIRS = ("/var/run/postgresql", "/run/postgresql", "/tmp")


class ContainerPlace:
    """Connects through the container's socket (or address); runs tools in its network and image."""

    def __init__(
        self, access: ContainerAccess, system: System, owner: tuple[int, int], label: str, facts: Mapping[str, Any]
    ) -> None:
        self.access = access
        self._system = system
        self._owner = owner
        self._label = label
        self._facts = facts
        self._passfile: Optional[PassfileCopy] = None

    @classmethod
    def find(cls, access: ContainerAccess, system: System, owner: tuple[int, int], label: str) -> ContainerPlace:
        """Find the running container.

        :raises AccessError: no engine, no such container, more than one, or it does not run.
        """
        return cls(access, system, owner, label, engine.find(access, system))

    @property
    def container_id(self) -> str:
        """The engine's id of the server's container."""
        return str(self._facts["Id"])

    @property
    def image(self) -> str:
        """The digest of the image that the server runs on, so that the tools are of its own version."""
        return str(self._facts["Image"])

    def use_tools_of(self, major: int) -> None:
        """Nothing to find: the image of the server holds its own tools."""

    def connect_params(self, database: str) -> dict[str, Any]:
        params: dict[str, Any] = {"dbname": database, "user": self.access.user, "port": self.access.port}
        if self.access.passfile:
            params["passfile"] = self._own_passfile(self.access.passfile)
        return params | {"host": self._socket_directory() or self._address()}

    def tool_conninfo(self, database: str) -> str:
        params: dict[str, Any] = {
            "dbname": database,
            "user": self.access.user,
            "host": "127.0.0.1",
            "port": self.access.port,
        }
        if self.access.passfile:
            params["passfile"] = _PASSFILE
        return quote_conninfo(params)

    def command(self, program: str, arguments: Sequence[str], paths: Sequence[Path], env: Mapping[str, str]) -> Command:
        name = f"holdfast-tool-{self._system.token()}"
        argv = [
            self.access.engine, "run", "--rm", "--name", name, "--label", f"{LABEL}={self._label}",
            "--network", f"container:{self.container_id}", "--user", self._user(),
            "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
            # SELinux would otherwise keep the tool from the repository, or have it relabelled.
            "--security-opt", "label=disable", "--pull", "never", "--log-driver", "none",
        ]  # fmt: skip
        for path in paths:
            argv += ["--mount", _bind(str(path), str(path))]
        # The image declares its data directory a volume: without this, every tool would make an anonymous one.
        if self.access.engine == "podman":
            argv += ["--image-volume", "ignore"]
        for volume in self._facts.get("Config", {}).get("Volumes") or {}:
            argv += ["--tmpfs", str(volume)]
        if self.access.passfile:
            argv += ["--mount", _bind(self._own_passfile(self.access.passfile), _PASSFILE) + ",readonly"]
        for key, value in {"PGOPTIONS": SESSION_OPTIONS, "LC_ALL": "C", **env}.items():
            argv += ["--env", f"{key}={value}"]
        return Command([*argv, "--entrypoint", program, self.image, *arguments])

    def stop(self, command: Command) -> None:
        for name in _name_in(command):
            engine.ask(self.access, self._system, "rm", "--force", "--volumes", name)

    def process_of(self, command: Command, running: Running) -> Optional[int]:
        for facts in engine.inspect(self.access, self._system, "container", *_name_in(command)):
            if facts["State"].get("Running"):
                return int(facts["State"]["Pid"]) if Rootfs.of(facts) else 0
        return None

    def remove_leftovers(self) -> list[str]:
        """Remove what tools of dead processes left. Call it only while holding the repository's writer lock."""
        remove_dead_copies(self._label)
        listed = engine.ask(
            self.access, self._system, "ps", "--all", "--quiet", "--filter", f"label={LABEL}={self._label}"
        )
        found = listed.stdout.split()
        if found:
            engine.ask(self.access, self._system, "rm", "--force", "--volumes", *found)
        return found

    def close(self) -> None:
        if self._passfile:
            self._passfile.remove()
            self._passfile = None

    def path_on_host(self, path: str) -> Optional[Path]:
        return self._inside(path)

    def read_file(self, path: str) -> Optional[bytes]:
        root, resolved = self._resolved(path)
        return files.read_file_below(root, resolved) if root and resolved else None

    def list_directory(self, path: str) -> Optional[list[str]]:
        root, resolved = self._resolved(path)
        return files.list_directory_below(root, resolved) if root and resolved else None

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "container",
            "engine": self.access.engine,
            "container": str(self._facts.get("Name", "")).lstrip("/"),
            "image": self._facts.get("Config", {}).get("Image"),
            "image_digest": self.image,
        }

    def _user(self) -> str:
        """Rootless podman maps its root to this user; everywhere else the repository's owner is named."""
        if self.access.engine == "podman" and os.geteuid() != 0:
            return "0:0"
        uid, gid = self._owner if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        return f"{uid}:{gid}"

    def _own_passfile(self, passfile: str) -> str:
        if self._passfile is None:
            name = str(self._facts.get("Name", "")).lstrip("/")
            hosts = {"localhost", "127.0.0.1", "::1", name, self.access.container, self.access.service}
            self._passfile = PassfileCopy(passfile, [host for host in hosts if host], self._owner, self._label)
        return self._passfile.path

    def _socket_directory(self) -> Optional[str]:
        for directory in _SOCKET_DIRS:
            found = self._inside(directory)
            if found and _is_socket(found / f".s.PGSQL.{self.access.port}"):
                return str(found)
        return None

    def _inside(self, path: str) -> Optional[Path]:
        """A path of the container as seen from this host, or None where that cannot be had."""
        rootfs = Rootfs.of(self._facts)
        return rootfs.on_host(path) if rootfs else None

    def _resolved(self, path: str) -> tuple[Optional[Path], Optional[str]]:
        """The container's root as seen from this host, and a path below it without any link."""
        rootfs = Rootfs.of(self._facts)
        return (rootfs.on_host("/"), rootfs.resolve(path)) if rootfs else (None, None)

    def _address(self) -> str:
        found = engine.address(self._facts)
        if found is None:
            raise engine.refusal(
                self.access,
                "neither its socket nor its address can be reached from this host",
                "Run as root (docker) or as the user that started it (rootless podman).",
            )
        return found


def _name_in(command: Command) -> list[str]:
    """The name of the container that a command makes, if it makes one."""
    argv = list(command.argv)
    return [argv[argv.index("--name") + 1]] if "--name" in argv else []


def _is_socket(path: Path) -> bool:
    """Whether a path is itself a socket: a link could lead out of the container."""
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False


def _bind(source: str, target: str) -> str:
    """A bind mount for ``--mount``, which, unlike ``--volume``, takes any path and makes no missing directory.

    ``type=bind,"source=/a,b","target=/a,b"``: fields of a CSV line, as both engines read it.
    """
    quoted = ('"' + field.replace('"', '""') + '"' for field in (f"source={source}", f"target={target}"))
    return ",".join(["type=bind", *quoted])
