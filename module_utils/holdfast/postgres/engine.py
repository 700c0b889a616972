# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A container engine: ask it, and find the server's container with it."""

from __future__ import annotations

import json
from typing import Any

from ..errors import AccessError
from ..system import Command, Finished, System
from .access import ContainerAccess

_MISSING = ("no such container", "no container with")
#: What compose calls the containers of ``compose run``: they belong to the service, but are not the server.
_ONE_OFF = "com.docker.compose.oneoff"


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


def find(access: ContainerAccess, system: System) -> dict[str, Any]:
    """What the engine says of the running container that the access names.

    :raises AccessError: no engine, no such container, more than one, or it does not run.
    """
    found = _inspect(access, system, access.container) if access.container else _by_compose(access, system)
    running = [facts for facts in found if facts.get("State", {}).get("Running")]
    if len(running) > 1:
        names = ", ".join(sorted(str(facts.get("Name", "")).lstrip("/") for facts in running))
        raise refusal(
            access, f"{len(running)} running containers are meant ({names})",
            "Name one of them as access.container, instead of access.project and access.service.",
        )  # fmt: skip
    if not running:
        name = str(found[0].get("Name", "")).lstrip("/")
        raise refusal(access, "it is not running", f"Start it ('{access.engine} start {name}') and look at its log.")
    return running[0]


def refusal(access: ContainerAccess, reason: str, next_step: str) -> AccessError:
    """The error for a container that cannot be reached."""
    return AccessError("reach", f"container {access.label}", reason, next_step, engine=access.engine)


def _by_compose(access: ContainerAccess, system: System) -> list[dict[str, Any]]:
    labels = {"project": access.project, "service": access.service}
    filters = [
        part for key, value in labels.items() for part in ("--filter", f"label=com.docker.compose.{key}={value}")
    ]
    done = ask(access, system, "ps", "--all", "--quiet", "--no-trunc", *filters)
    if done.returncode != 0:
        raise _unanswered(access, done)
    found = _inspect(access, system, *done.stdout.split()) if done.stdout.split() else []
    found = [facts for facts in found if _labels(facts).get(_ONE_OFF) != "True"]
    if not found:
        raise refusal(
            access, f"no container is service {access.service} of project {access.project}",
            f"See '{access.engine} ps --all' and correct access.project and access.service.",
        )  # fmt: skip
    return found


def _inspect(access: ContainerAccess, system: System, *names: str) -> list[dict[str, Any]]:
    done = ask(access, system, "container", "inspect", "--", *names)
    if done.returncode != 0:
        raise _unanswered(access, done)
    facts: list[dict[str, Any]] = json.loads(done.stdout)
    return facts


def _labels(facts: dict[str, Any]) -> dict[str, str]:
    return facts.get("Config", {}).get("Labels") or {}


def _unanswered(access: ContainerAccess, done: Finished) -> AccessError:
    if any(sign in done.stderr.lower() for sign in _MISSING):
        return refusal(
            access,
            f"{access.engine} knows no such container",
            f"See '{access.engine} ps --all' and correct access.container.",
        )
    return refusal(
        access, done.last_error,
        f"See that the engine runs and that this account may use it ('{access.engine} ps' as the same user).",
    )  # fmt: skip
