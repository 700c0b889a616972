# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a recovery back: what was there before it is put in its place again, and what it restored is put aside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config import ClusterConfig
from ..errors import ConfigError, HoldfastError, NotFoundError
from ..postgres import engine, instance
from ..postgres.access import ContainerAccess
from ..postgres.properties import beside_name
from ..postgres.quarantine import Holder, forget_empty, is_empty, move, place_for
from ..postgres.swap import Rename, swap
from ..reporting.progress import Progress
from ..reporting.show_recover import record_text
from ..repository.records import Recoveries
from ..system import System
from .context import explained, open_repository, reach
from .journal import Journal
from .recover_assess import services_of
from .recover_plan import container_access
from .recover_services import start_services, stop_services

_READY_SECONDS = 600


@explained("roll back")
def plan_rollback(config: ClusterConfig, system: System) -> dict[str, Any]:
    """What a rollback would do.

    :raises NotFoundError: no recovery has put anything aside.
    """
    repository = open_repository(config)
    record = _latest(config, Recoveries(repository.path, repository.owner))
    aside = record["quarantine"] or record["kept_aside"]
    what = f"database {aside['aside']}" if record["kept_aside"] else f"{aside['kind']} {aside['name']}"
    services = [one.name for one in _services(config, system) if one.runs]
    steps = [
        *([f"stop {', '.join(services)}"] if services else []),
        f"put what is in {what} back in its place; what was restored is put aside in its turn",
        *([f"start {', '.join(services)} again"] if services else []),
    ]
    return {"recovery": record["id"], "steps": steps}


@explained("roll back")
def rollback(config: ClusterConfig, confirm: str, wait: float, system: System, progress: Progress) -> dict[str, Any]:
    """Put back what was there before the latest recovery.

    :returns: ``changed`` and the record (``recovery``).
    :raises NotFoundError: no recovery has put anything aside.
    :raises ConfigError: the say-so is missing.
    :raises RestoreError: it cannot be done; its record says where everything is.
    """
    repository = open_repository(config)
    records = Recoveries(repository.path, repository.owner)
    with records.lock(wait):
        record = dict(_latest(config, records))
        if confirm != config.cluster:
            raise ConfigError(
                "roll back", f"recovery {record['id']}", f"it needs your say-so: confirm is {confirm!r}, not {config.cluster!r}",
                "Look at the plan (--dry-run, or check mode), then confirm with the name of the cluster.",
            )  # fmt: skip
        journal = Journal(record, records, record_text, system, progress)
        try:
            with journal.step("roll back"):
                if isinstance(config.access, ContainerAccess):
                    stop_services(
                        config.access, [one for one in _services(config, system) if one.runs], journal, system
                    )
                if record["kept_aside"]:
                    server = reach(config, system, repository, "restore")
                    _swap_back(server, record, journal, system)
                else:
                    _move_back(config, record, journal, system)
            with journal.step("restart"):
                start_services(config, journal, system)
        except HoldfastError as error:
            record["error"] = str(error)
            journal.end(record["state"])
            raise
        record["next_steps"] = []
        journal.end("rolled_back")
    return {"changed": True, "recovery": journal.facts}


def _move_back(config: ClusterConfig, record: dict[str, Any], journal: Journal, system: System) -> None:
    access = container_access(config)
    facts = engine.look_up(access, system)
    if facts is None:
        raise NotFoundError(
            "roll back",
            f"recovery {record['id']}",
            f"there is no container {access.label}",
            "Make it (playbooks/site.yml).",
        )
    holder, aside = Holder.from_dict(record["holder"]), Holder.from_dict(record["quarantine"])
    instance.stop(access, system, facts)
    if not is_empty(holder) and not is_empty(aside):
        restored = place_for(holder, "recovered", f"{system.now():%Y%m%dt%H%M%S}")
        record["discarded"] = restored.as_dict()
        journal.save()
        move(access, system, holder, restored, config.cluster)
        journal.tell(f"moved what was restored to {restored.kind} {restored.name}")
    move(access, system, aside, holder, config.cluster)
    journal.tell(f"moved what was in {aside.name} back to {holder.kind} {holder.name}")
    forget_empty(access, system, aside)
    record["quarantine"] = None
    journal.save()
    instance.start(access, system, facts)
    try:
        instance.wait_until_ready(access, system, facts, _READY_SECONDS)
    except HoldfastError as error:
        # It may have been broken before, which is why it was recovered from.
        journal.tell(f"the server with the old data does not answer: {error.reason}")


def _swap_back(server: Any, record: dict[str, Any], journal: Journal, system: System) -> None:
    name, aside = record["kept_aside"]["name"], record["kept_aside"]["aside"]
    kept = beside_name(name, f"recovered_{system.now():%Y%m%dt%H%M%S}")
    swap(server, [Rename(aside, name, kept)])
    record["discarded"] = {"kind": "database", "name": kept}
    record["kept_aside"] = None
    journal.tell(f"database {aside!r} is {name!r} again; what was restored is {kept!r}")


def _services(config: ClusterConfig, system: System) -> list[Any]:
    if not isinstance(config.access, ContainerAccess):
        return []
    return services_of(config, config.access, engine.look_up(config.access, system), system)


def _latest(config: ClusterConfig, records: Recoveries) -> Mapping[str, Any]:
    latest = records.latest()
    if latest is not None and (latest["quarantine"] or (latest["kept_aside"] or {}).get("aside")):
        return latest
    told = (
        f"the last one, {latest['id']} ({latest['state']}), has put nothing aside" if latest else "there was none yet"
    )
    raise NotFoundError("roll back", f"a recovery of cluster {config.cluster}", told, "See 'holdfast recoveries'.")
