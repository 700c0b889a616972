# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One finding of an operation that looks before it leaps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..postgres.place import free_bytes
from ..reporting.text import size

_RESULTS = ("ok", "warning", "error")


@dataclass(frozen=True)
class Check:
    """One finding: ``ok``, ``warning`` or ``error``.

    :param next_step: what to do about it; empty where nothing is to be done, or where the detail says it.
    """

    name: str
    result: str
    detail: str
    next_step: str = ""

    def as_dict(self) -> dict[str, str]:
        """As JSON."""
        return {"check": self.name, "result": self.result, "detail": self.detail, "next_step": self.next_step}


def worst(checks: Iterable[Check]) -> str:
    """The verdict on all of them: the worst result of any."""
    return max((check.result for check in checks), key=_RESULTS.index, default="ok")


def check_space(what: str, where: Path, needed: int, step: str) -> Check:
    """Whether there is room for something.

    :param what: what it is for; ``needed``: bytes; ``step``: what to do where they are missing.
    """
    free = free_bytes(where)
    if free > needed:
        return Check("space", "ok", f"{what}: {size(free)} free in {where}, about {size(needed)} needed")
    missing = size(needed - free)
    return Check("space", "error", f"{what}: {missing} are missing in {where}: {size(free)} free, about {size(needed)} needed", step)  # fmt: skip
