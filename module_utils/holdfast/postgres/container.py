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

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ..errors import AccessError
from ..system import Command, Finished, System
from .access import ContainerAccess
from .place import SESSION_OPTIONS, quote_conninfo

LABEL = "io.holdfast.tools-of"
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
        self._passfile_copy: Optional[str] = None

    @classmethod
    def find(cls, access: ContainerAccess, system: System, owner: tuple[int, int], label: str) -> ContainerPlace:
        """Find the running container.

        :raises AccessError: no engine, no such container, more than one, or it does not run.
        """
        name = access.container or _by_compose(access, system)
        done = _engine(access, system, "container", "inspect", name)
        if done.returncode != 0:
            raise _cannot(access, done.last_error, f"See '{access.engine} ps --all' and correct access.container.")
        facts = json.loads(done.stdout)[0]
        if not facts.get("State", {}).get("Running"):
            raise _cannot(
                access, "it is not running", f"Start it ('{access.engine} start {name}') and look at its log."
            )
        return cls(access, system, owner, label, facts)

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
            params["passfile"] = self.access.passfile
        return params | {"host": self._socket_directory() or self._address()}

    def tool_conninfo(self, database: str) -> str:
        params: dict[str, Any] = {
            "dbname": database,
            "user": self.access.user,
            "host": "127.0.0.1",
            "port": self.access.port,
        }
        if self.access.passfile:
            params["passfile"] = "/run/holdfast/passfile"
        return quote_conninfo(params)

    def command(self, program: str, arguments: Sequence[str], paths: Sequence[Path], env: Mapping[str, str]) -> Command:
        name = f"holdfast-tool-{self._system.token()}"
        argv = [
            self.access.engine, "run", "--rm", "--name", name, "--label", f"{LABEL}={self._label}",
            "--network", f"container:{self.container_id}", "--user", self._user(),
            "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pull", "never", "--log-driver", "none",
        ]  # fmt: skip
        for path in paths:
            argv += ["--volume", f"{path}:{path}"]
        for volume in self._facts.get("Config", {}).get("Volumes") or {}:
            # The image declares its data directory a volume: without this, every tool would make an anonymous one.
            argv += ["--tmpfs", str(volume)]
        if self.access.passfile:
            argv += ["--volume", f"{self._own_passfile()}:/run/holdfast/passfile:ro"]
        for key, value in {"PGOPTIONS": SESSION_OPTIONS, "LC_ALL": "C", **env}.items():
            argv += ["--env", f"{key}={value}"]
        return Command([*argv, "--entrypoint", program, self.image, *arguments])

    def stop(self, command: Command) -> None:
        argv = list(command.argv)
        if "--name" in argv:
            _engine(self.access, self._system, "rm", "--force", "--volumes", argv[argv.index("--name") + 1])

    def remove_leftovers(self) -> list[str]:
        """Remove tool containers of dead processes. Call it only while holding the repository's writer lock."""
        listed = _engine(
            self.access, self._system, "ps", "--all", "--quiet", "--filter", f"label={LABEL}={self._label}"
        )
        found = listed.stdout.split()
        if found:
            _engine(self.access, self._system, "rm", "--force", "--volumes", *found)
        return found

    def close(self) -> None:
        if self._passfile_copy:
            shutil.rmtree(os.path.dirname(self._passfile_copy), ignore_errors=True)
            self._passfile_copy = None

    def path_on_host(self, path: str) -> Optional[Path]:
        return self._inside(path)

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

    def _own_passfile(self) -> str:
        """A copy of the passfile that the tools' user may read: libpq ignores one with wider rights."""
        assert self.access.passfile
        if os.geteuid() != 0 or self._owner[0] == 0:
            return self.access.passfile
        if not self._passfile_copy:
            directory = tempfile.mkdtemp(prefix="holdfast-")
            self._passfile_copy = os.path.join(directory, "passfile")
            descriptor = os.open(self._passfile_copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(self.access.passfile, "rb") as source, os.fdopen(descriptor, "wb") as copy:
                shutil.copyfileobj(source, copy)
            for path in (directory, self._passfile_copy):
                os.chown(path, *self._owner)
        return self._passfile_copy

    def _socket_directory(self) -> Optional[str]:
        for directory in _SOCKET_DIRS:
            found = self._inside(directory)
            if found and os.path.exists(found / f".s.PGSQL.{self.access.port}"):
                return str(found)
        return None

    def _inside(self, path: str) -> Optional[Path]:
        """A path of the container as seen from this host, or None where that cannot be had.

        Links are followed by hand within the container's root: followed by the kernel, an absolute one
        (``/var/run`` → ``/run``) would lead into this host's own tree, to another server's socket.
        """
        root = Path(f"/proc/{self._facts['State']['Pid']}/root")
        parts = [part for part in path.split("/") if part]
        resolved: list[str] = []
        for _hop in range(64):
            if not parts:
                break
            part = parts.pop(0)
            if part == "..":
                resolved = resolved[:-1]
                continue
            here = root.joinpath(*resolved, part)
            try:
                if here.is_symlink():
                    target = os.readlink(here)
                    resolved = [] if target.startswith("/") else resolved
                    parts = [piece for piece in target.split("/") if piece not in ("", ".")] + parts
                    continue
            except OSError:
                return None
            resolved.append(part)
        found = root.joinpath(*resolved)
        return found if os.access(found, os.R_OK | os.X_OK) else None

    def _address(self) -> str:
        if self._facts.get("HostConfig", {}).get("NetworkMode") == "host":
            return "127.0.0.1"
        networks = self._facts.get("NetworkSettings", {}).get("Networks") or {}
        for network in networks.values():
            if network.get("IPAddress"):
                return str(network["IPAddress"])
        raise _cannot(
            self.access,
            "neither its socket nor its address can be reached from this host",
            "Run as root (docker) or as the user that started it (rootless podman).",
        )


def _by_compose(access: ContainerAccess, system: System) -> str:
    filters = [
        f"label=com.docker.compose.project={access.project}",
        f"label=com.docker.compose.service={access.service}",
    ]
    arguments = [part for one in filters for part in ("--filter", one)]
    done = _engine(access, system, "ps", "--quiet", "--no-trunc", *arguments)
    found = done.stdout.split()
    if done.returncode != 0 or len(found) != 1:
        reason = (
            done.last_error
            if done.returncode != 0
            else f"{len(found)} running containers are service {access.service} of project {access.project}"
        )
        raise _cannot(access, reason, f"See '{access.engine} ps' and correct access.project and access.service.")
    return found[0]


def _engine(access: ContainerAccess, system: System, *arguments: str) -> Finished:
    try:
        return system.run(Command([access.engine, *arguments]))
    except FileNotFoundError:
        raise _cannot(
            access, f"there is no {access.engine} on this host", f"Install {access.engine}, or correct access.engine."
        ) from None


def _cannot(access: ContainerAccess, reason: str, next_step: str) -> AccessError:
    return AccessError("reach", f"container {access.label}", reason, next_step, engine=access.engine)
