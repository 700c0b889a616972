# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a lost or damaged database back, step by step; every step is on disk before the next.

assess → stop the applications → safety backup → put the old data aside → a new server in their place → restore →
verify → start the applications. What fails puts back what was there. Whoever is interrupted goes on where he was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Optional

from ..config import ClusterConfig
from ..errors import HoldfastError, NotFoundError, RestoreError
from ..postgres import engine, instance
from ..postgres.access import AccessConfig, ContainerAccess
from ..postgres.quarantine import Holder, is_empty, move, place_for
from ..reporting.progress import Progress
from ..reporting.show_recover import record_text
from ..repository.entry import Entry
from ..repository.manifest import parse_time
from ..repository.records import Recoveries
from ..repository.store import Repository
from ..system import System
from .backup import BackupRequest, backup, override
from .catalogue import time_of
from .context import explained, open_repository
from .deploy_health import ask_health
from .journal import Journal
from .recover_journal import first_facts
from .recover_plan import RecoverPlan, RecoverRequest, container_access, plan_with, require_feasible
from .recover_server import drop_everything, reach_as_superuser
from .recover_services import start_services, stop_services
from .recover_verify import remarks, rows_of, verify_recovered
from .restore import restore
from .restore_plan import RestoreRequest

_READY_SECONDS = 600


@explained("recover")
def recover(config: ClusterConfig, request: RecoverRequest, system: System, progress: Progress) -> dict[str, Any]:
    """Recover, or go on with a recovery that was interrupted.

    :returns: ``changed`` and the record (``recovery``).
    :raises PreflightError: refused; nothing was touched.
    :raises RestoreError: it failed; its record says what was put back.
    """
    repository = open_repository(config)
    records = Recoveries(repository.path, repository.owner)
    with records.lock(request.wait):
        chosen = plan_with(config, request, repository, system)
        require_feasible(config, request, chosen)
        facts = dict(chosen.unfinished) if chosen.unfinished else first_facts(config, request, chosen, system)
        facts.update(state="running", error=None)
        journal = Journal(facts, records, record_text, system, progress)
        if chosen.unfinished:
            journal.tell(f"going on with recovery {facts['id']}; done so far: {', '.join(facts['done']) or 'nothing'}")
        _Run(config, request, chosen, repository, journal, system, progress).all()
    return {"changed": True, "recovery": journal.facts}


@explained("list the recoveries")
def recoveries(config: ClusterConfig, record_id: Optional[str] = None) -> dict[str, Any]:
    """The records that are there, newest first.

    :param record_id: only this one.
    :raises NotFoundError: there is no such record.
    """
    repository = open_repository(config)
    records = Recoveries(repository.path, repository.owner)
    ids = list(reversed(records.ids()))
    if record_id is not None and record_id not in ids:
        raise NotFoundError("find", f"recovery {record_id}", "there is no record of it", "See 'holdfast recoveries'.")
    return {"cluster": config.cluster, "recoveries": [records.read(one) for one in ([record_id] if record_id else ids)]}


