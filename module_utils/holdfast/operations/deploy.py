# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploy: the application gets its new version, and the database keeps its data, its container and its uptime.

guard → backup → rehearsal on a copy → migrations → services → health → identity → record. Each step is a gate.
What fails before the services changes nothing of them; what fails after that puts the old containers back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Optional

from ..config import ClusterConfig
from ..errors import DeployError, HoldfastError
from ..postgres import engine
from ..postgres.identity import differences
from ..reporting.progress import Progress
from ..reporting.show_deploy import record_text
from ..repository.records import Deployments
from ..repository.store import Repository
from ..services.containers import Container, Containers, pull
from ..services.pins import put
from ..services.probe import Watch
from ..services.replace import Replacement
from ..services.replace_named import NamedReplacement
from ..system import System
from . import backup as backups
from .catalogue import summary
from .context import explained, open_repository
from .deploy_health import ask_health, count_rows, require_same_rows
from .deploy_journal import first_facts
from .deploy_migration import migrate_for_real, rehearse
from .deploy_plan import DeployPlan, DeployRequest, backup_request, container_access, plan_with, require_feasible
from .deploy_recreate import recreate_database
from .guard import guard
from .guard_survey import GuardRequest
from .journal import Journal


@explained("deploy")
def deploy(
    config: ClusterConfig, request: DeployRequest, system: System, progress: Progress,
    show: Callable[[DeployPlan], None] = lambda _chosen: None,
) -> dict[str, Any]:  # fmt: skip
    """Deploy.

    :param show: called with the plan before it is carried out.
    :returns: ``changed``, the ``plan``, and the record (``deployment``); it is None where nothing was to be done.
    :raises PreflightError: refused; nothing was touched.
    :raises BusyError: another deployment of this cluster runs.
    :raises DeployError: a step failed; the details hold the record.
    """
    repository = open_repository(config)
    records = Deployments(repository.path, repository.owner)
    with records.lock(request.wait):
        chosen = plan_with(config, request, system, repository, records)
        require_feasible(chosen)
        show(chosen)
        if not chosen.needed:
            return {"changed": False, "plan": chosen.as_dict(), "deployment": None}
        chosen = _pull(config, request, chosen, repository, records, system, progress)
        if chosen.unfinished is not None:
            records.write({**chosen.unfinished, "state": "abandoned"})
        journal = Journal(first_facts(config, request, chosen, system), records, record_text, system, progress)
        _Run(config, request, chosen, repository, journal, system, progress).all()
    return {"changed": True, "plan": chosen.as_dict(), "deployment": journal.facts}


def _pull(
    config: ClusterConfig, request: DeployRequest, chosen: DeployPlan, repository: Repository, records: Deployments,
    system: System, progress: Progress,
) -> DeployPlan:  # fmt: skip
    """Have the images here before anything else: one that does not exist stops it all."""
    missing = {change.service.image for change in chosen.changes if change.image_id is None}
    for image in sorted(missing):
        progress.say(f"pulling {image}")
        pull(container_access(config), system, image)
    if not missing:
        return chosen
    chosen = plan_with(config, request, system, repository, records)
    require_feasible(chosen)
    return chosen


