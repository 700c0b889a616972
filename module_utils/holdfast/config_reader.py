# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the fields of one object of a configuration, with one form of message for what is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional

from .errors import ConfigError


class Reader:
    """Reads the fields of one object.

    :param name: of the object, as it is written in the configuration: ``deploy.health``.
    :param where: what to call the configuration in a message.
    :raises ConfigError: from every method: a key that is not known, a value of the wrong type or out of range.
    """

    def __init__(self, raw: Mapping[str, Any], where: str, name: str, known: set[str]) -> None:
        self.raw = {key: value for key, value in raw.items() if value is not None}
        self.where = where
        self.name = name
        unknown = sorted(set(raw) - known)
        if unknown:
            raise self._error(f"{name} has unknown keys {unknown}", f"Known keys: {', '.join(sorted(known))}.")

    def text(self, key: str) -> Optional[str]:
        value = self.raw.get(key)
        if value is not None and (not isinstance(value, str) or not value or "\0" in value):
            raise self.bad(key, "Give a non-empty string.")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.raw.get(key, [])
        texts = isinstance(value, (list, tuple)) and all(isinstance(one, str) and one for one in value)
        if not texts or any("\0" in one for one in value):
            raise self.bad(key, "Give a list of non-empty strings.")
        return tuple(value)

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.raw.get(key, {})
        if not isinstance(value, Mapping):
            raise self.bad(key, "Give a JSON object.")
        return dict(value)

    def seconds(self, key: str, default: int, least: int = 0) -> int:
        value = self.raw.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 86400:
            raise self.bad(key, f"Give a whole number of seconds from {least} to 86400.")
        return value

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        value = self.raw.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.bad(key, f"Give a whole number from {least} to {most}.")
        return value

    def directory(self, key: str) -> Optional[str]:
        value = self.text(key)
        if value is not None and not os.path.isabs(value):
            raise self.bad(key, "Give an absolute path.")
        return value

    def bad(self, key: str, next_step: str, shown: bool = True) -> ConfigError:
        value = f"{self.raw.get(key)!r}" if shown else "not one that can be used"
        return self._error(f"{self.name}.{key} is {value}", next_step)

    def _error(self, reason: str, next_step: str) -> ConfigError:
        return ConfigError("read", f"configuration {self.where}", reason, next_step)
