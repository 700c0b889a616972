# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell whoever is to be told of a cluster, and remember what was told. Whatever goes wrong here, the job goes on."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from .. import config_notify
from ..config import DEFAULT_DIR, ClusterConfig
from ..config_notify import NotifyOptions
from ..errors import HoldfastError
from ..reporting import notify as notify_reporting
from ..reporting.notify_decide import State, decide, unheard
from ..reporting.notify_event import Ended, Event, Outcome
from ..system import System


def channels_file(config: ClusterConfig) -> Path:
    """``<cluster>.notify``, beside the configuration of the cluster."""
    directory = config.source.parent if config.source is not None else Path(DEFAULT_DIR)
    return directory / f"{config.cluster}.notify"


def host_name() -> str:
    """How this host calls itself."""
    return socket.gethostname()


def tell(config: ClusterConfig, ended: Ended, remembered: Any, system: System) -> tuple[State, list[Outcome]]:
    """Tell how a job ended, if there is something to tell. It raises nothing but an interruption.

    What reached nobody is remembered as not told, and the next run tells it.

    :param remembered: what the last call returned first; anything, None at the beginning.
    :returns: what to remember, and the outcome of every channel: none where there was nothing to tell, or nobody. A
        file of channels that cannot be used is an outcome that failed.
    """
    try:
        options = config_notify.load(channels_file(config))
    except HoldfastError as error:
        # The failure is still to be told once the file is mended.
        state, event = decide(remembered, ended, system.now().astimezone(), NotifyOptions().remind)
        return (unheard(remembered, state, event) if event else state), [_unusable(config, error)]
    state, event = decide(remembered, ended, system.now().astimezone(), options.remind)
    outcomes = notify_reporting.deliver(options, event, system) if event else []
    if event and outcomes and not any(one.ok for one in outcomes):
        state = unheard(remembered, state, event)
    return state, outcomes


def ping(config: ClusterConfig, what: str, system: System, reason: str = "") -> Optional[Outcome]:
    """Ping the dead man's switch of a cluster. It raises nothing but an interruption.

    :param what: ``success``, ``start`` or ``fail``. :param reason: of a failure.
    :returns: None where there is none.
    """
    try:
        options = config_notify.load(channels_file(config))
    except HoldfastError as error:
        return _unusable(config, error)
    return notify_reporting.ping(options, what, system, reason)


def notify(config: ClusterConfig, test: bool, system: System) -> dict[str, Any]:
    """Who is told of a cluster; with ``test``, tell all of them that this is a test.

    The dead man's switch is not pinged: a ping says that a backup succeeded.

    :returns: ``channels``, ``ping`` and, of a test, ``outcomes`` and ``delivered``; nothing secret.
    :raises ConfigError: the file of channels cannot be used.
    """
    path = channels_file(config)
    options = config_notify.load(path)
    outcomes: Sequence[Outcome] = notify_reporting.deliver(options, _test(config, system), system) if test else ()
    return {
        "changed": False,
        "cluster": config.cluster,
        "file": str(path),
        "channels": [one.name for one in options.channels],
        "ping": str(options.ping.url) if options.ping else None,
        "tested": test,
        "outcomes": [one.as_dict() for one in outcomes],
        "delivered": bool(outcomes) and all(one.ok for one in outcomes) if test else None,
    }


def _test(config: ClusterConfig, system: System) -> Event:
    return Event(
        config.cluster, host_name(), "test", "test", "test of the notifications",
        "Somebody asked for a test; nothing is wrong", "There is nothing to do.", system.now().astimezone(),
    )  # fmt: skip


def _unusable(config: ClusterConfig, error: HoldfastError) -> Outcome:
    return Outcome(str(channels_file(config)), False, f"{error.reason}. {error.next_step}", 0)
