# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask compose what it would run: it reads and normalises the files itself, and nothing is started or pulled."""

from __future__ import annotations

import json
import os
import posixpath
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from ..errors import AccessError, ConfigError
from ..system import Command, System, child_environment
from .access import ContainerAccess
from .mounts import MEMORY, Mount

_LABEL = "com.docker.compose."
CONFIG_HASH = _LABEL + "config-hash"
VERSION = _LABEL + "version"


@dataclass(frozen=True)
class Project:
    """What compose is pointed at.

    :param files: the compose files, in their order.
    :param env_files: files for interpolation; empty leaves it to compose (``.env`` in the directory).
    """

    name: str
    service: str
    directory: str
    files: tuple[str, ...]
    env_files: tuple[str, ...] = ()

    @classmethod
    def of_container(cls, labels: Mapping[str, str]) -> Optional[Project]:
        """The project that made a container, from its labels; None if compose did not make it."""
        keys = ("project", "service", "project.working_dir", "project.config_files")
        name, service, directory, files = (labels.get(_LABEL + key) for key in keys)
        if not (name and service and directory and files):
            return None
        env_files = labels.get(_LABEL + "project.environment_file") or ""
        return cls(
            name,
            service,
            directory,
            tuple(os.path.join(directory, file) for file in files.split(",")),
            tuple(os.path.join(directory, file) for file in env_files.split(",") if file),
        )


@dataclass(frozen=True)
class Model:
    """What compose would run for a service.

    :param mounts: where it would mount what; a volume of compose's by its real name.
    :param config_hash: what compose compares with the container's label to see whether to recreate it.
    """

    image: str
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...]
    config_hash: str


@dataclass(frozen=True)
class Description:
    """A project as compose has read and normalised it.

    :param hashes: of each service, what compose compares with a container's label to see whether to recreate it.
    """

    services: Mapping[str, Any]
    volumes: Mapping[str, Any]
    secrets: Mapping[str, Any]
    configs: Mapping[str, Any]
    hashes: Mapping[str, str]


class Compose:
    """Compose as this host has it: the plugin (v2), or the program of its own (v1)."""

    def __init__(self, argv: Sequence[str], system: System) -> None:
        self.argv = list(argv)
        self._as_json = ["--format", "json"] if len(self.argv) == 2 else []
        self._system = system

    @classmethod
    def find(cls, access: ContainerAccess, system: System) -> Optional[Compose]:
        """The plugin if the engine has it, else the program; None if there is neither, or the engine is not docker."""
        if access.engine != "docker":
            return None
        try:
            answer = system.run(Command(["docker", "compose", "version", "--short"]))
        except OSError:
            answer = None
        if answer and answer.returncode == 0 and answer.stdout.strip().lstrip("v")[:1].isdigit():
            return cls(["docker", "compose"], system)
        if shutil.which("docker-compose", path=child_environment({})["PATH"]):
            return cls(["docker-compose"], system)
        return None

    def read(self, project: Project) -> Model:
        """What compose would run for the project's own service.

        :raises ConfigError: compose refuses the files, or they have no such service.
        :raises AccessError: its answer cannot be read.
        """
        told = self.describe(project)
        service = told.services.get(project.service)
        if service is None:
            known = ", ".join(sorted(told.services)) or "none"
            raise _refused(
                project, f"it has no service {project.service}, only: {known}", "Correct the service's name."
            )
        return Model(
            image=self.image(project, project.service, service),
            environment=environment(service.get("environment")),
            mounts=tuple(mounts(service, told.volumes, project)),
            config_hash=told.hashes.get(project.service, ""),
        )

    def describe(self, project: Project) -> Description:
        """Have compose read and normalise all of a project.

        :raises ConfigError: compose refuses the files.
        :raises AccessError: its answer cannot be read.
        """
        # At the same time: compose v1 takes a third of a second to start.
        asked = [["config", *self._as_json], ["config", "--hash", "*"]]
        running = [self._system.start(self.command(project, arguments)) for arguments in asked]
        try:
            done, hashed = (one.finish() for one in running)
        finally:
            for one in running:
                one.stop()
        if done.returncode != 0:
            raise _refused(project, done.last_error, f"Mend it until '{' '.join(self.argv)} config' takes it.")
        whole = json.loads(done.stdout) if self._as_json else _yaml(done.stdout)
        return Description(
            services=whole.get("services") or {},
            volumes=whole.get("volumes") or {},
            secrets=whole.get("secrets") or {},
            configs=whole.get("configs") or {},
            hashes=dict(line.split()[:2] for line in hashed.stdout.splitlines() if len(line.split()) == 2),
        )

    def image(self, project: Project, name: str, service: Mapping[str, Any]) -> str:
        """The image of a service: what it says, else the name that compose gives to what it builds."""
        return str(service.get("image") or ("-" if self._as_json else "_").join((project.name, name)))

    def command(self, project: Project, arguments: Sequence[str]) -> Command:
        """Compose, pointed at a project."""
        argv = [*self.argv, "--project-name", project.name, "--project-directory", project.directory]
        argv += [part for file in project.files for part in ("--file", file)]
        argv += [part for file in project.env_files for part in ("--env-file", file)]
        return Command([*argv, *arguments])


