# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether there is something to tell: once when a failure begins, now and then while it lasts, once when it is over.

What is remembered is JSON that the caller keeps: ``{"series": {job: {"since", "told", "reason"}}}``, texts all. Every job has a
series of its own while it fails. What cannot be read is as if it were not there: a failure is told rather twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Optional

from .notify_event import Ended, Event, text
from .text import duration

State = dict[str, Any]
_KEYS = ("since", "told", "reason")
_MOST_REASON = 500


def decide(previous: Any, ended: Ended, now: datetime, remind: timedelta) -> tuple[State, Optional[Event]]:
    """What to remember and what to tell, now that a job has ended.

    :param previous: what was remembered; anything, None at the beginning.
    :param now: aware; times are told in its zone.
    :param remind: how often a failure that lasts is told again; zero tells it once.
    """
    series = _series(previous)
    before = series.pop(ended.job, None)
    since, told = _times(before, now)
    if ended.success:
        if before is None:
            return {"series": series}, None
        reason = f"It had failed for {duration((now - since).total_seconds())}"
        reason += f": {before['reason']}" if before.get("reason") else ""
        return {"series": series}, _event(ended, "recovery", f"{ended.job} works again", reason, "", since)
    kind = None
    if told is None:
        kind = "failure"
    elif remind and now - told >= remind:
        kind = "reminder"
    at = now if kind or told is None else told
    series[ended.job] = {"since": since.isoformat(), "told": at.isoformat(), "reason": text(ended.reason, _MOST_REASON)}
    if kind is None:
        return {"series": series}, None
    title = f"{ended.job} FAILED" if kind == "failure" else f"{ended.job} still FAILED"
    return {"series": series}, _event(ended, kind, title, ended.reason, ended.next_step, since)


def unheard(previous: Any, decided: State, event: Event) -> State:
    """What to remember instead where an event reached nobody: the next run tells it again.

    :param previous: what was remembered before; ``decided``: what :func:`decide` made of it.
    """
    series = _series(decided)
    before = _series(previous).get(event.job)
    if event.kind == "failure" and event.job in series:
        series[event.job].pop("told", None)
    elif before is not None:
        series[event.job] = before
    return {"series": series}


def _event(ended: Ended, kind: str, title: str, reason: str, next_step: str, since: datetime) -> Event:
    return Event(ended.cluster, ended.host, kind, ended.job, title, reason, next_step, since, ended.details)


def _series(state: Any) -> dict[str, dict[str, str]]:
    found = state.get("series") if isinstance(state, Mapping) else None
    if not isinstance(found, Mapping):
        return {}
    return {
        str(job): {key: one[key] for key in _KEYS if isinstance(one.get(key), str)}
        for job, one in found.items()
        if isinstance(one, Mapping)
    }


def _times(before: Optional[Mapping[str, str]], now: datetime) -> tuple[datetime, Optional[datetime]]:
    """Since when a job fails, and when that was last told; neither is ever in the future.

    A clock that was put back would else silence a failure until it has caught up: the time that was told is then taken
    to be now, so that the next reminder is due after the usual time.
    """
    if before is None:
        return now, None
    since, told = _parsed(before.get("since"), now), _parsed(before.get("told"), now)
    return since or told or now, told


def _parsed(value: Any, now: datetime) -> Optional[datetime]:
    try:
        found = datetime.fromisoformat(value)
        return min(found.astimezone(now.tzinfo), now) if found.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError):
        return None