class _Run:
    def __init__(
        self, config: ClusterConfig, request: RecoverRequest, chosen: RecoverPlan, repository: Repository,
        journal: Journal, system: System, progress: Progress,
    ) -> None:  # fmt: skip
        self.config = config
        self.request = request
        self.chosen = chosen
        self.repository = repository
        self.journal = journal
        self.facts = journal.facts
        self.system = system
        self.progress = progress

    def all(self) -> None:
        """Every step that is not done yet."""
        try:
            self._step("stop", self._stop)
            if self.request.database is None:
                self._step("safety", self._safety)
                self._step("aside", self._aside)
                self._step("fresh", self._fresh)
            self._step("restore", self._restore)
        except HoldfastError as error:
            self._fail(error)
        except BaseException:
            self.journal.end("interrupted")
            raise
        self._finish()

    def _step(self, name: str, action: Callable[[], None]) -> None:
        if name in self.facts["done"]:
            return
        with self.journal.step(name):
            action()
        self.facts["done"].append(name)
        self.journal.save()

    def _stop(self) -> None:
        if isinstance(self.config.access, ContainerAccess):
            running = [one for one in self.chosen.assessment.services if one.runs]
            stop_services(self.config.access, running, self.journal, self.system)

    def _safety(self) -> None:
        if not self.request.safety_backup or self.chosen.assessment.server is None:
            return
        options = override(self.config.backup, databases=[], exclude_table_data=[])
        wanted = BackupRequest(("safety",), options=options, note=f"before recovery {self.facts['id']}")
        try:
            taken = backup(self.config, wanted, self.system, self.progress)
            self.facts["safety_backup"] = taken["backup"]["id"]
        except HoldfastError as error:
            # What is broken may not let itself be backed up; it is put aside as a whole all the same.
            self.journal.tell(f"no safety backup: {error.reason}")

    def _aside(self) -> None:
        access, holder = container_access(self.config), self._holder()
        if self.facts["quarantine"] is None:
            stamp = f"{parse_time(self.facts['started']):%Y%m%dt%H%M%S}"
            self.facts["quarantine"] = place_for(holder, "quarantine", stamp).as_dict()
            self.facts["holder"] = holder.as_dict()
            self.journal.save()
        aside = Holder.from_dict(self.facts["quarantine"])
        instance.stop(access, self.system, self._container())
        if is_empty(holder) and is_empty(aside):
            self.facts["quarantine"] = None
            self.journal.tell(f"{holder.kind} {holder.name} is empty: there is nothing to put aside")
            return
        move(access, self.system, holder, aside, self.config.cluster)
        self.journal.tell(f"moved what was in {holder.kind} {holder.name} to {aside.name}")

    def _fresh(self) -> None:
        access, holder = container_access(self.config), self._holder()
        instance.stop(access, self.system, self._container())
        if not is_empty(holder):
            # An earlier run was interrupted while the new server was made.
            partial = place_for(holder, "partial", f"{self.system.now():%Y%m%dt%H%M%S}")
            move(access, self.system, holder, partial, self.config.cluster)
        instance.start(access, self.system, self._container())
        instance.wait_until_ready(access, self.system, self._container(), _READY_SECONDS)
        server = reach_as_superuser(self.config, self._superuser(), self.repository, self.system)
        self.facts["system_identifier"] = server.facts.system_identifier
        self.journal.tell(f"a new server runs in {engine.name(self._container())}")

    def _restore(self) -> None:
        """Restore and verify the first of the backups that is good for it."""
        entries = list(self.chosen.candidates)
        for count, entry in enumerate(entries):
            try:
                self._restore_one(entry)
                return
            except HoldfastError as error:
                self.facts["tried"].append({"backup": entry.id, "reason": error.reason})
                if not self.request.fallback or count + 1 == len(entries):
                    raise
                self.journal.tell(f"{entry.id} did not do: {error.reason}; trying {entries[count + 1].id}")

    def _restore_one(self, entry: Entry) -> None:
        database = self.request.database
        if database is None:
            config = replace(self.config, access=self._superuser())
            drop_everything(config, str(self.facts["system_identifier"]), self.repository, self.system)
            wanted = RestoreRequest(backup=entry.id, mode="whole_cluster", confirm=self.config.cluster)
        else:
            config = self.config
            wanted = RestoreRequest(
                backup=entry.id, mode="in_place", database=database, confirm=database,
                safety_backup=self.request.safety_backup,
            )  # fmt: skip
        restored = restore(config, wanted, self.system, self.progress)
        names = [str(one["database"]) for one in restored["databases"]]
        self.facts.update(
            backup=entry.id, verdict=restored["verdict"], rows=rows_of(restored),
            rpo=round((parse_time(self.facts["started"]) - time_of(entry)).total_seconds(), 3),
        )  # fmt: skip
        if database is not None:
            self.facts["safety_backup"] = restored["safety_backup"]
            self.facts["kept_aside"] = {"name": database, "aside": restored["databases"][0]["kept_aside_as"]}
        self.journal.tell(f"restored {len(names)} databases from {entry.id}: {restored['verdict']}")
        with self.journal.step("verify"):
            checks = verify_recovered(config, entry, names, self.repository, self.system, self.progress)
        self.facts["checks"] = checks
        self.facts["remarks"] = remarks(checks)

    def _finish(self) -> None:
        """The data are back: what fails from here on is said, and undoes nothing."""
        try:
            with self.journal.step("restart"):
                if isinstance(self.config.access, ContainerAccess):
                    start_services(self.config, self.journal, self.system)
                self.facts["health"] = ask_health(self.config, self.config.deploy.health, self.repository, self.system)
        except HoldfastError as error:
            self.facts["error"] = str(error)
            self._end("recovered")
            raise RestoreError(
                "start", "the applications again", error.reason,
                f"The data are back (recovery {self.facts['id']}): mend the applications, they need no other recovery.",
                recovery=self.facts,
            ) from error  # fmt: skip
        except BaseException:
            self.journal.end("interrupted")
            raise
        self._end("recovered")

    def _end(self, state: str) -> None:
        began = parse_time(self.facts["started"])
        self.facts["rto"] = round((self.system.now() - began).total_seconds(), 3)
        self.facts["next_steps"] = self._next_steps(state)
        self.journal.end(state)

    def _next_steps(self, state: str) -> list[str]:
        steps = []
        cluster = self.config.cluster
        if state == "recovered":
            aside = self.facts["quarantine"] or self.facts["kept_aside"]
            if aside and aside["name"]:
                steps.append(
                    f"what was there before is kept: {self._kept()}. To go back: holdfast recover --rollback --cluster {cluster}"
                    " (playbooks/disaster-recovery.yml -e rollback=true). Remove it only when nobody misses anything."
                )
            steps += [f"take a backup now: holdfast backup --cluster {cluster}", "find out what has happened, before it happens again"]  # fmt: skip
        return steps

    def _kept(self) -> str:
        if self.facts["quarantine"]:
            return f"{self.facts['quarantine']['kind']} {self.facts['quarantine']['name']}"
        return f"database {self.facts['kept_aside']['aside']}"

    def _fail(self, error: HoldfastError) -> None:
        """Put back what was there, and say so.

        :raises RestoreError: always.
        """
        self.facts["error"] = str(error)
        told = "nothing of the data was touched"
        try:
            if self.facts["quarantine"] and "aside" in self.facts["done"]:
                told = self._put_back()
            if isinstance(self.config.access, ContainerAccess):
                start_services(self.config, self.journal, self.system)
        except HoldfastError as second:
            self.facts["error"] += f" Then: {second}"
            self.journal.end("interrupted")
            raise RestoreError(
                "recover", f"cluster {self.config.cluster}", f"{error.reason}; and what was there could not be put back: {second.reason}",
                f"Nothing is lost: see 'holdfast recoveries {self.facts['id']}' for where everything is; run this again.",
                recovery=self.facts,
            ) from second  # fmt: skip
        self.facts["next_steps"] = [error.next_step]
        self._end("failed")
        raise RestoreError(
            "recover", f"cluster {self.config.cluster}", f"{error.reason}; {told}", error.next_step, recovery=self.facts
        ) from error

    def _put_back(self) -> str:
        access, holder = container_access(self.config), self._holder()
        instance.stop(access, self.system, self._container())
        if not is_empty(holder):
            failed = place_for(holder, "failed", f"{self.system.now():%Y%m%dt%H%M%S}")
            move(access, self.system, holder, failed, self.config.cluster)
            self.facts["discarded"] = failed.as_dict()
        aside = Holder.from_dict(self.facts["quarantine"])
        move(access, self.system, aside, holder, self.config.cluster)
        instance.start(access, self.system, self._container())
        self.facts["quarantine"] = None
        self.journal.tell(f"put back what was in {holder.kind} {holder.name}")
        return "what was there has been put back"

    # --- what everything needs -----------------------------------------------------------------------

    def _container(self) -> Any:
        return self.chosen.assessment.facts

    def _holder(self) -> Holder:
        if self.facts["holder"]:
            return Holder.from_dict(self.facts["holder"])
        if self.chosen.holder is None:
            raise RestoreError("recover", "the data", "what they lie in is not known", "Run 'holdfast guard'.")
        return self.chosen.holder

    def _superuser(self) -> AccessConfig:
        """As the role that made the new server: there is no other yet."""
        name = engine.environment(self._container()).get("POSTGRES_USER") or "postgres"
        return replace(container_access(self.config), user=name, restore_user=None)
