# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured of a cluster, and from when on it is worth a word: the ``monitor`` object of its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from .config_reader import Reader

#: For each threshold of ``holdfast status`` its unit, what is usual, and whether less is worse.
THRESHOLDS: Mapping[str, tuple[str, float, float, bool]] = {
    "repository_free": ("percent", 20, 10, True),
    "volume_free": ("percent", 20, 10, True),
    "connections": ("percent of max_connections", 80, 90, False),
    "backup_age": ("hours, where there is no schedule", 26, 50, False),
    "proven_age": ("days", 10, 21, False),
    "transaction_age": ("minutes", 60, 360, False),
    "lock_wait": ("seconds", 60, 600, False),
    "size_ratio": ("percent of the usual size", 50, 25, True),
}


@dataclass(frozen=True)
class Threshold:
    """From when on a value is a warning, and from when on it is critical.

    :param falling: less is worse.
    """

    warning: float
    critical: float
    falling: bool

    def level(self, value: float) -> str:
        """``ok``, ``warning`` or ``error``."""
        sign = -1 if self.falling else 1
        if sign * value >= sign * self.critical:
            return "error"
        return "warning" if sign * value >= sign * self.warning else "ok"

    def nagios(self) -> str:
        """As perfdata wants it. Source: Monitoring Plugins, "Threshold and Ranges"."""
        end = ":" if self.falling else ""
        return f"{self.warning:g}{end};{self.critical:g}{end}"


@dataclass(frozen=True)
class MonitorOptions:
    """What is measured.

    :param textfile: directory of the node exporter's textfile collector; None writes no metrics.
    :param interval: minutes between two writings of the metrics.
    :param thresholds: by name of :data:`THRESHOLDS`.
    """

    textfile: Optional[str] = None
    interval: int = 5
    thresholds: Mapping[str, Threshold] = field(default_factory=lambda: _thresholds({}, ""))

    @classmethod
    def from_config(cls, raw: Mapping[str, Any], where: str) -> MonitorOptions:
        """Read the ``monitor`` object of a configuration.

        :param where: what to call the configuration in a message.
        :raises ConfigError: an unknown key, a value of the wrong type, or thresholds out of order.
        """
        read = Reader(raw, where, "monitor", set(cls.__dataclass_fields__))
        return cls(
            read.directory("textfile"), read.whole("interval", 5, 1, 30), _thresholds(read.mapping("thresholds"), where)
        )


def _thresholds(raw: Mapping[str, Any], where: str) -> dict[str, Threshold]:
    given = Reader(raw, where, "monitor.thresholds", set(THRESHOLDS))
    found = {}
    for name, (unit, warning, critical, falling) in THRESHOLDS.items():
        one = Reader(given.mapping(name), where, f"monitor.thresholds.{name}", {"warning", "critical"})
        values = {"warning": warning, "critical": critical, **one.raw}
        for key, value in values.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
                raise one.bad(key, f"Give a number of {unit}.")
        chosen = Threshold(float(values["warning"]), float(values["critical"]), falling)
        if chosen.warning == chosen.critical or chosen.level(chosen.warning) != "warning":
            step = "less" if falling else "more"
            raise given.bad(name, f"The thresholds are out of order: critical must be {step} than warning.")
        found[name] = chosen
    return found
