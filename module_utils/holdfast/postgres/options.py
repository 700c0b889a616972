# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be asked of pg_dump, checked before it is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Optional

from ..errors import ConfigError

_NUMBER = re.compile(r"[0-9]{1,3}")
#: Highest level of each algorithm, as pg_dump of PostgreSQL 18 accepts it. Lowest is 1.
_LEVELS = {"gzip": 9, "zstd": 19, "lz4": 12}


@dataclass(frozen=True)
class Compression:
    """A compression as a user asks for it: ``auto``, ``none``, or an algorithm with an optional level."""

    algorithm: str
    level: Optional[int] = None

    @classmethod
    def parse(cls, text: Any) -> Compression:
        """Read ``auto``, ``none``, ``gzip``, ``gzip:1``, ``zstd:3``, ``lz4`` …

        :raises ConfigError: an unknown algorithm, or a level out of its range.
        """
        name, colon, level = str(text).partition(":")
        if name in ("auto", "none") and not colon:
            return cls(name)
        if name in _LEVELS and (not colon or (_NUMBER.fullmatch(level) and 1 <= int(level) <= _LEVELS[name])):
            return cls(name, int(level) if colon else None)
        ranges = ", ".join(f"{known}[:1-{highest}]" for known, highest in _LEVELS.items())
        raise ConfigError(
            "use", f"compression {text!r}", "it is not one that pg_dump knows", f"Give auto, none, or one of {ranges}."
        )

    def __str__(self) -> str:
        return self.algorithm if self.level is None else f"{self.algorithm}:{self.level}"

    def as_option(self) -> str:
        """The argument of pg_dump, in the spelling that every supported version takes.

        ``gzip:1`` is ``1`` and ``none`` is ``0``: releases before 16 know nothing but the level of gzip.
        """
        if self.algorithm == "none":
            return "0"
        if self.algorithm == "gzip":
            return str(self.level or 6)
        return str(self)
