# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run an application's migrations: in a one-off container of its service, for the database or for a copy of it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Optional

from ..errors import DeployError
from ..postgres import engine
from ..postgres.access import ContainerAccess
from ..postgres.compose import Compose, Project
from ..postgres.mounts import Mount
from ..system import Command, Finished, System, private_directory
from .options import Migration
from .service import Service

#: On the container of a migration of the real database: the cluster that it is for.
LABEL = "io.holdfast.migration-of"
_POLL = 0.02
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")
_CLIENTS_OWN = ("PATH", "HOME", "DOCKER_")


def with_lock_timeout(environment: Mapping[str, str], seconds: int) -> str:
    """PGOPTIONS that limit how long a statement waits for a lock: ``-c lock_timeout=5000``, behind what there is.

    libpq reads it, and with it psycopg and most others. Source: PostgreSQL documentation, "Environment Variables".
    """
    return f"{environment.get('PGOPTIONS', '')} -c lock_timeout={seconds * 1000}".strip()


@contextmanager
def rehearsal(
    access: ContainerAccess, service: Service, migration: Migration, mounts: Sequence[Mount], network_of: str, name: str,
    label: Sequence[str],
) -> Iterator[Command]:  # fmt: skip
    """The command that runs the migrations in the network of a throwaway server.

    With all that the service has but its networks: its environment, its user, its files. What it could write to
    outside of its container is mounted read-only.

    :param mounts: those of the service that are there already; the engine would make the others.
    :param network_of: id of the throwaway's container.
    :param label: options that mark the container as one of the throwaway's.
    """
    environment = {**service.environment, "PGOPTIONS": with_lock_timeout(service.environment, migration.lock_timeout)}
    argv = [access.engine, "run", "--rm", "--name", name, *label, "--network", f"container:{network_of}",
            "--pull", "never", "--security-opt", "no-new-privileges"]  # fmt: skip
    with private_directory("migration") as private:
        file = private / "environment"
        # An argument list is for everybody to read: what may be a secret goes through a file, or our own environment.
        plain = {key: value for key, value in environment.items() if "\n" not in value}
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.writelines(f"{key}={value}\n" for key, value in plain.items())
        argv += ["--env-file", str(file)]
        others = {key: value for key, value in environment.items() if key not in plain and not key.startswith(_CLIENTS_OWN)}  # fmt: skip
        argv += [word for key in others for word in ("--env", key)]
        argv += [word for mount in mounts for word in _mounted(mount)]
        for target, source in service.secrets.items():
            argv += ["--mount", f"type=bind,source={source},target={target},readonly"]
        for option, key in (("--user", "user"), ("--workdir", "working_dir")):
            if service.facts.get(key):
                argv += [option, str(service.facts[key])]
        yield Command([*argv, *_program(service, migration)], others)


def real(
    compose: Compose, project: Project, service: Service, migration: Migration, cluster: str, name: str
) -> Command:
    """The command that runs the migrations on the database: ``compose run``, which starts nothing else.

    Compose reads the service's environment from its files; only PGOPTIONS, which is no secret, is given to it.
    """
    options = with_lock_timeout(service.environment, migration.lock_timeout)
    arguments = [
        "run", "--rm", "--no-deps", "-T", "--name", name, "--label", f"{LABEL}={cluster}",
        "-e", f"PGOPTIONS={options}", service.name, *migration.command,
    ]  # fmt: skip
    return compose.command(project, arguments)


def run(
    command: Command, migration: Migration, what: str, system: System, stop: Callable[[], Any],
    watch: Optional[Callable[[], None]] = None,
) -> tuple[Finished, float]:  # fmt: skip
    """Run migrations to their end.

    :param what: what they run on, for messages.
    :param stop: ends the container, if it does not end by itself.
    :param watch: called many times a second.
    :returns: how the program ended, and after how many seconds.
    :raises DeployError: they failed, or took longer than they may.
    """
    began = time.monotonic()
    running = system.start(command)
    try:
        while not running.poll():
            if watch is not None:
                watch()
            if time.monotonic() - began > migration.timeout:
                raise _failed(
                    what, f"they did not end within {migration.timeout} s", "", "Raise deploy.migrate.timeout."
                )
            running.wait(_POLL)
        done = running.finish()
    except BaseException:
        running.stop()
        stop()
        raise
    if done.returncode != 0:
        text = without_passwords((done.stdout + done.stderr)[-4000:])
        raise _failed(what, f"exit code {done.returncode}: {telling(text)}", text, "Mend the migrations.")
    return done, round(time.monotonic() - began, 3)


def running_for(access: ContainerAccess, system: System, cluster: str) -> list[str]:
    """Ids of the containers of migrations of this cluster that run now, or were left by a deployment that was killed.

    :raises AccessError: the engine does not answer.
    """
    return engine.listed(access, system, "ps", "--quiet", "--no-trunc", "--filter", f"label={LABEL}={cluster}")


def telling(text: str) -> str:
    """The lines of a program's output that say why it failed, on one line: those of the database first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "detail:" in line.lower()]
    return (" | ".join((errors or lines)[-4:]) or "it said nothing")[:800]


def without_passwords(text: str) -> str:
    """What a program has printed, without the passwords of addresses in it: ``postgresql://shop:***@db/shop``."""
    return _PASSWORD.sub(r"\1***@", text)


def _program(service: Service, migration: Migration) -> list[str]:
    """The image, and what to run in it: the migration's command below the service's entry point."""
    entrypoint = service.facts.get("entrypoint")
    words = [entrypoint] if isinstance(entrypoint, str) else list(entrypoint or [])
    if not words:
        return [service.image, *migration.command]
    return ["--entrypoint", str(words[0]), service.image, *map(str, words[1:]), *migration.command]


def _mounted(mount: Mount) -> list[str]:
    if mount.kind == "memory":
        return ["--tmpfs", mount.target]
    if mount.kind in ("volume", "bind"):
        kind = "volume" if mount.kind == "volume" else "bind"
        return ["--mount", f"type={kind},source={mount.source},target={mount.target},readonly"]
    return []


def _failed(what: str, reason: str, output: str, next_step: str) -> DeployError:
    return DeployError("migrate", what, reason, next_step, output=output)
