# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which services a deployment changes, and how: the compose files, as they will be, against what runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

from ..errors import AccessError, ConfigError
from ..postgres import engine
from ..postgres.access import ContainerAccess
from ..postgres.compose import Compose, Project
from ..services.containers import Container, Containers
from ..services.options import DeployOptions
from ..services.pins import Pins, is_pins
from ..services.replace import Change
from ..services.service import Service, check_image, repository_of, services
from ..system import System
from .checks import Check


@dataclass(frozen=True)
class Target:
    """The project as it is to be.

    :param project: its compose files as they are; ``deployed``: with the file of the pins, if there are any.
    :param database: the database's own service in it; None where it is in another project.
    :param services: all of its services, as they will be.
    """

    compose: Compose
    project: Project
    deployed: Project
    pins: Pins
    database: Optional[str]
    services: Mapping[str, Service]
    changes: tuple[Change, ...]
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Wanted:
    """What a deployment was told.

    :param image: for every service that uses another tag of it; ``tag``: for all that may be deployed.
    :param services: only these.
    """

    image: Optional[str] = None
    tag: Optional[str] = None
    services: tuple[str, ...] = ()


def find_target(
    access: ContainerAccess, database: Mapping[str, Any], options: DeployOptions, wanted: Wanted, system: System
) -> Target:
    """Read the project, and decide about each of its services.

    :param database: what the engine says of the database's container.
    :raises ConfigError: compose refuses the files, or what was asked for does not fit them.
    :raises AccessError: the engine does not answer, or has no compose.
    """
    compose = Compose.find(access, system)
    if compose is None:
        raise AccessError(
            "deploy", "with compose", f"there is no compose for {access.engine} on this host",
            "Install the compose plugin (docker-compose-plugin, or docker-compose of the distribution)."
            " Projects of podman cannot be deployed by Holdfast: only Docker's compose says what it would change.",
        )  # fmt: skip
    project = find_project(access, database, options, system)
    own = Project.of_container(engine.labels(database))
    database_service = own.service if own is not None and own.name == project.name else None
    base = services(compose, project)
    allowed = _allowed(base, options, database_service)
    chosen = _chosen(base, allowed, wanted, database_service)
    pins = Pins.read(project.directory, project.files)
    images = _images(base, chosen, wanted)
    pins = pins.for_deployment({name: one.image for name, one in base.items()}, images)
    deployed = replace(project, files=(*project.files, str(pins.path))) if pins.images else project
    found = _with_pins(compose, project, pins) if pins.images else base
    containers = Containers(access, deployed, system)
    changes = [_change(found[name], containers, access, options, system) for name in found if name in chosen]
    checks = [check for change in changes for check in _check(change, options, access, system)]
    if pins.images and not pins.found_by_compose:
        checks.append(Check(
            "compose file", "warning",
            f"the image is kept in {pins.path}, which compose does not read by itself: an 'up' by hand would put"
            f" {', '.join(sorted(set(pins.instead_of.values())))} back",
            "Write the new image into the compose file as well.",
        ))  # fmt: skip
    return Target(compose, project, deployed, pins, database_service, found, tuple(changes), tuple(checks))


def find_project(
    access: ContainerAccess, database: Mapping[str, Any], options: DeployOptions, system: System
) -> Project:
    own = Project.of_container(engine.labels(database))
    name = options.project or (own.name if own else None)
    if name is None:
        raise ConfigError(
            "deploy", "the application", "the database was not made by compose, and no project is named",
            "Set deploy.project, deploy.directory and deploy.files to the project of the application.",
        )  # fmt: skip
    # The youngest container knows best where its project lies; the database may be older than a move.
    others = [one for one in engine.of_project(access, system, name) if one["Id"] != database["Id"]]
    made = [Project.of_container(engine.labels(one)) for one in sorted(others, key=lambda one: str(one["Created"]))]
    known = next((one for one in reversed(made) if one is not None), own if own and own.name == name else None)
    directory = options.directory or (known.directory if known else None)
    files = options.files or (known.files if known else ())
    if directory is None or not files:
        raise ConfigError(
            "deploy", f"project {name}", "none of its containers says where it lies",
            "Set deploy.directory, and deploy.files to its compose files.",
        )  # fmt: skip
    paths = tuple(os.path.normpath(os.path.join(directory, file)) for file in files)
    project = Project(name, "", directory, tuple(path for path in paths if not is_pins(Path(path))))
    missing = [path for path in project.files if not os.path.isfile(path)]
    if missing:
        raise ConfigError(
            "deploy", f"project {name}", f"its compose file {missing[0]} is not there",
            "Put it there, or set deploy.directory and deploy.files.",
        )  # fmt: skip
    return replace(project, env_files=known.env_files) if known else project


def _allowed(base: Mapping[str, Service], options: DeployOptions, database: Optional[str]) -> list[str]:
    if database is not None and database in options.services:
        raise _is_database(database)
    unknown = [name for name in (*options.services, *options.strategy) if name not in base]
    if unknown:
        raise ConfigError(
            "deploy", f"service {unknown[0]}", f"the project has no such service, only: {', '.join(base)}",
            "Correct deploy.services or deploy.strategy.",
        )  # fmt: skip
    return [name for name in base if name != database and (not options.services or name in options.services)]


