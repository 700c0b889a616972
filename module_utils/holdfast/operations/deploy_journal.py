# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the record of a deployment begins with."""

from __future__ import annotations

import socket
from typing import Any

from .. import __version__
from ..config import ClusterConfig
from ..repository.manifest import format_time, new_id
from ..system import System
from .deploy_plan import DeployPlan, DeployRequest
from .journal import somebody


def first_facts(config: ClusterConfig, request: DeployRequest, chosen: DeployPlan, system: System) -> dict[str, Any]:
    """The facts of a deployment that has done nothing yet."""
    began = system.now()
    return {
        "id": new_id(began, "deploy", system.token()), "cluster": config.cluster, "holdfast": __version__,
        "project": chosen.target.project.name, "directory": chosen.target.project.directory,
        "state": "running", "who": request.who or somebody(), "host": socket.gethostname(), "note": request.note,
        "started": format_time(began), "finished": None,
        "from": {change.service.name: change.as_dict()["from"] for change in chosen.changes},
        "to": {change.service.name: change.service.image for change in chosen.changes},
        "backup": None, "migration": None, "services": [], "availability": None, "checks": [],
        "identity": {"before": dict(chosen.identity), "after": None},
        "pins": {"path": str(chosen.target.pins.path), "before": None, "written": False},
        "steps": [], "events": [], "error": None, "next_steps": [],
    }  # fmt: skip
