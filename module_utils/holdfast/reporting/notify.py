# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell: an event to every channel, and a dead man's switch that all is well. Neither ever raises, or takes for ever."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Optional

from ..system import System
from . import notify_message
from .notify_channels import Channel, CommandChannel, EmailChannel, PagerDutyChannel, WebhookChannel
from .notify_event import Event, Outcome, text
from .notify_http import Request, Sent, limit, send
from .notify_program import run_command, send_mail

if TYPE_CHECKING:
    from ..config_notify import NotifyOptions

_JSON = {"Content-Type": "application/json"}
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}
#: Bytes of a reason. Source: healthchecks, "Pinging API": at least 10 kB are kept.
_MOST_REASON = 10_000
PINGS = ("success", "start", "fail")


def deliver(options: NotifyOptions, event: Event, system: System) -> list[Outcome]:
    """Tell every channel, one after the other. What fails is in the outcomes; nothing but an interruption is raised.

    One channel takes at most ``timeout * attempts`` and the pauses between them (1, 2, 4, then 8 s), a program its
    ``timeout`` and the 2 s that it has to end.
    """
    now = system.now().astimezone(event.since.tzinfo)
    return [_bounded(one.name, partial(_tell, one, event, now, options, system)) for one in options.channels]


def ping(options: NotifyOptions, what: str, system: System, reason: str = "") -> Optional[Outcome]:
    """Ping the dead man's switch, as healthchecks wants it: GET the address on success, POST below it otherwise.

    A start is tried once: a backup does not wait for it.

    :param what: one of :data:`PINGS`. :param reason: of a failure, sent as the body.
    :returns: None where there is nothing to ping.
    """
    chosen = options.ping
    if chosen is None or (what == "start" and not chosen.start) or (what == "fail" and not chosen.fail):
        return None
    if what == "success":
        request = Request(chosen.url)
    else:
        body = text(reason, _MOST_REASON).encode("utf-8")[:_MOST_REASON]
        request = Request(chosen.url.below(what), "POST", body, _TEXT)
    attempts = 1 if what == "start" else options.attempts
    return _bounded(f"ping {chosen.url}", partial(send, request, options.timeout, attempts))


def _bounded(name: str, tell: Callable[[], Sent]) -> Outcome:
    began = time.monotonic()
    try:
        sent = tell()
    except Exception as error:
        # Its words are not shown: they could hold a secret.
        sent = Sent(False, f"it could not be told ({type(error).__name__})", 1)
    return Outcome(name, sent.ok, sent.reason, sent.attempts, time.monotonic() - began)


def _tell(channel: Channel, event: Event, now: datetime, options: NotifyOptions, system: System) -> Sent:
    if isinstance(channel, EmailChannel):
        return _once(send_mail(channel, event, now, options.timeout, system))
    if isinstance(channel, CommandChannel):
        return _once(run_command(channel, event, now, options.timeout, system))
    if isinstance(channel, PagerDutyChannel):
        return _tell_pagerduty(channel, event, now, options)
    return _tell_webhook(channel, event, now, options)


def _tell_webhook(channel: WebhookChannel, event: Event, now: datetime, options: NotifyOptions) -> Sent:
    said = (notify_message.slack if channel.format == "slack" else notify_message.document)(event, now)
    request = Request(channel.url, "POST", _body(said), {**_JSON, **channel.headers})
    return send(request, options.timeout, options.attempts)


def _tell_pagerduty(channel: PagerDutyChannel, event: Event, now: datetime, options: NotifyOptions) -> Sent:
    """A test takes two requests, within the time of one."""
    until = time.monotonic() + limit(options.timeout, options.attempts)
    sent = Sent(True, "", 0)
    for one in notify_message.pagerduty(event, channel.routing_key, now):
        left = until - time.monotonic()
        attempts = next((n for n in range(options.attempts, 0, -1) if limit(options.timeout, n) <= left), 1)
        request = Request(channel.url, "POST", _body(one), _JSON)
        sent = send(request, min(options.timeout, max(left, 0.1)), attempts)
        if not sent.ok:
            break
    return sent


def _once(reason: str) -> Sent:
    return Sent(not reason, reason, 1)


def _body(said: Any) -> bytes:
    return json.dumps(said).encode("ascii")
