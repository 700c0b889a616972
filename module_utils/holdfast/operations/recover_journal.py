# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the record of a recovery begins with."""

from __future__ import annotations

import socket
from typing import Any

from .. import __version__
from ..config import ClusterConfig
from ..repository.manifest import format_time, new_id
from ..system import System
from .journal import somebody
from .recover_plan import RecoverPlan, RecoverRequest


def first_facts(config: ClusterConfig, request: RecoverRequest, chosen: RecoverPlan, system: System) -> dict[str, Any]:
    """The facts of a recovery that has done nothing yet.

    ``done`` are the steps that need not be done again; ``stopped`` the applications' containers, in the order in which
    they are started again; ``holder`` what the data lie in, ``quarantine`` where the old ones were moved to;
    ``kept_aside`` the same of a single database.
    """
    began = system.now()
    return {
        "id": new_id(began, "recover", system.token()), "cluster": config.cluster, "holdfast": __version__,
        "database": request.database, "state": "running", "who": request.who or somebody(), "note": request.note,
        "host": socket.gethostname(), "started": format_time(began), "finished": None,
        "findings": [check.as_dict() for check in chosen.assessment.checks], "rejected": list(chosen.rejected),
        "done": [], "stopped": [], "safety_backup": None, "holder": None, "quarantine": None, "discarded": None,
        "kept_aside": None, "system_identifier": None, "backup": None, "tried": [], "verdict": None, "rows": None,
        "checks": [], "remarks": [], "health": [], "rto": None, "rpo": None,
        "steps": [], "events": [], "error": None, "next_steps": [],
    }  # fmt: skip
