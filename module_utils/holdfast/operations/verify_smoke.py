# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's own program tries the restored data: on the host, or in an application's image with its environment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..config import ClusterConfig
from ..config_verify import Smoke
from ..errors import ConfigError
from ..postgres import engine
from ..postgres.access import ContainerAccess
from ..postgres.compose import Compose
from ..postgres.throwaway_container import ContainerThrowaway, options_of
from ..services import migration as one_off
from ..services.options import Migration
from ..services.service import Service, services
from ..system import Command, System
from .deploy_target import find_project
from .throwaway import Restored

_POLL = 0.1
#: Of the engine itself, of a program that cannot be run or found. Source: docker run, "Exit status".
_ENGINE = (125, 126, 127)


def smoke(config: ClusterConfig, restored: Restored, database: str, label: str, system: System) -> str:
    """Run the smoke command.

    :param database: what ``PGDATABASE`` names.
    :param label: of the throwaway; what is started carries it too, and so is removed with it.
    :returns: why it failed; empty if it succeeded.
    :raises ConfigError: it cannot be run at all, which says nothing about the data.
    """
    with _command(config, restored, database, label, system) as command:
        return _run(command, config.verify.smoke, system)


def _run(command: Command, options: Smoke, system: System) -> str:
    try:
        running = system.start(command)
    except OSError as error:
        raise _cannot_run(options, str(error.strerror)) from error
    until = time.monotonic() + options.timeout
    try:
        while not running.wait(_POLL):
            if time.monotonic() > until:
                return f"it did not end within {options.timeout} s"
        done = running.finish()
    finally:
        running.stop()
    if done.returncode == 0:
        return ""
    text = one_off.without_passwords((done.stdout + done.stderr)[-4000:])
    if options.service is not None and done.returncode in _ENGINE:
        raise _cannot_run(options, one_off.telling(text))
    return f"exit code {done.returncode}: {one_off.telling(text)}"


def _cannot_run(options: Smoke, reason: str) -> ConfigError:
    return ConfigError(
        "run", f"the smoke command {options.command[0]}", reason,
        "Correct verify.smoke. It says nothing about the backup, which is as it was.",
    )  # fmt: skip


@contextmanager
def _command(config: ClusterConfig, restored: Restored, database: str, label: str, system: System) -> Iterator[Command]:
    options, params = config.verify.smoke, restored.server.place.connect_params(database)
    if options.service is None:
        env = {"PGHOST": params["host"], "PGPORT": params["port"], "PGUSER": params["user"], "PGDATABASE": database}
        yield Command(options.command, {key: str(value) for key, value in env.items()})
        return
    if not isinstance(config.access, ContainerAccess) or not isinstance(restored.copy, ContainerThrowaway):
        raise ConfigError(
            "run", f"the smoke command in service {options.service}", "the database runs in no container",
            "Leave verify.smoke.service out: the command then runs on the host.",
        )  # fmt: skip
    access, service = config.access, _service(config, config.access, options.service, system)
    mounts = [
        one for one in service.mounts if one.kind != "volume" or engine.inspect(access, system, "volume", one.source)
    ]
    told = Migration(options.service, options.command, timeout=options.timeout)
    name, network = f"holdfast-smoke-{system.token()}", restored.copy.container_id
    with one_off.rehearsal(access, service, told, mounts, network, name, options_of(label)) as command:
        try:
            yield command
        finally:
            engine.ask(access, system, "rm", "--force", "--volumes", name)


def _service(config: ClusterConfig, access: ContainerAccess, name: str, system: System) -> Service:
    compose = Compose.find(access, system)
    if compose is None:
        raise ConfigError(
            "run", f"the smoke command in service {name}", f"there is no compose for {access.engine}",
            "Install it, or leave verify.smoke.service out: the command then runs on the host. It says nothing about the backup.",
        )  # fmt: skip
    project = find_project(access, engine.find(access, system), config.deploy, system)
    found: dict[str, Any] = dict(services(compose, project))
    if name not in found:
        raise ConfigError(
            "run", f"the smoke command in service {name}", f"project {project.name} has no such service",
            f"Correct verify.smoke.service; it has: {', '.join(sorted(found))}. It says nothing about the backup.",
        )  # fmt: skip
    service: Service = found[name]
    return service
