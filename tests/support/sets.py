# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repositories and sets that need no server: what a backup leaves on disk, written by the real store."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from holdfast.config import ClusterConfig
from holdfast.repository import durable
from holdfast.repository.manifest import CHECKSUMS, Manifest, build, checksum_lines, format_time, new_id, render
from holdfast.repository.store import Repository
from holdfast.system import System

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FILES = {
    "globals.sql": b"CREATE ROLE app;\n",
    "fingerprint.json": b"{}\n",
    "databases/shop/toc.dat": b"PGDMP\0\1",
    "databases/shop/1.dat.gz": b"rows",
}
_tokens = itertools.count(1)


def at(now: datetime) -> System:
    """The machine with its clock at `now`."""
    return System(now=lambda: now)


def clock(*instants: datetime) -> Callable[[], datetime]:
    """A clock that shows each of the instants once, and the last one ever after."""
    left = list(instants)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def facts(**changes: Any) -> dict[str, Any]:
    """All that a manifest has to say, of a small backup of yesterday's."""
    time = changes.pop("when", NOW - timedelta(days=1))
    backup: dict[str, Any] = {
        "id": new_id(time, "daily", f"{next(_tokens):06x}"),
        "cluster": "shop",
        "repository": "0" * 32,
        "holdfast": "0.1.0",
        "tiers": ["daily"],
        "method": "logical",
        "note": "",
        "outcome": "complete",
        "started": format_time(time),
        "finished": format_time(time + timedelta(seconds=2)),
        "time": format_time(time),
        "scope": "all",
        "size": 30,
        "server": {"version": "16.14", "version_num": 160014, "system_identifier": "1", "in_recovery": False},
        "tools": {"version": "16.14"},
        "compression": {"algorithm": "gzip:1", "reason": "this pg_dump has no zstd"},
        "jobs": 2,
        "databases": [{"name": "shop", "path": "databases/shop", "rows": 10, "tables": 1, "digest": None}],
        "globals": {"path": "globals.sql", "role_passwords": True},
        "fingerprint": {"level": "digest", "path": "fingerprint.json"},
        "files": {"path": CHECKSUMS, "sha256": "0" * 64, "count": 4},
        "warnings": [],
        "limitations": [],
        "failures": [],
    }
    return {**backup, **changes}


def configuration(directory: Path, **sections: Any) -> ClusterConfig:
    """The configuration of a cluster `shop` whose repository is below `directory`; its server is not there."""
    raw = {
        "schema": 1,
        "cluster": "shop",
        "repository": str(directory / "repository"),
        "access": {"kind": "host", "host": str(directory / "nobody-listens")},
        **sections,
    }
    source = directory / "shop.json"
    source.write_text(json.dumps(raw), encoding="utf-8")
    return ClusterConfig.from_mapping(raw, str(source), source)


def repository(directory: Path, cluster: str = "shop") -> Repository:
    """A new repository."""
    return Repository.create(directory / "repository", cluster, format_time(NOW))


def add(where: Repository, files: Mapping[str, bytes] = FILES, **changes: Any) -> str:
    """Publishes a set as a backup does, and returns its id. `when` is the time of its snapshot."""
    told = facts(cluster=where.cluster, repository=where.uuid, **changes)
    if "tiers" in changes and "id" not in changes:
        told["id"] = told["id"].replace("daily", changes["tiers"][0])
    with where.partial(told["id"]) as partial:
        for name, content in files.items():
            for directory in reversed((partial.path / name).relative_to(partial.path).parents[:-1]):
                (partial.path / directory).mkdir(mode=durable.DIRECTORY_MODE, exist_ok=True)
            durable.write_file(partial.path / name, content)
        lines = checksum_lines(durable.seal(partial.path, files, 1))
        durable.write_file(partial.path / CHECKSUMS, lines)
        told["files"] = {"path": CHECKSUMS, "sha256": durable.measure(partial.path / CHECKSUMS)[1], "count": len(files)}
        told["size"] = sum(map(len, files.values())) + len(lines)
        where.publish(partial, build(told))
    return str(told["id"])


def signed(raw: Mapping[str, Any]) -> bytes:
    """A manifest's bytes with the checksum that fits them, whatever they say."""
    return render(raw)


def rewrite_manifest(where: Repository, backup_id: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes what a manifest says, and its checksum with it, as only a program would."""
    path = where.path_of(backup_id) / "manifest.json"
    raw = json.loads(path.read_bytes())
    raw.pop("checksum")
    change(raw)
    path.write_bytes(signed(raw))


def manifest(**changes: Any) -> Manifest:
    """A valid manifest."""
    return build(facts(**changes))
