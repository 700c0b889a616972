# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drill: restore a backup into a throwaway server, look at everything, and write down what was found.

choose → files → throwaway → restore → fingerprint and amcheck → what else can be wrong → evidence → mark. What
fails of the backup marks it ``failed``: nothing chooses it any more. What fails of the machine (no room, no engine)
is an error, and says nothing about the backup.
"""

from __future__ import annotations

import hashlib
import platform
from typing import Any, Optional

from .. import __version__
from ..config import ClusterConfig
from ..errors import BusyError, DrillError, HoldfastError, RepositoryError
from ..postgres.throwaway import Limits
from ..reporting import evidence_index, evidence_page
from ..reporting.progress import Progress
from ..reporting.text import duration
from ..repository.entry import Entry
from ..repository.evidence import INDEX, Evidence
from ..repository.manifest import NAME, format_time, new_id
from ..repository.store import Repository
from ..system import System
from .catalogue import time_of
from .context import explained, open_repository
from .journal import somebody
from .measure import write_metrics
from .proof import remember
from .signature import sign
from .throwaway import Restored, started
from .verify_checks import FAILED, PASSED, Drill
from .verify_plan import Chosen, VerifyPlan, VerifyRequest, plan_with, require_feasible

PURPOSE = "drill"


@explained("verify")
def verify(config: ClusterConfig, request: VerifyRequest, system: System, progress: Progress) -> dict[str, Any]:
    """Carry out drills.

    :returns: ``changed`` and the evidence of each (``drills``), with ``warnings``.
    :raises DrillError: a backup failed; what was found is in the evidence, and all of it in the details.
    :raises HoldfastError: a drill could not be carried out.
    """
    repository = open_repository(config)
    evidence = Evidence(repository.path, repository.owner)
    with evidence.lock(request.wait):
        chosen = plan_with(config, request, repository, system)
        require_feasible(chosen)
        done, warnings = [], []
        for one in chosen.chosen:
            facts, said = _drill(config, request, chosen, one, repository, evidence, system, progress)
            done.append(facts)
            warnings += said
    failed = [one for one in done if one["verdict"] == FAILED]
    if failed:
        raise DrillError(
            "prove", f"backup {failed[0]['backup']['id']}", failed[0]["reason"],
            f"It is marked failed, and nothing chooses it any more. See {evidence.file(failed[0]['id'], 'html')};"
            " then take a new backup, and verify that one.",
            drills=done, warnings=warnings,
        )  # fmt: skip
    return {"changed": True, "drills": done, "warnings": warnings}


@explained("list the drills")
def drills(config: ClusterConfig, drill_id: Optional[str] = None) -> dict[str, Any]:
    """The evidence that is there, newest first.

    :param drill_id: only this one.
    :raises NotFoundError: there is no such drill.
    """
    repository = open_repository(config)
    evidence = Evidence(repository.path, repository.owner)
    ids = [drill_id] if drill_id else list(reversed(evidence.ids()))
    return {"cluster": config.cluster, "directory": str(evidence.path), "drills": [evidence.read(one) for one in ids]}


def _drill(
    config: ClusterConfig, request: VerifyRequest, chosen: VerifyPlan, one: Chosen, repository: Repository,
    evidence: Evidence, system: System, progress: Progress,
) -> tuple[dict[str, Any], list[str]]:  # fmt: skip
    began, options = system.now(), config.verify
    drill = Drill(config, one, chosen.own, repository, system, progress)
    facts: dict[str, Any] = {
        "id": new_id(began, PURPOSE, system.token()), "cluster": config.cluster, "holdfast": __version__,
        "who": request.who or somebody(), "host": platform.node(), "note": request.note, "why": one.why,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "started": format_time(began), "backup": _backup(one.entry, drill, repository), "server": None, "rto": None,
        "rpo": round((began - time_of(one.entry)).total_seconds(), 3), "seconds": {}, "databases": [],
    }  # fmt: skip
    with repository.reading(one.entry.id, "verify"):
        if drill.files():
            limits = Limits(options.memory, options.cpus)
            with started(config, repository, PURPOSE, system, progress, limits, options.directory, True) as restored:
                facts["server"] = _server(restored)
                if drill.restore(restored):
                    drill.examine(restored, f"{repository.uuid}-{PURPOSE}")
                    facts["rto"] = round(sum(restored.seconds.values()), 3)
                facts["seconds"].update(restored.seconds)
                facts["databases"] = _databases(restored, drill)
                removal = system.now()
            facts["seconds"]["remove"] = round((system.now() - removal).total_seconds(), 3)
    drill.not_reached()
    facts["checks"] = [outcome.as_dict() for outcome in drill.outcomes]
    facts["verdict"] = FAILED if drill.failed else PASSED
    facts["reason"] = "; ".join(f"{bad.name}: {(bad.findings or [bad.detail])[0]}" for bad in drill.failed)
    facts["finished"] = format_time(system.now())
    facts["seconds"]["all"] = round((system.now() - began).total_seconds(), 3)
    warnings = _mark(repository, one.entry, drill, facts, system)
    facts["proven"] = repository.entry(one.entry.id).state == "proven"
    warnings += _write(config, evidence, facts, system)
    progress.say(_said(facts))
    return facts, warnings


def _mark(repository: Repository, entry: Entry, drill: Drill, facts: dict[str, Any], system: System) -> list[str]:
    """Remember with the backup what came of it.

    :returns: why that could not be remembered.
    """
    mark = {"id": facts["id"], "time": facts["finished"], "result": facts["verdict"], "why": facts["reason"][:1000]}
    try:
        if any(bad.name == "checksums" for bad in drill.failed):
            problems = drill.outcomes[0].findings[:50]
            repository.mark(entry.id, "check", {"result": "corrupt", "time": facts["finished"], "problems": problems})
        repository.mark(entry.id, "drill", mark)
    except (RepositoryError, BusyError) as error:
        return [str(error)]
    if drill.failed:
        return []
    proved = [{**one, "comparison": drill.comparisons[one["database"]]} for one in facts["databases"]]
    return remember(repository, entry, proved, f"drill {facts['id']}", system)


def _write(config: ClusterConfig, evidence: Evidence, facts: dict[str, Any], system: System) -> list[str]:
    """Write the evidence, sign it, and tell the metrics.

    :returns: what could not be done of it: the backup was looked at all the same.
    :raises RepositoryError: the evidence itself cannot be written.
    """
    content = evidence.render(facts)
    digest = hashlib.sha256(content).hexdigest()
    paths = [evidence.write(f"{facts['id']}.json", content)]
    signs = config.verify.signing_key is not None
    paths.append(evidence.write(f"{facts['id']}.html", evidence_page.page(facts, digest, signs).encode()))
    everything = [evidence.read(one) for one in reversed(evidence.ids())]
    evidence.write(INDEX, evidence_index.index(config.cluster, everything).encode())
    warnings = []
    try:
        if config.verify.signing_key is not None:
            for path in paths:
                evidence.write(f"{path.name}.sig", sign(path, config.verify.signing_key, system))
        if config.monitor.textfile is not None:
            write_metrics(config, system)
    except HoldfastError as error:
        warnings.append(str(error))
    return warnings


def _backup(entry: Entry, drill: Drill, repository: Repository) -> dict[str, Any]:
    told = entry.known.facts
    manifest = (repository.path_of(entry.id) / NAME).read_bytes()
    return {
        "id": entry.id, "time": told["time"], "tiers": told["tiers"], "method": told["method"], "size": told["size"],
        "server_version": told["server"]["version"], "compression": told["compression"]["algorithm"],
        "databases": drill.names, "fingerprint": told["fingerprint"]["level"], "repository": str(repository.path),
        "repository_id": repository.uuid, "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
    }  # fmt: skip


def _server(restored: Restored) -> dict[str, Any]:
    return {
        "version": restored.server.facts.version, "image": restored.image,
        "tools": restored.connected.tools.version, "kind": restored.server.place.describe()["kind"],
    }  # fmt: skip


def _databases(restored: Restored, drill: Drill) -> list[dict[str, Any]]:
    found = []
    for one in restored.databases:
        compared = drill.comparisons.get(one["database"], {})
        found.append({**one, "tables": compared.get("tables"), "rows": compared.get("rows")})
    return found


def _said(facts: dict[str, Any]) -> str:
    if facts["verdict"] == FAILED:
        return f"backup {facts['backup']['id']} FAILED: {facts['reason']}"
    return f"backup {facts['backup']['id']} passed: restored in {duration(facts['rto'])} (RTO)"
