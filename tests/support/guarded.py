# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guard says of a cluster, check by check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.clusters import Cluster

GUARD_ERROR = 12


@dataclass(frozen=True)
class Guarded:
    """A result of the guard, whether it found an error or not."""

    result: dict[str, Any]
    returncode: int
    said: str

    def check(self, name: str) -> tuple[str, str]:
        """The result and the detail of the worst check of a name."""
        found = [one for one in self.result["checks"] if one["check"] == name]
        assert found, f"no check {name}: {self.result['checks']}"
        worst = max(found, key=lambda one: ("ok", "warning", "error").index(one["result"]))
        return worst["result"], worst["detail"]

    @property
    def errors(self) -> set[str]:
        """The names of the checks that found an error."""
        return {one["check"] for one in self.result["checks"] if one["result"] == "error"}


def guarded(cluster: Cluster, *arguments: str) -> Guarded:
    """Runs `holdfast guard`; a failure that is not the guard's own is one of the test."""
    done = cluster.holdfast("guard", "--json", *arguments)
    assert done.returncode in (0, GUARD_ERROR), done.stderr
    result = done.json if done.returncode == 0 else done.json["details"]
    assert (done.returncode == GUARD_ERROR) == (result["verdict"] == "error")
    return Guarded(result, done.returncode, done.stderr)
