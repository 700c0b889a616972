# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said: an event as a mail, as a document, as a chat message and as an alert. Pure functions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime
from typing import Any, Optional

from .notify_event import Event, plain, text
from .text import duration, visible

SCHEMA = 1
#: Source: RFC 5322, 2.1.1: lines of at most 998 characters; RFC 2045: what is not ASCII travels as ASCII.
_POLICY = default.clone(cte_type="7bit")
#: Source: PagerDuty, "Events API v2: Send an alert event".
_PAGERDUTY_SUMMARY, _PAGERDUTY_KEY = 1024, 255
_SEVERITIES = {"failure": "critical", "reminder": "critical", "recovery": "info", "test": "info"}
#: Characters of the details that a document carries; past it they are left out (PagerDuty takes 512 KiB in all).
_MOST_DETAILS = 60_000
#: Source: Slack, "Formatting text for app surfaces": these three, and no others.
_SLACK = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def subject(event: Event, now: datetime) -> str:
    """One line: ``[holdfast] shop: backup FAILED since 02:31``; the day is named unless it is today."""
    line = f"[holdfast] {event.cluster}: {event.title}"
    if event.kind in ("failure", "reminder"):
        today = now.astimezone(event.since.tzinfo).date() == event.since.date()
        line += event.since.strftime(" since %H:%M" if today else " since %Y-%m-%d %H:%M")
    return visible(text(line, 200))


def body(event: Event, now: datetime) -> str:
    """The whole message as plain text."""
    lines = [f"{visible(event.title)}: cluster {visible(event.cluster)} on {visible(event.host)}", ""]
    if event.kind != "test":
        lasted = max(now - event.since, timedelta())
        since = event.since.strftime("%Y-%m-%d %H:%M:%S %z")
        lines.append(f"Since:      {since} ({duration(lasted.total_seconds())} ago)")
    lines += [f"Why:        {_block(event.reason)}"] if event.reason else []
    lines += [f"What to do: {_block(event.next_step)}"] if event.next_step else []
    shown = [f"  {visible(key)}: {_block(_short(value), 4)}" for key, value in _details(event).items()]
    lines += ["", "Details:", *shown] if shown else []
    return "\n".join([*lines, "", f"How it is now: holdfast status --cluster {visible(event.cluster)}", ""])


def mail(event: Event, to: tuple[str, ...], sender: Optional[str], now: datetime) -> bytes:
    """A mail as the sendmail program reads it; no line of an event can become a header."""
    message = EmailMessage(_POLICY)
    message["To"] = ", ".join(to)
    if sender is not None:
        message["From"] = sender
    message["Subject"] = subject(event, now)
    message["Date"] = format_datetime(now)
    # Source: RFC 3834: nobody's holiday is answered to a machine.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body(event, now))
    return message.as_bytes()


def document(event: Event, now: datetime) -> dict[str, Any]:
    """An event for programs: the JSON of a webhook, and what a command reads. Its fields are documented."""
    facts = "\0".join([event.host, event.cluster, event.job, event.kind, event.since.isoformat(), now.isoformat()])
    return {
        "schema": SCHEMA,
        "id": hashlib.sha256(facts.encode("utf-8", "replace")).hexdigest()[:32],
        "kind": event.kind,
        "cluster": text(event.cluster),
        "host": text(event.host),
        "job": text(event.job),
        "title": text(event.title),
        "subject": subject(event, now),
        "reason": text(event.reason),
        "next_step": text(event.next_step),
        "since": event.since.isoformat(),
        "time": now.isoformat(),
        "details": _details(event),
    }


def variables(event: Event, now: datetime) -> dict[str, str]:
    """The environment of a command: ``HOLDFAST_CLUSTER``, ``HOLDFAST_KIND`` and so on."""
    return {f"HOLDFAST_{key.upper()}": str(value) for key, value in document(event, now).items() if key != "details"}


def slack(event: Event, now: datetime) -> dict[str, Any]:
    """An event for Slack and what takes the same (Mattermost, Rocket.Chat, Zulip)."""
    parts = [subject(event, now), f"on {visible(event.host)}: {_block(event.reason)}" if event.reason else "", _block(event.next_step)]  # fmt: skip
    said = text("\n".join(part for part in parts if part), 3000)
    return {"text": "".join(_SLACK.get(character, character) for character in said)}


def pagerduty(event: Event, routing_key: str, now: datetime) -> list[dict[str, Any]]:
    """The requests that tell PagerDuty: one, or for a test a trigger and its resolution, so that no alert is left."""
    base = {"routing_key": routing_key, "dedup_key": dedup_key(event)}
    resolve = {**base, "event_action": "resolve"}
    if event.kind == "recovery":
        return [resolve]
    payload = {
        "summary": text(subject(event, now) + (f": {visible(event.reason)}" if event.reason else ""), _PAGERDUTY_SUMMARY),
        "source": text(event.host, 255) or "unknown",
        "severity": _SEVERITIES[event.kind],
        "timestamp": event.since.isoformat(timespec="seconds"),
        "component": text(event.cluster, 255),
        "group": "holdfast",
        "class": text(event.job, 255),
        "custom_details": {**_details(event), "reason": text(event.reason), "next_step": text(event.next_step)},
    }  # fmt: skip
    trigger = {**base, "event_action": "trigger", "client": "Holdfast", "payload": payload}
    return [trigger, resolve] if event.kind == "test" else [trigger]


def dedup_key(event: Event) -> str:
    """What all messages about one job of one cluster have in common."""
    job = "test" if event.kind == "test" else event.job
    key = f"holdfast/{event.host}/{event.cluster}/{job}"
    return text(key) if len(key) <= _PAGERDUTY_KEY else "holdfast/" + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()  # fmt: skip


def _details(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = plain(event.details)
    size = len(json.dumps(found))
    return found if size <= _MOST_DETAILS else {"left_out": f"{size} characters of details"}


def _short(value: Any) -> str:
    said = json.dumps(value, ensure_ascii=False) if isinstance(value, (Mapping, list)) else str(value)
    return text(said, 500)


def _block(value: str, indent: int = 12) -> str:
    """Text of several lines, each of them visible and set in."""
    return ("\n" + " " * indent).join(visible(line.rstrip()) for line in text(value).splitlines())
