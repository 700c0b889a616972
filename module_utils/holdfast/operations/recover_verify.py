# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at a server that has just been recovered as a drill would, as far as that changes nothing in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config import ClusterConfig
from ..errors import RestoreError
from ..postgres.user_checks import read_checks
from ..reporting.progress import Progress
from ..repository.entry import Entry
from ..repository.store import Repository
from ..system import System
from .context import connect
from .throwaway import Restored
from .verify_checks import Drill
from .verify_plan import Chosen


def verify_recovered(
    config: ClusterConfig,
    entry: Entry,
    databases: list[str],
    repository: Repository,
    system: System,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Check what was recovered from a backup. Its fingerprint was compared before it took its place.

    :param databases: those that were recovered.
    :returns: the outcomes, as in the evidence of a drill.
    :raises RestoreError: a check failed.
    """
    own = read_checks(Path(config.verify.checks)) if config.verify.checks else []
    drill = Drill(config, Chosen(entry, "a recovery"), own, repository, system, progress)
    connected = connect(config, system, repository, "restore")
    try:
        drill.examine_in_place(Restored(None, connected, ""), databases)
    finally:
        connected.server.place.close()
    outcomes = [outcome.as_dict() for outcome in drill.outcomes]
    if drill.failed:
        told = "; ".join(f"{bad.name}: {(bad.findings or [bad.detail])[0]}" for bad in drill.failed)
        raise RestoreError(
            "accept", f"what was restored from {entry.id}", told,
            "Recover from another backup (--backup, or --fallback).", checks=outcomes,
        )  # fmt: skip
    return outcomes


def remarks(outcomes: list[dict[str, Any]]) -> list[str]:
    """What the checks found that is no failure."""
    return [f"{one['check']}: {text}" for one in outcomes if one["verdict"] == "warning" for text in one["findings"]]


def rows_of(restored: Mapping[str, Any]) -> int:
    """How many rows a restore has compared."""
    return sum(int(one["comparison"]["rows"]) for one in restored["databases"])
