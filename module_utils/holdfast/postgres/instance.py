# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container of a server: stop it, start it, and wait until it takes connections."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..errors import AccessError
from ..system import System
from . import engine
from .access import ContainerAccess

_POLL = 0.3
#: Seconds that a server has to write its last checkpoint.
_GRACE = 120
#: Seconds in which an image makes a new database.
_SETTLE = 60.0
_STARTED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$")


def stop(access: ContainerAccess, system: System, facts: Mapping[str, Any]) -> None:
    """Stop a server's container; one that does not run is no failure.

    :raises AccessError: the engine refuses.
    """
    told = facts.get("Config", {}).get("StopTimeout")
    done = engine.ask(access, system, "stop", "--time", str(told or _GRACE), str(facts["Id"]))
    if done.returncode != 0:
        raise engine.refusal(access, done.last_error, f"See '{access.engine} ps --all' and the engine's log.")


def start(access: ContainerAccess, system: System, facts: Mapping[str, Any]) -> None:
    """Start a server's container.

    :raises AccessError: the engine refuses.
    """
    done = engine.ask(access, system, "start", str(facts["Id"]))
    if done.returncode != 0:
        raise engine.refusal(access, done.last_error, f"See '{access.engine} ps --all' and the engine's log.")


def wait_until_ready(access: ContainerAccess, system: System, facts: Mapping[str, Any], seconds: float) -> None:
    """Wait until a server takes connections, by TCP: while the image makes a new database, it does on the socket only.

    :raises AccessError: it does not, or its container ended.
    """
    ready = ["exec", str(facts["Id"]), "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={access.port}"]
    until = time.monotonic() + seconds
    while engine.ask(access, system, *ready).returncode != 0:
        now = next(iter(engine.inspect(access, system, "container", str(facts["Id"]))), {})
        if not engine.runs(now) or time.monotonic() > until:
            raise AccessError(
                "start", f"the server of container {access.label}", last_lines(access, system, facts) or "it does not answer",
                f"Look at its log ('{access.engine} logs {engine.name(facts)}').",
            )  # fmt: skip
        time.sleep(_POLL)


def let_settle(access: ContainerAccess, system: System, facts: Mapping[str, Any]) -> None:
    """Give a server that was started a moment ago the time to take connections.

    While the image makes a new database, a server of its own answers on the socket, and goes away again.
    """
    # "2026-11-25T15:25:26.123456789Z": nanoseconds, which datetime does not take.
    told = _STARTED.match(str(facts.get("State", {}).get("StartedAt")))
    if told is None:
        return
    started = datetime.fromisoformat(told.group(1) + told.group(2).replace("Z", "+00:00"))
    left = _SETTLE - (system.now() - started).total_seconds()
    if 0 < left <= _SETTLE:
        with contextlib.suppress(AccessError):
            wait_until_ready(access, system, facts, left)


def last_lines(access: ContainerAccess, system: System, facts: Mapping[str, Any], number: int = 4) -> str:
    """The end of a server's log, on one line."""
    log = engine.ask(access, system, "logs", "--tail", str(number), str(facts["Id"]))
    lines = [line.strip() for line in (log.stdout + log.stderr).splitlines() if line.strip()]
    return " | ".join(lines[-number:])[:600]