def _chosen(base: Mapping[str, Service], allowed: Sequence[str], wanted: Wanted, database: Optional[str]) -> list[str]:
    """The services that this deployment is about."""
    for name in wanted.services:
        if name == database:
            raise _is_database(name)
        if name not in allowed:
            raise ConfigError(
                "deploy", f"service {name}", f"it is none of those that may be deployed: {', '.join(allowed) or 'none'}",
                "Correct its name, or deploy.services.",
            )  # fmt: skip
    named = [name for name in allowed if not wanted.services or name in wanted.services]
    if wanted.image is not None and wanted.tag is not None:
        raise ConfigError("deploy", "that", "both an image and a tag are given", "Give one of them.")
    if wanted.image is not None:
        repository = repository_of(check_image(wanted.image))
        using = [name for name in named if repository_of(base[name].image) == repository]
        if not using and not wanted.services:
            known = ", ".join(f"{name}: {base[name].image}" for name in named) or "none"
            raise ConfigError(
                "deploy", f"image {wanted.image}", f"no service uses another tag of it ({known})",
                "Correct its name; to give a service an image of another name, name the service too.",
            )  # fmt: skip
        return using if not wanted.services else named
    if wanted.tag is not None:
        check_image(f"image:{wanted.tag}")
        repositories = sorted({repository_of(base[name].image) for name in named})
        if len(repositories) != 1:
            raise ConfigError(
                "deploy", f"tag {wanted.tag}", f"the services use several images ({', '.join(repositories)})",
                "Name the service too, or give the whole image, or set deploy.services.",
            )  # fmt: skip
    return named


def _images(base: Mapping[str, Service], chosen: Sequence[str], wanted: Wanted) -> dict[str, str]:
    if wanted.image is not None:
        return dict.fromkeys(chosen, wanted.image)
    if wanted.tag is not None:
        return {name: f"{repository_of(base[name].image)}:{wanted.tag}" for name in chosen}
    return {}


def _with_pins(compose: Compose, project: Project, pins: Pins) -> dict[str, Service]:
    """The services as they will be: the file of the pins is tried in a private place."""
    with tempfile.TemporaryDirectory(prefix="holdfast-compose-") as private:
        file = Path(private) / pins.path.name
        file.write_text(pins.to_text(), encoding="utf-8")
        return services(compose, replace(project, files=(*project.files, str(file))))


def _change(
    service: Service, containers: Containers, access: ContainerAccess, options: DeployOptions, system: System
) -> Change:
    found = containers.of(service.name)
    image = next(iter(engine.inspect(access, system, "image", service.image)), None)
    image_id = str(image["Id"]) if image else None
    fits = [one for one in found if one.image == image_id and one.config_hash == service.config_hash]
    others = [one for one in found if one not in fits]
    running = sum(one.runs for one in others) or sum(one.runs for one in fits)
    replicas = service.replicas if service.replicas is not None else max(1, running)
    fits.sort(key=lambda one: not one.runs)
    new, old = tuple(fits[:replicas]), (*others, *fits[replicas:])
    only_one = service.why_only_one()
    strategy = options.strategy.get(service.name) or ("recreate" if only_one else "rolling")
    if not old and len(new) == replicas and all(one.runs for one in new):
        action, reasons = "none", []
    elif not old:
        action, reasons = "start", ["nothing of it runs yet" if not new else "some of it does not run"]
    else:
        action, reasons = strategy, _why(service, others, image_id)
        reasons += only_one if strategy == "recreate" and only_one else []
    named = bool(service.facts.get("container_name")) and action == "recreate"
    return Change(service, action, tuple(reasons), named, replicas, image_id, old, new)


def _why(service: Service, others: Sequence[Container], image_id: Optional[str]) -> list[str]:
    if not others:
        return ["more of it run than its files ask for"]
    names = sorted({one.image_name for one in others})
    if names != [service.image]:
        return [f"image {', '.join(names)} becomes {service.image}"]
    if image_id is None or any(one.image != image_id for one in others):
        return [f"{service.image} is another image by now"]
    return ["its settings in the compose files have changed"]


def _check(change: Change, options: DeployOptions, access: ContainerAccess, system: System) -> list[Check]:
    name, service = change.service.name, change.service
    if change.action == "none":
        return []
    checks = []
    image = next(iter(engine.inspect(access, system, "image", service.image)), None)
    if image is None:
        checks.append(Check("image", "warning", f"{service.image} is not on this host: it is pulled first of all"))
    if image is not None and not service.has_healthcheck(image):
        after = f"it counts as up when it has run for {options.settle} s"
        checks.append(Check(
            "healthcheck", "warning", f"service {name} has no healthcheck: {after}, and may fail requests until it really is",
            "Give it one in the compose file.",
        ))  # fmt: skip
    impossible = bool(service.facts.get("container_name")) or any("fixed port" in why for why in service.why_only_one())
    if change.action == "rolling" and impossible:
        why = "; ".join(service.why_only_one())
        checks.append(
            Check("strategy", "error", f"service {name} cannot be rolling: {why}", "Correct deploy.strategy.")
        )
    return checks


def _is_database(name: str) -> ConfigError:
    return ConfigError(
        "deploy", f"service {name}", "it is the database's own",
        "A deployment never touches it. Name services of the application.",
    )  # fmt: skip
