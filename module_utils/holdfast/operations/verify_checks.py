# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a drill, each with its own verdict and time, in the order of :data:`~.verify_plan.CHECKS`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..config import ClusterConfig
from ..errors import AccessError, HoldfastError, IntegrityError, RestoreError
from ..postgres import compiles, soundness, user_checks
from ..postgres.blame import last_words, machine_error
from ..postgres.compare import compare_cluster
from ..postgres.fingerprint import fingerprint_cluster
from ..postgres.properties import read_properties
from ..postgres.user_checks import UserCheck
from ..reporting.progress import Progress
from ..repository.store import Repository
from ..system import System
from . import load, throwaway
from .throwaway import Restored
from .verify_amcheck import Amcheck
from .verify_plan import CHECKS, Chosen
from .verify_smoke import smoke

_SHOWN = 50
PASSED, WARNING, FAILED, SKIPPED, NOT_REACHED = "passed", "warning", "failed", "skipped", "not_reached"


@dataclass
class Outcome:
    """What one check found.

    :param verdict: ``passed``, ``warning``, ``failed``, ``skipped`` (``detail`` says why) or ``not_reached``.
    :param findings: sentences.
    """

    name: str
    verdict: str
    detail: str = ""
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        more = len(self.findings) - _SHOWN
        shown = [*self.findings[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        return {
            "check": self.name, "title": CHECKS[self.name], "verdict": self.verdict, "detail": self.detail,
            "findings": shown, "seconds": self.seconds,
        }  # fmt: skip


class Drill:
    """One backup under examination.

    :ivar outcomes: of the checks so far; ``comparisons``: by database, what the fingerprint said.
    """

    def __init__(
        self, config: ClusterConfig, chosen: Chosen, own: Sequence[UserCheck], repository: Repository, system: System,
        progress: Progress,
    ) -> None:  # fmt: skip
        self.config = config
        self.options = config.verify
        self.entry = chosen.entry
        self.manifest: Mapping[str, Any] = chosen.entry.known.facts
        self.root: Path = repository.path_of(chosen.entry.id)
        self.own = own
        self.outcomes: list[Outcome] = []
        self.comparisons: dict[str, dict[str, Any]] = {}
        self.jobs = config.verify.jobs or config.backup.jobs
        self._repository = repository
        self._system = system
        self._progress = progress
        self._expected: dict[str, Any] = {}
        self._chosen: list[str] = []
        self._log: Callable[[], str] = str

    def files(self) -> bool:
        """Check the files of the backup; nothing else is worth a look while they are not what they were.

        :returns: whether the drill can go on.
        """
        problems: list[str] = []

        def look() -> Outcome:
            problems.extend(self._repository.verify(self.entry))
            try:
                self._expected = {} if problems else load.read_fingerprint(self.root)
            except IntegrityError as error:
                problems.append(str(error))
            files, size = self.manifest["files"].get("count"), self.manifest["size"]
            told = f"{files} files, {size} bytes" if not problems else f"{len(problems)} files are not as they were"
            return Outcome("checksums", FAILED if problems else PASSED, told, problems)

        self._run("checksums", look)
        return not problems

    def restore(self, restored: Restored) -> bool:
        """Restore everything.

        :returns: whether the drill can go on.
        """

        if restored.copy is not None:
            self._log = restored.copy.log

        def look() -> Outcome:
            try:
                throwaway.fill(
                    restored, self.root, self.manifest, self._expected, self.jobs, self._system, self._progress
                )
            except HoldfastError as error:
                self._blame(error)
                return Outcome("restore", FAILED, f"{error.verb} {error.obj}", [error.reason])
            return Outcome("restore", PASSED, f"{len(restored.databases)} databases, roles and tablespaces, {self.jobs} jobs")  # fmt: skip

        return self._run("restore", look).verdict == PASSED

    def examine(self, restored: Restored, label: str) -> None:
        """All checks of the restored data; none of them keeps the next one from its turn."""
        import psycopg

        try:
            self._data(restored)
        except (HoldfastError, psycopg.Error) as error:
            self._blame(error)
            self.outcomes.append(Outcome("fingerprint", FAILED, "", [" ".join(str(error).split())]))
        per_database: dict[str, Callable[[Restored, str], Outcome]] = {
            "constraints": self._constraints, "objects": self._objects, "sequences": self._sequences,
            "extensions": self._extensions, "collation": self._collation,
        }  # fmt: skip
        for name, look in per_database.items():
            self._run(name, partial(self._everywhere, name, look, restored))
        self._run("own", lambda: self._own(restored))
        self._run("smoke", lambda: self._smoke(restored, label))

    def examine_in_place(self, restored: Restored, databases: Sequence[str]) -> None:
        """The checks that change nothing, of data that are in their own place already."""
        self._chosen = list(databases)
        self._expected = load.read_fingerprint(self.root)
        looks: dict[str, Callable[[Restored, str], Outcome]] = {
            "objects": self._objects, "sequences": self._sequences, "extensions": self._extensions,
        }  # fmt: skip
        for name, look in looks.items():
            self._run(name, partial(self._everywhere, name, look, restored))
        self._run("own", lambda: self._own(restored))
        if self.options.smoke.service is None:
            self._run("smoke", lambda: self._smoke(restored, ""))

    def not_reached(self) -> None:
        """Name the checks that no longer had their turn."""
        done = {one.name for one in self.outcomes}
        self.outcomes += [Outcome(name, NOT_REACHED) for name in CHECKS if name not in done]

    @property
    def failed(self) -> list[Outcome]:
        """The checks that failed."""
        return [one for one in self.outcomes if one.verdict == FAILED]

    @property
    def names(self) -> list[str]:
        """The databases of the backup that are looked at."""
        return self._chosen or [str(one["name"]) for one in self.manifest["databases"]]

    # --- the checks ----------------------------------------------------------------------------------

    def _data(self, restored: Restored) -> None:
        """Fingerprint and amcheck, both at once: amcheck works on while the digests are compared."""
        print_, sound = Outcome("fingerprint", PASSED), Outcome("amcheck", PASSED)
        rows = tables = 0
        print_.findings += compare_cluster(self._expected["cluster"], fingerprint_cluster(restored.server))
        heaps = btrees = others = 0
        for one in self.manifest["databases"]:
            name = str(one["name"])
            self._progress.say(f"looking at {name!r}")
            job = restored.job(self.root / one["path"], name, self._expected["databases"][name], self.jobs)
            checking = Amcheck(restored, name, self.jobs, self._system, self.options.levels["amcheck"])
            began = time.monotonic()
            try:
                found = self.comparisons[name] = load.compare_database(restored.server, job, self._progress, checking.start)  # fmt: skip
                print_.findings += [f"{name}: {text}" for text in found["differences"]]
                rows, tables = rows + found["rows"], tables + found["tables"]
                if found["verdict"] == "not_compared":
                    print_.verdict, print_.detail = SKIPPED, "the backup was taken without a fingerprint"
            except BaseException:
                checking.stop()
                raise
            print_.seconds += time.monotonic() - began
            sound.findings += [f"{name}: {text}" for text in checking.finish()]
            sound.seconds += checking.seconds
            if checking.skipped:
                sound.verdict, sound.detail = SKIPPED, checking.skipped
            elif checking.counts is not None:
                heaps, btrees, others = heaps + checking.counts.heaps, btrees + checking.counts.btrees, others + checking.counts.others  # fmt: skip
        print_.seconds, sound.seconds = round(print_.seconds, 3), round(sound.seconds, 3)
        if print_.findings:
            print_.verdict = FAILED
        if not print_.detail:
            print_.detail = f"{rows} rows in {tables} tables, level {self.manifest['fingerprint']['level']}"
        if sound.findings:
            sound.verdict = self._weight("amcheck")
        if not sound.detail:
            sound.detail = f"{heaps} heaps and {btrees} btree indexes"
            sound.detail += f"; {others} indexes of other kinds were built by the restore, and cannot be read by amcheck" if others else ""  # fmt: skip
        self.outcomes += [print_, sound]

    def _constraints(self, restored: Restored, name: str) -> Outcome:
        with restored.server.connect(name) as connection:
            wrong, odd = soundness.constraints(connection)
        return self._outcome("constraints", wrong, odd)

    def _objects(self, restored: Restored, name: str) -> Outcome:
        with restored.server.connect(name) as connection:
            looked, broken = compiles.broken(connection)
        return self._outcome("objects", broken, detail=f"{looked} views and functions")

    def _sequences(self, restored: Restored, name: str) -> Outcome:
        with restored.server.connect(name) as connection:
            looked, behind = soundness.sequences(connection)
        return self._outcome("sequences", behind, detail=f"{looked} sequences of columns")

    def _extensions(self, restored: Restored, name: str) -> Outcome:
        with restored.server.connect(name) as connection:
            missing, other = soundness.extensions(connection, self._expected["databases"][name]["extensions"])
        return self._outcome("extensions", missing, other)

    def _collation(self, restored: Restored, name: str) -> Outcome:
        with restored.server.connect(name) as connection:
            expected = self._expected["databases"][name]["properties"]
            said = soundness.collations(connection, expected, read_properties(connection))
        return self._outcome("collation", said)

    def _own(self, restored: Restored) -> Outcome:
        if not self.own:
            return Outcome("own", SKIPPED, "there are none (verify.checks)")
        known = {None, *(one["name"] for one in self.manifest["databases"])}
        findings = [f"{one.name}: the backup has no database {one.database!r}" for one in self.own if one.database not in known]  # fmt: skip
        asked = 0
        for name in self.names:
            with restored.server.connect(name) as connection:
                for check in self.own:
                    if check.database in (None, name):
                        asked += 1
                        reason = user_checks.ask(connection, check, self.manifest["time"], self.options.check_timeout)
                        findings += [f"{name}: {check.title} ({check.name}): {reason}"] if reason else []
        return Outcome("own", FAILED if findings else PASSED, f"{asked} checks were asked", findings)

    def _smoke(self, restored: Restored, label: str) -> Outcome:
        options = self.options.smoke
        if not options.command:
            return Outcome("smoke", SKIPPED, "there is none (verify.smoke)")
        database = next((name for name in self.names if name != "postgres"), self.names[0])
        reason = smoke(self.config, restored, database, label, self._system)
        where = f" in service {options.service}" if options.service else ""
        return Outcome(
            "smoke", FAILED if reason else PASSED, f"{options.command[0]}{where}", [reason] if reason else []
        )

    # --- inside --------------------------------------------------------------------------------------

    def _everywhere(self, name: str, look: Callable[[Restored, str], Outcome], restored: Restored) -> Outcome:
        """One check in every database; the worst verdict counts."""
        if self._weight(name) == SKIPPED:
            return Outcome(name, SKIPPED, f"as configured (verify.levels.{name})")
        order = (PASSED, WARNING, FAILED)
        merged, details = Outcome(name, PASSED), []
        for database in self.names:
            one = look(restored, database)
            merged.findings += [f"{database}: {text}" for text in one.findings]
            merged.verdict = max(merged.verdict, one.verdict, key=order.index)
            details += [f"{database}: {one.detail}"] if one.detail else []
        merged.detail = "; ".join(details)
        return merged

    def _outcome(self, name: str, wrong: Sequence[str], odd: Sequence[str] = (), detail: str = "") -> Outcome:
        verdict = self._weight(name) if wrong else WARNING if odd else PASSED
        return Outcome(name, verdict, detail, [*wrong, *odd])

    def _weight(self, name: str) -> str:
        return {"error": FAILED, "warning": WARNING, "ignore": SKIPPED}[self.options.levels[name]]

    def _run(self, name: str, look: Callable[[], Outcome]) -> Outcome:
        """One check, with its time. What the server refuses is a finding; that it is gone, or has no room, is none.

        :raises AccessError: the check could not be carried out.
        """
        import psycopg

        self._progress.say(f"checking that {CHECKS[name]}")
        began = time.monotonic()
        try:
            outcome = look()
        except (HoldfastError, psycopg.Error) as error:
            self._blame(error)
            outcome = Outcome(name, FAILED, "", [" ".join(str(error).split())])
        outcome.seconds = round(time.monotonic() - began, 3)
        self.outcomes.append(outcome)
        return outcome

    def _blame(self, error: Exception) -> None:
        """Leave the drill where the machine failed: that says nothing about the backup.

        :raises HoldfastError: it did.
        """
        if isinstance(error, HoldfastError) and not isinstance(error, RestoreError):
            raise error
        told = error.details.get("machine") if isinstance(error, RestoreError) else machine_error(error)
        if told:
            reason = error.reason if isinstance(error, HoldfastError) else " ".join(str(error).split())
            words = last_words(self._log())
            raise AccessError(
                "carry out", f"the drill of backup {self.entry.id}", f"{reason}; its server said: {words}" if words else reason,
                "It says nothing about the backup, which is as it was. Mend what it says, and run this again.",
            ) from error  # fmt: skip
