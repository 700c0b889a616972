# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guard has found so far, and what it was asked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ..errors import ConfigError
from ..postgres.volume import Volume
from .checks import Check, worst


@dataclass(frozen=True)
class Candidate:
    """A compose file that somebody is about to write and to run.

    :param content: the file, as YAML.
    :param project: name of the compose project.
    :param service: the database's service in it.
    :param directory: absolute path of the project's directory, which may not exist yet.
    :param volume: name of the volume that the database's data are to lie on.
    :param recreate: whether the container may be recreated.
    """

    content: str
    project: str
    service: str
    directory: str
    volume: str
    recreate: bool = False


@dataclass(frozen=True)
class GuardRequest:
    """What to look at besides the cluster.

    :param candidate: a compose file to judge before it is used.
    :param identity: an identity taken before, to be compared with.
    :param files: compose files to judge in the place of those that the container was made from.
    :param before_a_change: the look comes before somebody mends the cluster: what the change may well mend, such as a
        server that does not let the account in yet, is a warning. A candidate is such a change.
    """

    candidate: Optional[Candidate] = None
    identity: Optional[Mapping[str, Any]] = None
    files: tuple[str, ...] = ()
    before_a_change: bool = False

    @classmethod
    def from_arguments(
        cls,
        candidate: Optional[Mapping[str, Any]],
        identity: Any,
        files: Sequence[str] = (),
        before_a_change: bool = False,
    ) -> GuardRequest:
        """Read what a caller gave.

        :param candidate: the fields of a `Candidate`.
        :param identity: one that was taken before, or the whole result that it is in.
        :raises ConfigError: an identity that is none.
        """
        judged = Candidate(**candidate) if candidate else None
        if isinstance(identity, Mapping):
            identity = identity.get("identity", identity)
        elif identity is None:
            return cls(judged, None, tuple(files), before_a_change)
        if not isinstance(identity, Mapping) or not {"started_at", "system_identifier"} <= set(identity):
            raise ConfigError(
                "compare",
                "the identity",
                "it is not one that the guard has taken",
                "Give the field identity of an earlier result.",
            )
        return cls(judged, identity, tuple(files), before_a_change)


@dataclass
class Survey:
    """Collects what is found."""

    cluster: str
    checks: list[Check] = field(default_factory=list)
    identity: Optional[dict[str, Any]] = None
    compose: Optional[dict[str, Any]] = None
    server: dict[str, Any] = field(default_factory=dict)
    volume: Optional[Volume] = None
    engine: dict[str, Any] = field(default_factory=lambda: {"present": False, "compose": None})

    def ok(self, name: str, detail: str) -> None:
        """Note something that is as it should be."""
        self.checks.append(Check(name, "ok", detail))

    def warn(self, name: str, detail: str, next_step: str = "") -> None:
        """Note something that somebody should know."""
        self.checks.append(Check(name, "warning", detail, next_step))

    def fail(self, name: str, detail: str, next_step: str) -> None:
        """Note something that must not be."""
        self.checks.append(Check(name, "error", detail, next_step))

    def by_policy(self, level: str, name: str, detail: str, next_step: str) -> None:
        """Note something that weighs as much as the configuration says: ``error``, ``warning`` or ``ignore``."""
        if level == "ignore":
            self.ok(name, f"{detail} (ignored, as guard.{name} says)")
        else:
            self.checks.append(Check(name, level, detail, next_step))

    @property
    def errors(self) -> list[Check]:
        """The checks that found an error."""
        return [check for check in self.checks if check.result == "error"]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "changed": False,
            "cluster": self.cluster,
            "verdict": worst(self.checks),
            "checks": [check.as_dict() for check in self.checks],
            "identity": self.identity,
            "compose": self.compose,
            "server": self.server,
            "volume": self.volume.as_dict() if self.volume else None,
            "engine": self.engine,
            "memory_mb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
        }
