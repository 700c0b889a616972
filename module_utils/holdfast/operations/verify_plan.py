# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan drills: of which backups, why of these, and everything that could stop them. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from ..config import ClusterConfig
from ..errors import ConfigError, IntegrityError, NotFoundError, PreflightError
from ..postgres.user_checks import UserCheck, read_checks
from ..reporting.text import duration
from ..repository.entry import Entry
from ..repository.store import Repository
from ..system import System
from .catalogue import select, time_of
from .checks import Check, check_space
from .context import explained, open_repository, reach
from .throwaway import place_of

#: What ``backup`` may be besides an id.
NEWEST_UNPROVEN, LATEST = "newest_unproven", "latest"
_SPACE_FACTOR = 1.2
_THROWAWAY_BYTES = 1 << 30
#: The checks of a drill, in their order.
CHECKS = {
    "checksums": "every file of the backup fits its checksum",
    "restore": "it restores without any SQL error",
    "fingerprint": "the restored data have the fingerprint of the backup",
    "amcheck": "every heap and index is sound (pg_amcheck)",
    "constraints": "every constraint holds",
    "objects": "every view and function body compiles",
    "sequences": "every sequence is ahead of its column",
    "extensions": "every extension is there, at its version",
    "collation": "the collations are at the versions of the backup",
    "own": "the operator's own checks hold",
    "smoke": "the operator's smoke command succeeds",
}


@dataclass(frozen=True)
class VerifyRequest:
    """What is asked for.

    :param backup: an id, ``newest_unproven`` or ``latest``.
    :param sample: instead, so many backups: those that no drill has looked at for the longest time.
    :param who: who asks; empty means the account that runs this.
    :param wait: seconds to wait for another drill to end.
    """

    backup: str = NEWEST_UNPROVEN
    sample: Optional[int] = None
    who: str = ""
    note: str = ""
    wait: float = 0.0


@dataclass(frozen=True)
class Chosen:
    """One backup that is drilled, and why this one."""

    entry: Entry
    why: str


@dataclass(frozen=True)
class VerifyPlan:
    """What a run will do, and what was looked at."""

    chosen: tuple[Chosen, ...]
    own: tuple[UserCheck, ...]
    checks: tuple[Check, ...]
    skipped: tuple[str, ...]

    @property
    def feasible(self) -> bool:
        """Whether no check found an error."""
        return not any(check.result == "error" for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON, for check mode and ``--dry-run``."""
        return {
            "backups": [{"id": one.entry.id, "why": one.why} for one in self.chosen],
            "feasible": self.feasible,
            "checks": [check.as_dict() for check in self.checks],
            "steps": [f"{name}: {text}" for name, text in CHECKS.items() if name not in self.skipped],
        }


@explained("verify")
def plan(config: ClusterConfig, request: VerifyRequest, system: System) -> VerifyPlan:
    """Decide which backups are drilled, and look at everything that could stop it.

    :raises NotFoundError: there is none.
    :raises HoldfastError: the repository or the server cannot be reached.
    """
    return plan_with(config, request, open_repository(config), system)


def plan_with(config: ClusterConfig, request: VerifyRequest, repository: Repository, system: System) -> VerifyPlan:
    """The plan for a repository that is at hand already.

    :raises NotFoundError: there is no such backup.
    """
    chosen = _choose(config, request, repository.entries(), system)
    options = config.verify
    own = tuple(read_checks(Path(options.checks))) if options.checks else ()
    server = reach(config, system, repository, "drill")
    try:
        checks = [_version(one.entry, server.facts.major) for one in chosen]
    finally:
        server.place.close()
    where, step = place_of(config, options.directory, system)
    if where is not None:
        total = max(sum(d.get("database_size") or 0 for d in one.entry.known.facts["databases"]) for one in chosen)
        checks.append(check_space("drill", where, int(total * _SPACE_FACTOR) + _THROWAWAY_BYTES, step))
    skipped = [name for name, level in options.levels.items() if level == "ignore"]
    skipped += [] if own else ["own"]
    skipped += [] if options.smoke.command else ["smoke"]
    return VerifyPlan(tuple(chosen), own, tuple(checks), tuple(skipped))


def require_feasible(chosen: VerifyPlan) -> None:
    """Refuse what cannot be carried out.

    :raises PreflightError: naming all that is in the way.
    """
    errors = [check for check in chosen.checks if check.result == "error"]
    if errors:
        raise PreflightError(
            "verify", ", ".join(one.entry.id for one in chosen.chosen),
            "; ".join(check.detail for check in errors),
            " ".join(dict.fromkeys(check.next_step for check in errors if check.next_step)),
            checks=[check.as_dict() for check in chosen.checks],
        )  # fmt: skip


def last_drill(entry: Entry) -> str:
    """When a drill last looked at a backup, as text that sorts; empty if none has."""
    return str(entry.marks.get("drill", {}).get("time", ""))


def _choose(config: ClusterConfig, request: VerifyRequest, entries: Sequence[Entry], system: System) -> list[Chosen]:
    usable = [entry for entry in entries if entry.sound and not entry.of_something_wrong]
    usable.sort(key=lambda entry: (time_of(entry), entry.id), reverse=True)
    if request.sample is not None:
        if request.sample < 1:
            raise ConfigError("verify", f"{request.sample} backups", "that is none", "Give a sample of at least 1.")
        # Sorting keeps the order of equals, so of those that were never drilled the newest come first.
        found = sorted(usable, key=last_drill)[: request.sample]
        chosen = [Chosen(entry, _told(entry, system)) for entry in found]
    elif request.backup == NEWEST_UNPROVEN:
        unproven = [entry for entry in usable if entry.state != "proven"]
        if unproven:
            chosen = [Chosen(unproven[0], "the newest that is not proven")]
        else:
            chosen = [
                Chosen(one, f"all are proven; {_told(one, system)}") for one in sorted(usable, key=last_drill)[:1]
            ]
    elif request.backup == LATEST:
        chosen = [Chosen(entry, "the newest") for entry in usable[:1]]
    else:
        named = select(config, entries, request.backup, None, None)
        chosen = [Chosen(named, "asked for")]
    if not chosen:
        raise NotFoundError(
            "verify", f"a backup of cluster {config.cluster}", "there is no sound one", "Take one (holdfast backup)."
        )
    for one in chosen:
        if not one.entry.known.facts["databases"]:
            raise IntegrityError(
                "verify", f"backup {one.entry.id}", "it holds no database", "Verify another one (holdfast list)."
            )
    return chosen


def _told(entry: Entry, system: System) -> str:
    marked = entry.marks.get("drill", {}).get("time")
    if marked is None:
        return "no drill has looked at it yet"
    from ..repository.manifest import parse_time

    age = duration((system.now() - parse_time(marked)).total_seconds())
    return f"no drill has looked at it for {age}, longer than at any other"


def _version(entry: Entry, major: int) -> Check:
    was = entry.known.facts["server"]["version_num"] // 10000
    text = f"{entry.id} is of PostgreSQL {was}, the server and so its throwaway is {major}"
    if was > major:
        return Check("version", "error", f"{text}: a dump does not go back", "Verify it beside a newer server.")
    return Check("version", "ok" if was == major else "warning", text)
