# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is to tell, and how telling it ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

KINDS = ("failure", "reminder", "recovery", "test")


@dataclass(frozen=True)
class Ended:
    """How one job of a cluster ended.

    :param job: ``backup``, ``prune``, ``drill`` or another word that stays the same from run to run.
    :param reason: why it failed, one sentence without its full stop. :param next_step: what the operator does now.
    :param details: facts for programs.
    """

    cluster: str
    host: str
    job: str
    success: bool
    reason: str = ""
    next_step: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """Something that people are told.

    :param kind: one of :data:`KINDS`.
    :param title: a few words: ``backup FAILED``.
    :param since: aware; when what is told began. Times are shown in its zone.
    """

    cluster: str
    host: str
    kind: str
    job: str
    title: str
    reason: str
    next_step: str
    since: datetime
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How telling one channel ended.

    :param channel: its name, without anything secret.
    :param reason: why it failed; empty if it did not.
    :param attempts: how often it was tried. :param seconds: how long all of it took.
    """

    channel: str
    ok: bool
    reason: str = ""
    attempts: int = 1
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "channel": self.channel, "ok": self.ok, "reason": self.reason, "attempts": self.attempts,
            "seconds": round(self.seconds, 3),
        }  # fmt: skip


def plain(value: Any, depth: int = 6) -> Any:
    """A value as JSON knows it, whatever it was: no NaN, no half characters, no endless nesting."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth and isinstance(value, Mapping):
        return {text(str(key)): plain(one, depth - 1) for key, one in value.items()}
    if depth and isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one, depth - 1) for one in value]
    return text(str(value))


def text(value: str, most: int = 4000) -> str:
    """Text that every channel can carry: cut to ``most`` characters, and without what no program can be given."""
    clean = value.encode("utf-8", "replace").decode("utf-8").replace("\0", "\\0")
    return clean if len(clean) <= most else clean[: most - 1] + "…"
