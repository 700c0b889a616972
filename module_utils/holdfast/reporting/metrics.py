# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What monitoring reads: a file for the textfile collector of Prometheus' node exporter."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..errors import RepositoryError


def write_drills(directory: str, cluster: str, drills: Sequence[Mapping[str, Any]]) -> None:
    """Write the metrics of a cluster's drills, newest first, in one rename: the collector may read at any time.

    :raises RepositoryError: the directory cannot be written to.
    """
    path = os.path.join(directory, f"holdfast_drills_{cluster}.prom")
    try:
        handle, temporary = tempfile.mkstemp(dir=directory, prefix=".holdfast-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(drills_text(cluster, drills))
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise RepositoryError(
            "write", f"metrics {path}", str(error.strerror),
            "Make verify.metrics the node exporter's textfile directory, and writable for this account.",
        ) from error  # fmt: skip


def drills_text(cluster: str, drills: Sequence[Mapping[str, Any]]) -> str:
    """The metrics as text. Source: Prometheus documentation, "Text format"."""
    label = f'{{cluster="{_escaped(cluster)}"}}'
    found: list[tuple[str, str, float]] = []
    if drills:
        last = drills[0]
        found += [
            ("holdfast_drill_last_timestamp_seconds", "When the last drill ended.", _seconds(last["finished"])),
            ("holdfast_drill_success", "Whether the last drill passed.", float(last["verdict"] == "passed")),
        ]
    proved = next((one for one in drills if one["verdict"] == "passed" and one["proven"]), None)
    if proved is not None:
        found += [
            ("holdfast_last_proven_timestamp_seconds", "When a drill last proved a backup.", _seconds(proved["finished"])),
            ("holdfast_last_proven_backup_timestamp_seconds", "Which instant the backup that it proved is of.", _seconds(proved["backup"]["time"])),
            ("holdfast_rto_seconds", "How long that restore took.", proved["rto"]),
            ("holdfast_rpo_seconds", "How old the backup was when it was proved.", proved["rpo"]),
        ]  # fmt: skip
    lines = []
    for name, text, value in found:
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name}{label} {value:.3f}"]
    return "\n".join([*lines, ""])


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
