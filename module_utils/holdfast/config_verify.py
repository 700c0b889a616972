# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How backups of a cluster are proved: the ``verify`` object of its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from .config_reader import Reader

LEVELS = ("error", "warning", "ignore")
#: The checks of a drill whose weight an operator may set, and the weight that each has.
WEIGHED = {
    "amcheck": "error", "constraints": "warning", "objects": "warning", "sequences": "warning", "extensions": "error",
    "collation": "warning",
}  # fmt: skip
_MIB = 1 << 20
_LEAST_MEMORY = 512


@dataclass(frozen=True)
class Smoke:
    """A program of the operator's that tries the restored data.

    :param command: run with ``PGHOST``, ``PGPORT``, ``PGUSER`` and ``PGDATABASE`` of the throwaway.
    :param service: the compose service in whose image, with whose environment, it runs; None runs it on the host.
    :param timeout: seconds that it may take.
    """

    command: tuple[str, ...] = ()
    service: Optional[str] = None
    timeout: int = 300


@dataclass(frozen=True)
class VerifyOptions:
    """How drills are carried out.

    :param jobs: parallel connections; None means those of backups.
    :param directory: below which the throwaway server of a host server lies.
    :param memory: bytes that a throwaway in a container may take; None sets no limit.
    :param cpus: processors that it may take; None sets no limit.
    :param checks: directory of the operator's own checks (``*.sql``).
    :param check_timeout: seconds that one of them may take.
    :param levels: for each of the checks of :data:`WEIGHED`, what it weighs.
    :param signing_key: an SSH key that signs the evidence.
    """

    jobs: Optional[int] = None
    directory: Optional[str] = None
    memory: Optional[int] = None
    cpus: Optional[float] = None
    checks: Optional[str] = None
    check_timeout: int = 300
    smoke: Smoke = field(default_factory=Smoke)
    levels: Mapping[str, str] = field(default_factory=lambda: dict(WEIGHED))
    signing_key: Optional[str] = None

    @classmethod
    def from_config(cls, raw: Mapping[str, Any], where: str) -> VerifyOptions:
        """Read the ``verify`` object of a configuration.

        :param where: what to call the configuration in a message.
        :raises ConfigError: an unknown key, or a value of the wrong type or out of range.
        """
        known = set(cls.__dataclass_fields__)
        read = Reader(raw, where, "verify", known)
        memory = read.whole("memory", 0, _LEAST_MEMORY, 1 << 30) if "memory" in read.raw else None
        cpus = read.raw.get("cpus")
        if cpus is not None and (
            isinstance(cpus, bool) or not isinstance(cpus, (int, float)) or not 0.1 <= cpus <= 4096
        ):
            raise read.bad("cpus", "Give a number of processors, at least 0.1.")
        return cls(
            jobs=read.whole("jobs", 1, 1, 1024) if "jobs" in read.raw else None,
            directory=read.directory("directory"),
            memory=memory * _MIB if memory else None,
            cpus=cpus,
            checks=read.directory("checks"),
            check_timeout=read.seconds("check_timeout", 300, 1),
            smoke=_smoke(read.mapping("smoke"), where),
            levels={**WEIGHED, **_levels(read, where)},
            signing_key=read.directory("signing_key"),
        )


def _smoke(raw: Mapping[str, Any], where: str) -> Smoke:
    read = Reader(raw, where, "verify.smoke", set(Smoke.__dataclass_fields__))
    found = Smoke(read.texts("command"), read.text("service"), read.seconds("timeout", 300, 1))
    if raw and not found.command:
        raise read.bad("command", "Give the program and its arguments as a list.")
    return found


def _levels(read: Reader, where: str) -> dict[str, str]:
    levels = Reader(read.mapping("levels"), where, "verify.levels", set(WEIGHED))
    for name, level in levels.raw.items():
        if level not in LEVELS:
            raise levels.bad(name, f"Give one of {', '.join(LEVELS)}.")
    return dict(levels.raw)
