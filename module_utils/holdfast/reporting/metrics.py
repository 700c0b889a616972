# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What monitoring reads: a file for the textfile collector of Prometheus' node exporter."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional, Union

from ..errors import RepositoryError

#: What each metric says. Source of the form: Prometheus documentation, "Text format" and "Metric and label naming".
HELP = {
    "build_info": "The Holdfast that wrote these metrics.",
    "metrics_timestamp_seconds": "When these metrics were written.",
    "backup_last_success_timestamp_seconds": "Which instant the newest sound backup of a tier is of.",
    "backup_newest_timestamp_seconds": "Which instant the newest sound backup is of.",
    "backup_newest_duration_seconds": "How long the newest sound backup took.",
    "backup_newest_size_bytes": "How large the newest sound backup is.",
    "backup_newest_size_ratio": "Its size in proportion to the median of those before it.",
    "backups_retained": "Sound backups of a tier that are kept.",
    "backups_state": "Backups in a state.",
    "backup_oldest_timestamp_seconds": "Which instant the oldest sound backup is of.",
    "backups_pruned_total": "Backups that scheduled prunes have removed.",
    "prune_last_timestamp_seconds": "When the last scheduled prune ended.",
    "repository_up": "Whether the repository can be read.",
    "repository_size_bytes": "What all backups take.",
    "repository_filesystem_size_bytes": "Size of the file system of the repository.",
    "repository_filesystem_free_bytes": "What is free of it.",
    "volume_filesystem_size_bytes": "Size of the file system of the data directory.",
    "volume_filesystem_free_bytes": "What is free of it.",
    "drill_last_timestamp_seconds": "When the last drill ended.",
    "drill_success": "Whether the last drill passed.",
    "last_proven_timestamp_seconds": "When a drill last proved a backup.",
    "last_proven_backup_timestamp_seconds": "Which instant the backup that it proved is of.",
    "rto_seconds": "How long that restore took.",
    "rpo_seconds": "How old the backup was when it was proved.",
    "schedule_missed": "Whether a job was due, is not done, and its grace is over.",
    "schedule_due_timestamp_seconds": "When a job was due the last time.",
    "schedule_next_timestamp_seconds": "When a job is due again.",
    "schedule_installed": "Whether cron or systemd has the schedule.",
    "scheduler_up": "Whether cron is alive, or the timer active.",
    "run_last_timestamp_seconds": "When a job's last run ended.",
    "run_last_success": "Whether it succeeded.",
    "run_last_duration_seconds": "How long it took.",
    "run_started_timestamp_seconds": "When the run that is going began.",
    "notification_success": "Whether whoever is to be told could be told the last time.",
    "server_up": "Whether the server answers.",
    "databases_size_bytes": "What all databases take.",
    "wal_size_bytes": "What the write-ahead log takes.",
    "sessions_waiting_for_locks": "Sessions that wait for a lock.",
    "lock_wait_seconds": "How long the longest of them has waited.",
}


@dataclass(frozen=True)
class Sample:
    """One value; None is left out.

    :param name: without ``holdfast_``, one of :data:`HELP`.
    """

    name: str
    value: Union[float, bool, None]
    labels: Mapping[str, str] = field(default_factory=dict)


def write(directory: str, cluster: str, samples: Sequence[Sample]) -> str:
    """Write the metrics of a cluster in one rename: the collector may read at any time.

    :returns: the file.
    :raises RepositoryError: the directory cannot be written to.
    """
    path = os.path.join(directory, f"holdfast_{cluster}.prom")
    try:
        handle, temporary = tempfile.mkstemp(dir=directory, prefix=".holdfast-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text(cluster, samples))
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise RepositoryError(
            "write", f"metrics {path}", str(error.strerror),
            "Make monitor.textfile the node exporter's textfile directory, and writable for this account.",
        ) from error  # fmt: skip
    return path


def text(cluster: str, samples: Sequence[Sample]) -> str:
    """The metrics as text, those of one name together."""
    grouped: dict[str, list[str]] = {}
    for sample in samples:
        value: Optional[float] = None if sample.value is None else float(sample.value)
        if value is not None:
            labels = ",".join(
                f'{name}="{_escaped(told)}"' for name, told in {"cluster": cluster, **sample.labels}.items()
            )
            grouped.setdefault(sample.name, []).append(f"holdfast_{sample.name}{{{labels}}} {value:.15g}")
    lines = []
    for name, values in grouped.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# HELP holdfast_{name} {HELP[name]}", f"# TYPE holdfast_{name} {kind}", *values]
    return "\n".join([*lines, ""])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
