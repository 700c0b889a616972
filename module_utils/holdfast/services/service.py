# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service as compose would run it: its image, and whether two containers of it can run at once."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..errors import ConfigError
from ..postgres import compose as composing
from ..postgres.compose import Compose, Project
from ..postgres.mounts import Mount


@dataclass(frozen=True)
class Service:
    """One service of a project.

    :param facts: what compose says of it.
    :param secrets: paths of the host by paths in the container: its secrets and configs that are files.
    """

    name: str
    image: str
    config_hash: str
    facts: Mapping[str, Any]
    mounts: tuple[Mount, ...]
    secrets: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """What its containers are given as environment."""
        return composing.environment(self.facts.get("environment"))

    @property
    def replicas(self) -> Optional[int]:
        """How many containers the files ask for; None where they leave it to whoever starts it."""
        told = self.facts.get("scale", (self.facts.get("deploy") or {}).get("replicas"))
        return None if told is None else int(told)

    @property
    def depends_on(self) -> set[str]:
        """The services that have to be there before it."""
        return set(self.facts.get("depends_on") or ())

    def has_healthcheck(self, image: Optional[Mapping[str, Any]]) -> bool:
        """Whether its containers say when they are healthy.

        :param image: what the engine says of its image, which may bring a healthcheck; None if it is not there.
        """
        told = self.facts.get("healthcheck")
        if told is None:
            told = ((image or {}).get("Config") or {}).get("Healthcheck") or {}
        test = told.get("test") or told.get("Test")
        return bool(test) and not told.get("disable") and test not in (["NONE"], "NONE")

    def why_only_one(self) -> list[str]:
        """Why two containers of it cannot run at once, or should not; empty where they can."""
        reasons = []
        if self.facts.get("container_name"):
            reasons.append(f"it has a fixed container name ({self.facts['container_name']})")
        ports = ", ".join(_fixed_ports(self.facts.get("ports") or []))
        if ports:
            reasons.append(f"it publishes a fixed port ({ports})")
        if self.facts.get("network_mode") not in (None, "bridge", "none"):
            reasons.append(f"its network mode is {self.facts['network_mode']}")
        networks = self.facts.get("networks")
        if isinstance(networks, Mapping) and any(
            isinstance(told, Mapping) and (told.get("ipv4_address") or told.get("ipv6_address"))
            for told in networks.values()
        ):
            reasons.append("it has a fixed address")
        shared = [mount.source for mount in self.mounts if mount.writable and mount.kind in ("volume", "bind")]
        if shared:
            reasons.append(f"two would write to the same place ({', '.join(shared)})")
        return reasons


def services(compose: Compose, project: Project) -> dict[str, Service]:
    """All services of a project, in the order in which they depend on each other.

    :raises ConfigError: compose refuses the files.
    """
    told = compose.describe(project)
    found = {
        name: Service(
            name=name,
            image=compose.image(project, name, facts),
            config_hash=told.hashes.get(name, ""),
            facts=facts,
            mounts=tuple(composing.mounts(facts, told.volumes, project)),
            secrets=dict(
                [
                    *_files(facts.get("secrets"), told.secrets, "/run/secrets"),
                    *_files(facts.get("configs"), told.configs, "/"),
                ]
            ),
        )
        for name, facts in told.services.items()
    }
    return {name: found[name] for name in in_order(found)}


def in_order(found: Mapping[str, Service]) -> list[str]:
    """Names of services, each after those that it depends on. Compose has refused circles."""
    ordered: list[str] = []

    def visit(name: str, seen: tuple[str, ...] = ()) -> None:
        if name in ordered or name in seen or name not in found:
            return
        for other in sorted(found[name].depends_on):
            visit(other, (*seen, name))
        ordered.append(name)

    for name in sorted(found):
        visit(name)
    return ordered


def repository_of(reference: str) -> str:
    """An image's name without tag and digest: ``reg:5000/app:2@sha256:…`` → ``reg:5000/app``."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def check_image(reference: str) -> str:
    """See that a name can be one of an image.

    :raises ConfigError: it cannot.
    """
    if not reference or reference.startswith("-") or any(not 32 < ord(letter) < 127 for letter in reference):
        raise ConfigError("deploy", f"image {reference!r}", "that cannot be the name of an image", "Give NAME:TAG.")
    return reference


def _fixed_ports(ports: Any) -> Iterator[str]:
    for port in ports:
        short = "" if isinstance(port, Mapping) else str(port)
        published = str(port.get("published") or "") if not short else short.rpartition(":")[0].rpartition(":")[2]
        if published not in ("", "0"):
            yield published


def _files(entries: Any, told: Mapping[str, Any], below: str) -> Iterator[tuple[str, str]]:
    """Targets and sources of a service's secrets or configs. Those that lie outside of files compose alone can have."""
    for entry in entries or ():
        source, target = (entry, None) if isinstance(entry, str) else (entry.get("source"), entry.get("target"))
        file = (told.get(str(source)) or {}).get("file")
        if file:
            yield posixpath.join(below, str(target or source)), str(file)