@contextmanager
def candidate(content: str, project: str, service: str, directory: str) -> Iterator[Project]:
    """A project whose compose file is not in its directory yet, but in a private place, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="holdfast-compose-") as private:
        file = Path(private) / "compose.yml"
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(content)
        yield Project(project, service, directory, (str(file),))


def _refused(project: Project, reason: str, next_step: str) -> ConfigError:
    return ConfigError("read", f"the compose files of project {project.name}", reason, next_step)


def _yaml(text: str) -> Any:
    """What compose v1 prints. It is written in Python and needs the same library itself."""
    try:
        import yaml
    except ImportError as error:
        raise AccessError(
            "read",
            "what docker-compose prints",
            f"PyYAML cannot be imported ({error})",
            "Install it from the distribution (python3-yaml), or the compose plugin of docker.",
        ) from error
    return yaml.safe_load(text)


def environment(raw: Any) -> dict[str, str]:
    """The environment of a service as compose prints it: a mapping, or a list of pairs."""
    if isinstance(raw, list):
        raw = dict(pair.partition("=")[::2] for pair in raw)
    # Compose prints a dollar as two, so that what it prints can be read again.
    return {key: "" if value is None else str(value).replace("$$", "$") for key, value in (raw or {}).items()}


def mounts(service: Mapping[str, Any], volumes: Mapping[str, Any], project: Project) -> Iterator[Mount]:
    """Where a service would mount what.

    :param volumes: the project's, as compose prints them.
    """
    tmpfs = service.get("tmpfs") or []
    for entry in [tmpfs] if isinstance(tmpfs, str) else tmpfs:
        yield Mount(posixpath.normpath(str(entry).partition(":")[0]), "memory")
    for entry in service.get("volumes") or []:
        kind, source, target, writable = _volume_entry(entry)
        target = posixpath.normpath(target)
        if kind == "tmpfs":
            yield Mount(target, "memory")
        elif kind == "volume" and not source:
            yield Mount(target, "anonymous")
        elif kind == "volume":
            told = volumes.get(source) or {}
            in_memory = (told.get("driver_opts") or {}).get("type") in MEMORY
            kind, source = ("memory" if in_memory else "volume"), _volume_name(source, told, project.name)
            yield Mount(target, kind, source, writable=writable)
        else:
            yield Mount(target, "bind", source, source, writable)


def _volume_entry(entry: Any) -> tuple[str, str, str, bool]:
    """Kind, source, target, and whether it may be written to, of ``{type: volume, source: a, target: /b}`` or of ``a:/b:rw``, which v1 prints."""
    if isinstance(entry, Mapping):
        writable = not entry.get("read_only")
        return str(entry.get("type")), str(entry.get("source") or ""), str(entry["target"]), writable
    parts = str(entry).split(":")
    if len(parts) == 1:
        return "volume", "", parts[0], True
    kind = "bind" if parts[0].startswith(("/", ".", "~")) else "volume"
    return kind, parts[0], parts[1], "ro" not in parts[2:3]


def _volume_name(key: str, told: Mapping[str, Any], project: str) -> str:
    external = told.get("external")
    outer = external.get("name") if isinstance(external, Mapping) else None
    return str(told.get("name") or outer or (key if external else f"{project}_{key}"))