class _Run:
    """One deployment that is carried out."""

    def __init__(
        self, config: ClusterConfig, request: DeployRequest, chosen: DeployPlan, repository: Repository,
        journal: Journal, system: System, progress: Progress,
    ) -> None:  # fmt: skip
        self.config = config
        self.request = request
        self.chosen = chosen
        self.repository = repository
        self.journal = journal
        self.system = system
        self.progress = progress
        self.access = container_access(config)
        self.identity = dict(chosen.identity)
        self.begun: list[Replacement] = []
        self.counted: dict[str, int] = {}
        self.migrated = False
        self.recreated = False

    def all(self) -> None:
        """Every step in its order, and whatever came of it in the record.

        :raises DeployError: a step failed.
        """
        try:
            self._prepare()
            with Watch(self.chosen.options.health.url, self.chosen.options.health.status) as watch:
                try:
                    self._update()
                finally:
                    self.journal.facts["availability"] = watch.as_dict()
            self._finish()
        except HoldfastError as error:
            self._fail(error)
        except Exception as error:
            # Of the server, the disk or a bug: whatever it is, the old containers serve again before it is told.
            step = "Look at the server's log and the disk, mend what it says, and run this again."
            self._fail(DeployError("deploy", "that", " ".join(str(error).split()) or repr(error), step))
        except BaseException:
            self.journal.facts["error"] = "interrupted"
            self._leave_nobody_down()
            self.journal.end("interrupted")
            raise
        self.journal.facts["next_steps"] = self._way_back() if self.migrated else []
        self.journal.end("succeeded")

    def _prepare(self) -> None:
        journal, chosen = self.journal, self.chosen
        with journal.step("backup"):
            backup_id = self._backup()
        if chosen.options.unchanged:
            with journal.step("count"):
                self.counted = count_rows(self.config, self.repository, chosen.options.unchanged, self.system)
        if chosen.restores:
            with journal.step("rehearsal"):
                try:
                    rehearsed = rehearse(self.config, chosen, backup_id, self.repository, self.system, self.progress)
                finally:
                    # A restore proves it, whatever becomes of the migrations after that.
                    journal.facts["backup"]["state"] = self.repository.entry(backup_id).state
                journal.facts["migration"] = {"rehearsal": rehearsed, "real": None} if chosen.migrates else None
                journal.tell(f"backup {backup_id} restores, and is {journal.facts['backup']['state']}")
        if chosen.recreates:
            with journal.step("database"):
                self._require_proven(backup_id)
                self._require_same_server()
                self.recreated = True
                self.identity = recreate_database(self.config, chosen, self.repository, self.system, journal.tell)
        migrate = chosen.options.migrate
        if chosen.migrates and migrate is not None:
            with journal.step("migrations"):
                self._require_same_server()
                # From here on they may have committed something, whatever becomes of the rest.
                self.migrated = True
                self._write_pins()
                journal.facts["migration"]["real"] = migrate_for_real(self.config, chosen, migrate, self.system)

    def _update(self) -> None:
        journal, chosen = self.journal, self.chosen
        target = chosen.target
        with journal.step("services"):
            self._require_same_server()
            self._write_pins()
            containers = Containers(self.access, target.deployed, self.system)
            for change in chosen.changes:
                arguments = (
                    change,
                    containers,
                    target.compose,
                    target.deployed,
                    chosen.options,
                    self.system,
                    journal.tell,
                )
                one = (
                    NamedReplacement(*arguments, format=target.pins.version)
                    if change.named
                    else Replacement(*arguments)
                )
                self.begun.append(one)
                facts = self._note(one, "running")
                one.apply()
                facts.update(state="updated", gap=one.gap)
        with journal.step("health"):
            journal.facts["checks"] += ask_health(self.config, chosen.options.health, self.repository, self.system)

    def _finish(self) -> None:
        journal = self.journal
        with journal.step("identity"):
            self._require_same_server()
            looked = guard(self.config, GuardRequest(identity=self.identity), self.system)
            journal.facts["identity"]["after"] = looked["identity"]
            told = f"the database is the same container, not restarted, on volume {looked['identity']['volume']}"
            journal.facts["checks"].append(_check("identity", told))
            if self.chosen.options.unchanged:
                now = count_rows(self.config, self.repository, self.chosen.options.unchanged, self.system)
                journal.facts["checks"].append(_check("unchanged", require_same_rows(self.counted, now)))
        with journal.step("removal"):
            for one in self.begun:
                one.finish()

    def _write_pins(self) -> None:
        """Have compose know the new images, from the first container on that it makes of them."""
        told, pins = self.journal.facts["pins"], self.chosen.target.pins
        if not told["written"]:
            told["before"] = pins.path.read_text(encoding="utf-8") if pins.path.exists() else None
            told["written"] = True
            # What it said is on disk before it says something else.
            self.journal.save()
            pins.write()

    def _restore_pins(self) -> None:
        told = self.journal.facts["pins"]
        if told["written"]:
            put(self.chosen.target.pins.path, told["before"])
            told["written"] = False

    def _backup(self) -> str:
        existing = self.chosen.existing
        if existing is not None:
            taken = summary(existing, self.system.now())
        else:
            request = backup_request(self.config, self.request)
            taken = backups.backup(self.config, request, self.system, self.progress)["backup"]
        self.journal.facts["backup"] = {"id": taken["id"], "taken": existing is None, "state": taken["state"],
                                        "databases": [one["name"] for one in taken["databases"]]}  # fmt: skip
        self.journal.tell(f"backup {taken['id']} is there")
        return str(taken["id"])

    def _require_proven(self, backup_id: str) -> None:
        state = self.repository.entry(backup_id).state
        if state != "proven":
            raise DeployError(
                "recreate", "the database's container", f"backup {backup_id} is {state}, not proven",
                "Set backup.fingerprint to counts or digest, so that a restore can prove it.",
            )  # fmt: skip

    def _require_same_server(self) -> None:
        """A gate before everything that changes something: a database that died meanwhile ends it.

        :raises DeployError: it was stopped, restarted or replaced.
        """
        found = self._database_problem()
        if found:
            raise DeployError(
                "go on with", f"the deployment of project {self.chosen.target.project.name}", found,
                f"Look at its log ('{self.access.engine} logs {str(self.identity.get('container'))[:12]}') and have it"
                " running and well again, then run this again.",
            )  # fmt: skip

    def _database_problem(self) -> str:
        """What has become of the database's container since the beginning; empty if nothing has."""
        facts = engine.look_up(self.access, self.system)
        if facts is None:
            return "the database's container has gone"
        if not engine.runs(facts):
            code = facts.get("State", {}).get("ExitCode")
            return f"the database's container {engine.name(facts)} is not running (exit code {code})"
        found = differences(self.identity, self._identity_of(facts))
        return f"the database was restarted or replaced meanwhile: {'; '.join(found)}" if found else ""

    def _identity_of(self, facts: Any) -> dict[str, Any]:
        return {"container": str(facts["Id"]), "started_at": str(facts["State"].get("StartedAt"))}

    def _note(self, one: Replacement, state: str) -> dict[str, Any]:
        facts = {
            "service": one.name, "strategy": one.change.action,
            "old": [old.as_dict() for old in one.change.old], "state": state, "gap": 0.0,
        }  # fmt: skip
        self.journal.facts["services"].append(facts)
        self.journal.save()
        return facts

    def _fail(self, error: HoldfastError) -> None:
        """Put back what can be put back, and say in which state everything is.

        :raises DeployError: always.
        """
        journal = self.journal
        # To put the old containers back is worth more than to have it on disk, which may be what failed.
        journal.has_to_write = False
        failed = str((journal.facts["steps"] or [{"name": "begin"}])[-1]["name"])
        reason, state, steps = error.reason, "failed", [error.next_step]
        if failed == "removal":
            steps.append("The new containers serve; run this again, and it removes the old ones.")
        else:
            if self.begun:
                state, steps = self._put_back(steps)
            if state == "rolled_back" or not self.begun:
                steps += [_quietly(self._restore_pins)]
        problem = _quietly(self._database_problem)
        if problem and problem not in reason:
            reason = f"{problem}; {reason}"
        if self.migrated and failed != "removal":
            steps += self._way_back()
        elif not (self.begun or self.migrated or self.recreated):
            steps.insert(0, "Nothing was changed.")
        journal.facts["error"] = f"{failed}: {reason}"
        journal.facts["next_steps"] = [step for step in steps if step]
        journal.end(state)
        what = f"project {self.chosen.target.project.name}"
        raise DeployError(
            "deploy", what, f"{failed}: {reason}", " ".join(journal.facts["next_steps"]), deployment=journal.facts,
            **{key: value for key, value in error.details.items() if key == "output"},
        ) from error  # fmt: skip

    def _leave_nobody_down(self) -> None:
        """Whoever interrupts this does not wait for a rollback; but a service of which nothing runs is put back."""
        for one in reversed(self.begun):
            try:
                if one.change.old and not any(found.runs for found in one.containers.of(one.name)):
                    one.undo()
            except HoldfastError as error:
                self.progress.say(str(error))

    def _put_back(self, steps: Sequence[str]) -> tuple[str, list[str]]:
        """Put the old containers back, the last service first."""
        journal, told = self.journal, list(steps)
        state = "rolled_back"
        with journal.step("rollback"):
            for one, facts in zip(reversed(self.begun), reversed(journal.facts["services"])):
                try:
                    one.undo()
                    facts["state"] = "as before"
                except HoldfastError as error:
                    state = "failed"
                    facts["state"] = "not put back"
                    told.append(f"Service {one.name} could not be put back: {error.reason}. {error.next_step}")
        if state == "rolled_back":
            told.insert(0, f"{_images(self.begun)} was put back, and serves.")
        return state, told

    def _way_back(self) -> list[str]:
        """How to have the data of before the migrations: a person decides that, never this."""
        backup = self.journal.facts["backup"]
        cluster = self.config.cluster
        commands = [
            f"holdfast restore --cluster {cluster} --id {backup['id']} --database {name} --in-place"
            for name in backup["databases"]
            if name != "postgres" or len(backup["databases"]) == 1
        ]
        told = "The database keeps what the migrations did. To have its data of before instead, and lose what was written since:"
        return [f"{told} {'; '.join(commands)}"]


def _images(begun: Sequence[Replacement]) -> str:
    old: list[Container] = [one for replacement in begun for one in replacement.change.old]
    return ", ".join(sorted({one.image_name for one in old})) or "What was there before"


def _check(name: str, detail: str) -> dict[str, str]:
    return {"check": name, "result": "ok", "detail": detail}


def _quietly(question: Callable[[], Optional[str]]) -> str:
    """What is asked or done after another failure must not hide it: what it says, or why it failed."""
    try:
        return question() or ""
    except HoldfastError as error:
        return error.reason
