# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which backups stay and which go: a pure planner with a reason for every decision.

It reads no clock and no disk. What the rules mean, and why, is in ``docs/explanation/retention.md``.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import NamedTuple

from ..errors import IntegrityError
from ..system import without_collector
from .periods import DEFAULTS, TIERS, Calendar, RetentionPolicy

__all__ = [
    "DEFAULTS",
    "PITR_WINDOW",
    "TIERS",
    "Candidate",
    "Decision",
    "RetentionPlan",
    "RetentionPolicy",
    "plan",
]

SOUND_STATES = ("complete", "proven")
BROKEN_STATES = ("failed", "corrupt")
PITR_WINDOW = "PITR window"
FUTURE_TOLERANCE = timedelta(minutes=5)
# A clock that lost its battery starts again at 1970, 1980 or 2000: such a time says nothing about age.
EARLIEST = datetime(2001, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Candidate:
    """What the planner needs to know about one backup.

    :param time: of the snapshot, aware.
    :param tiers: names of :data:`TIERS`.
    :param state: one of :data:`SOUND_STATES` or :data:`BROKEN_STATES`.
    :param in_use: something is writing or reading it now.
    :param needed_by: ids of the backups that need it now, or :data:`PITR_WINDOW`.
    :param size: bytes that deleting it would free.
    """

    id: str
    time: datetime
    tiers: tuple[str, ...]
    state: str
    pinned: bool = False
    in_use: bool = False
    needed_by: tuple[str, ...] = ()
    size: int = 0


@dataclass(frozen=True)
class Decision:
    """What happens to one backup, and why: ``rule`` for programs, ``reason`` for people.

    :param action: ``keep`` or ``delete``.
    :param rule: of all that keep it, the one that lasts: ``future``, ``past``, ``unrecognised``, ``pinned``,
        ``in-use``, ``newest-proven``, ``floor``, ``unreplaced``; else the tier, ``failed`` or ``corrupt``;
        else ``needed``. What is deleted is ``expired``.
    """

    id: str
    time: datetime
    action: str
    rule: str
    reason: str
    size: int


@dataclass(frozen=True)
class RetentionPlan:
    """One decision for each backup, in order of time.

    :param next_expiry: from this instant on (UTC) a plan for what is kept would delete something, if no
        backup comes, goes or changes till then; None: never. Future-dated backups are not foreseen.
    """

    decisions: tuple[Decision, ...]
    next_expiry: datetime | None

    @property
    def keep(self) -> tuple[Decision, ...]:
        """What stays, oldest first."""
        return tuple(decision for decision in self.decisions if decision.action == "keep")

    @property
    def delete(self) -> tuple[Decision, ...]:
        """What goes, newest first: a backup goes before the older ones that it needs."""
        return tuple(decision for decision in reversed(self.decisions) if decision.action == "delete")

    @property
    def freed(self) -> int:
        """Bytes that the deletions free."""
        return sum(decision.size for decision in self.delete)


class _Hold(NamedTuple):
    """Why a backup is kept. ``until`` is the last day of it; ``date.max`` if no day ends it."""

    rule: str
    reason: str
    until: date = date.max


class _Entry(NamedTuple):
    """A candidate with its time in UTC; ids are unique, so comparing entries never reaches the candidate."""

    time: datetime
    id: str
    backup: Candidate


@without_collector
def plan(backups: Sequence[Candidate], policy: RetentionPolicy, now: datetime) -> RetentionPlan:
    """Decide for every backup whether it is kept.

    The order of ``backups`` does not matter. The time it takes is linear in their number when they are
    in order of time already.

    :param now: aware.
    :raises IntegrityError: two backups have the same id.
    :raises ValueError: a time is naive.
    """
    now = _utc(now)
    _refuse_duplicates(backups)
    entries = sorted(_Entry(_utc(backup.time), backup.id, backup) for backup in backups)
    calendar = Calendar(policy.zone)
    today = calendar.day(now)

    holds = {entry.id: hold for entry in entries for hold in [_doubt(entry, now)] if hold}
    trusted = [entry for entry in entries if entry.id not in holds]
    floors = _floors(trusted, policy.minimum)
    periods: dict[tuple[date, tuple[str, ...]], _Hold] = {}
    expired: dict[str, str] = {}
    for entry in trusted:
        backup = entry.backup
        names = backup.tiers if backup.state in SOUND_STATES else (backup.state,)
        key = (calendar.day(entry.time), names)
        period = periods.get(key)
        if period is None:  # many backups share a day
            period = periods[key] = _longest(*key, policy, today)
        lasting = _deliberate(backup) or floors.get(entry.id)
        if lasting and period.until >= today:
            holds[entry.id] = lasting._replace(reason=f"{lasting.reason}; {period.reason}")
        elif lasting or period.until >= today:
            holds[entry.id] = lasting or period
        else:
            expired[entry.id] = period.reason
    _hold_what_is_needed(holds, backups)

    decisions = []
    for time, id, backup in entries:
        hold = holds.get(id)
        if hold:
            decisions.append(Decision(id, time, "keep", hold.rule, hold.reason, backup.size))
        else:
            decisions.append(Decision(id, time, "delete", "expired", expired[id], backup.size))
    last = min((hold.until for hold in holds.values()), default=date.max)
    next_expiry = None if last == date.max else calendar.start(last + timedelta(days=1))
    return RetentionPlan(tuple(decisions), next_expiry)


def _doubt(entry: _Entry, now: datetime) -> _Hold | None:
    """Keep what this version cannot judge. None of it counts towards a floor."""
    backup = entry.backup
    if entry.time > now + FUTURE_TOLERANCE:
        return _Hold("future", f"future: {entry.time:%Y-%m-%d %H:%M} UTC is to come, the clock is suspect")
    if entry.time < EARLIEST:
        return _Hold("past", f"past: {entry.time:%Y-%m-%d %H:%M} UTC cannot be true, the clock is suspect")
    if backup.state not in SOUND_STATES + BROKEN_STATES:
        return _Hold("unrecognised", f"not recognised: state {backup.state!r}")
    for tier in backup.tiers:
        if tier not in TIERS:
            return _Hold("unrecognised", f"not recognised: tier {tier!r}")
    if not backup.tiers and backup.state in SOUND_STATES:
        return _Hold("unrecognised", "not recognised: it has no tier")
    return None


def _deliberate(backup: Candidate) -> _Hold | None:
    if backup.pinned:
        return _Hold("pinned", "pinned: kept until it is unpinned")
    if backup.in_use:
        return _Hold("in-use", "in use: something is writing or reading it")
    return None


def _floors(entries: Sequence[_Entry], minimum: int) -> dict[str, _Hold]:
    """What stays whatever its age: by states and order of time alone."""
    # A safety backup holds what a restore found wrong: it fills a floor only where better ones are too few.
    sound = sorted(
        (entry for entry in entries if entry.backup.state in SOUND_STATES),
        key=lambda entry: entry.backup.tiers != ("safety",),
    )
    proven = [entry for entry in sound if entry.backup.state == "proven"]
    # When nothing is proven, the sound ones are the floor; each line overrides the ones above it.
    floors = {entry.id: _Hold("floor", f"floor: among the newest {minimum} sound") for entry in sound[-minimum:]}
    for entry in proven[-minimum:]:
        floors[entry.id] = _Hold("floor", f"floor: among the newest {minimum} proven")
    for entry in proven[-1:]:
        floors[entry.id] = _Hold("newest-proven", "newest proven: the last that is known to restore")
    newest = max((entry.time for entry in sound), default=None)
    for entry in entries:
        if entry.backup.state in BROKEN_STATES and not (newest and newest > entry.time):
            reason = f"{entry.backup.state}: kept until a newer backup is sound"
            floors[entry.id] = _Hold("unreplaced", reason)
    return floors


def _longest(day: date, names: tuple[str, ...], policy: RetentionPolicy, today: date) -> _Hold:
    """The period that keeps a backup of ``day`` longest; when all are over, with the end of each."""
    ends = [(policy.periods[name].last_day(day), name) for name in names]
    until, name = max(ends)
    if until < today:
        return _Hold("expired", "expired: " + "; ".join(_ended(policy, *end) for end in ends), until)
    period = policy.periods[name]
    end = "forever" if period.is_forever else f"until {until} ({period})"
    return _Hold(name, f"{name}: kept {end}", until)


def _ended(policy: RetentionPolicy, end: date, name: str) -> str:
    period = policy.periods[name]
    return f"{name} keeps nothing ({period})" if period.keeps_nothing else f"{name} ended {end}"


def _hold_what_is_needed(holds: dict[str, _Hold], backups: Sequence[Candidate]) -> None:
    """Hold what a held backup needs, and what that needs in turn, as long as the longest-held of them.

    A need from outside the catalogue lasts: what cannot be seen may still be there. A need of a
    backup that is deleted holds nothing.
    """
    needs: dict[str, list[str]] = {}
    for backup in backups:
        for needer in backup.needed_by:
            needs.setdefault(needer, []).append(backup.id)
    outside = needs.keys() - {backup.id for backup in backups} if needs else set()
    untils = dict.fromkeys(outside, date.max)
    untils.update((needer, holds[needer].until) for needer in needs if needer in holds)
    queue = [(-until.toordinal(), needer) for needer, until in untils.items()]
    heapq.heapify(queue)
    while queue:  # longest-held first, so that each has to be passed only once
        rank, needer = heapq.heappop(queue)
        until = date.fromordinal(-rank)
        by = f"by {needer}, which is not in the catalogue" if needer in outside else f"by backup {needer}"
        reason = "needed: by the " + PITR_WINDOW if needer == PITR_WINDOW else f"needed: {by}"
        for id in needs.pop(needer, ()):
            own = holds.get(id)
            if own is None or own.until < until:
                holds[id] = own._replace(until=until) if own else _Hold("needed", reason, until)
                heapq.heappush(queue, (rank, id))


def _refuse_duplicates(backups: Sequence[Candidate]) -> None:
    twice = sorted(id for id, count in Counter(backup.id for backup in backups).items() if count > 1)
    if twice:
        raise IntegrityError(
            "plan retention of",
            f"backups {', '.join(twice)}",
            "the catalogue has each of them more than once",
            "Nothing was deleted. Find the copies below backups/ and move all but one away.",
            ids=twice,
        )


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone")
    return instant.astimezone(timezone.utc)
