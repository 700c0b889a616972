# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A container engine: ask it, and find the server's container with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from typing import Any, Optional

from ..errors import AccessError
from ..system import Command, Finished, System, child_environment
from .access import ContainerAccess

_MISSING = (
    "no such container", "no container with", "no such volume", "no volume with", "no such image", "image not known",
)  # fmt: skip
#: What compose calls the containers of ``compose run``: they belong to the service, but are not the server.
_COMPOSE = "com.docker.compose."
_ONE_OFF = _COMPOSE + "oneoff"


def ask(access: ContainerAccess, system: System, *arguments: str) -> Finished:
    """Run one command of the engine to its end.

    :raises AccessError: the engine is not installed, or may not be run.
    """
    try:
        return system.run(Command([access.engine, *arguments]))
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise refusal(
            access,
            f"there is no {access.engine} on this host" if missing else f"{access.engine}: {error.strerror}",
            f"Install {access.engine}, or correct access.engine.",
        ) from error


def installed(access: ContainerAccess) -> bool:
    """Whether the engine is on this host at all."""
    return shutil.which(access.engine, path=child_environment({})["PATH"]) is not None


def find(access: ContainerAccess, system: System) -> dict[str, Any]:
    """What the engine says of the running container that the access names.

    :raises AccessError: no engine, no such container, more than one, or it does not run.
    """
    facts = look_up(access, system)
    if facts is None and access.container:
        raise refusal(
            access,
            f"{access.engine} knows no such container",
            f"See '{access.engine} ps --all' and correct access.container.",
        )
    if facts is None:
        raise refusal(
            access, f"no container is service {access.service} of project {access.project}",
            f"See '{access.engine} ps --all' and correct access.project and access.service.",
        )  # fmt: skip
    if not runs(facts):
        raise refusal(
            access, "it is not running", f"Start it ('{access.engine} start {name(facts)}') and look at its log."
        )
    return facts


def look_up(access: ContainerAccess, system: System) -> Optional[dict[str, Any]]:
    """What the engine says of the container that the access names: the running one, else a stopped one, else None.

    :raises AccessError: the engine does not answer, or more than one such container runs.
    """
    by_compose = (str(access.project), str(access.service))
    named = access.container
    found = inspect(access, system, "container", named) if named else of_project(access, system, *by_compose)
    running = [facts for facts in found if runs(facts)]
    if len(running) > 1:
        names = ", ".join(sorted(map(name, running)))
        raise refusal(
            access, f"{len(running)} running containers are meant ({names})",
            "Name one of them as access.container, instead of access.project and access.service.",
        )  # fmt: skip
    return next(iter([*running, *found]), None)


def inspect(access: ContainerAccess, system: System, kind: str, *names: str) -> list[dict[str, Any]]:
    """What the engine says of containers, images or volumes; those that do not exist are left out.

    :param kind: ``container``, ``image`` or ``volume``.
    :raises AccessError: the engine does not answer.
    """
    if not names:
        return []
    done = ask(access, system, kind, "inspect", "--", *names)
    if done.returncode != 0 and not any(sign in done.stderr.lower() for sign in _MISSING):
        raise _unanswered(access, done)
    facts: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return facts


def listed(access: ContainerAccess, system: System, *arguments: str) -> list[str]:
    """The words that a listing of the engine prints, such as ids.

    :raises AccessError: the engine does not answer.
    """
    done = ask(access, system, *arguments)
    if done.returncode != 0:
        raise _unanswered(access, done)
    return done.stdout.split()


def of_project(
    access: ContainerAccess, system: System, project: str, service: Optional[str] = None
) -> list[dict[str, Any]]:
    """What the engine says of the containers of a compose project, running or not, without those of ``compose run``.

    :param service: only those of this service.
    :raises AccessError: the engine does not answer.
    """
    wanted = {"project": project, **({"service": service} if service is not None else {})}
    filters = [part for key, value in wanted.items() for part in ("--filter", f"label={_COMPOSE}{key}={value}")]
    found = listed(access, system, "ps", "--all", "--quiet", "--no-trunc", *filters)
    return [one for one in inspect(access, system, "container", *found) if labels(one).get(_ONE_OFF) != "True"]


def name(facts: Mapping[str, Any]) -> str:
    """A container's name: docker says it with a slash before it."""
    return str(facts.get("Name", "")).lstrip("/")


def runs(facts: Mapping[str, Any]) -> bool:
    """Whether a container runs."""
    return bool(facts.get("State", {}).get("Running"))


def labels(facts: Mapping[str, Any]) -> dict[str, str]:
    """The labels of a container."""
    return facts.get("Config", {}).get("Labels") or {}


def environment(facts: Mapping[str, Any]) -> dict[str, str]:
    """The environment that a container or an image was given."""
    return dict(pair.partition("=")[::2] for pair in facts.get("Config", {}).get("Env") or [])


def address(facts: Mapping[str, Any]) -> Optional[str]:
    """Where this host reaches a container; None if it is in no network that has one.

    Of several networks the first by name, and always the same one.
    """
    if facts.get("HostConfig", {}).get("NetworkMode") == "host":
        return "127.0.0.1"
    networks = facts.get("NetworkSettings", {}).get("Networks") or {}
    for key in ("IPAddress", "GlobalIPv6Address"):
        for _name, network in sorted(networks.items()):
            if network.get(key):
                return str(network[key])
    return None


def refusal(access: ContainerAccess, reason: str, next_step: str) -> AccessError:
    """The error for a container that cannot be reached."""
    return AccessError("reach", f"container {access.label}", reason, next_step, engine=access.engine)


def _unanswered(access: ContainerAccess, done: Finished) -> AccessError:
    return refusal(
        access, done.last_error,
        f"See that the engine runs and that this account may use it ('{access.engine} ps' as the same user).",
    )  # fmt: skip
