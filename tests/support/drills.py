# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words for tests of drills: what a drill found, and backups that are not what they say they are."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.repository.manifest import CHECKSUMS, NAME, checksum_lines, render
from tests.support.backups import error_of
from tests.support.clusters import Cluster
from tests.support.servers import Server

#: The exit code of a drill that found something.
DRILL = 14


def load_rich(server: Server, dbname: str) -> str:
    """Loads the shop that uses extensions and newer features, and returns the database's name."""
    server.psql(Path(__file__).with_name("rich.sql").read_text(encoding="utf-8"), dbname)
    return dbname


def passed(cluster: Cluster, *arguments: str) -> dict[str, Any]:
    """Carries out one drill, which must pass, and returns its evidence."""
    (evidence,) = cluster.holdfast("verify", "--json", *arguments, check=True).json["drills"]
    assert evidence["verdict"] == "passed"
    return dict(evidence)


def failed(cluster: Cluster, *arguments: str) -> dict[str, Any]:
    """Carries out one drill, which must fail, and returns its evidence."""
    error = error_of(cluster.holdfast("verify", "--json", *arguments), DRILL)
    (evidence,) = error["details"]["drills"]
    assert evidence["verdict"] == "failed"
    return dict(evidence)


def verdicts(evidence: dict[str, Any]) -> dict[str, str]:
    """By check, its verdict."""
    return {one["check"]: one["verdict"] for one in evidence["checks"]}


def findings(evidence: dict[str, Any], check: str) -> list[str]:
    """What one check found."""
    return next(list(one["findings"]) for one in evidence["checks"] if one["check"] == check)


def said(evidence: dict[str, Any]) -> str:
    """All that any check found, a line each."""
    return "\n".join(text for one in evidence["checks"] for text in one["findings"])


def reseal(root: Path, change: Callable[[Path], object]) -> None:
    """Changes files of a set so that every checksum fits again, as only somebody with a purpose would."""
    change(root)
    files = [path for path in root.rglob("*") if path.is_file() and path.name not in (NAME, CHECKSUMS)]
    digests = {
        path.relative_to(root).as_posix(): (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
    }
    lines = checksum_lines(digests)
    (root / CHECKSUMS).write_bytes(lines)
    facts = json.loads((root / NAME).read_bytes())
    facts.pop("checksum")
    facts["files"]["sha256"] = hashlib.sha256(lines).hexdigest()
    (root / NAME).write_bytes(render(facts))


def graft(cluster: Cluster, faulty: str, whole: str) -> str:
    """Gives a backup of damaged data the fingerprint of a whole one: what a dump that lost something would be.

    :returns: its id.
    """
    sets = cluster.repository / "backups"
    reseal(sets / faulty, lambda root: shutil.copyfile(sets / whole / "fingerprint.json", root / "fingerprint.json"))
    return faulty
