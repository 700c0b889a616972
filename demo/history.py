"""Builds seven months of backups out of one real backup, for the demo's retention.

Every set of the history is a complete one: the data files are hard links to the real backup's, the
manifest is a new one with an older time, and both are published by the core, so that a check of
their checksums succeeds. It takes no more space than the one backup.

    PYTHONPATH=module_utils python demo/history.py --config-dir DIR --source shop --target shop_history
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from holdfast import config
from holdfast.operations.context import initialise, open_repository
from holdfast.repository import manifest as manifests
from holdfast.repository.manifest import Manifest
from holdfast.repository.store import Repository
from holdfast.system import System

MONTHS = 7
NIGHT = timedelta(hours=2, minutes=15)
AFTERNOON = timedelta(hours=14, minutes=30)
DEPLOYMENT = timedelta(hours=16)
DAYS_BETWEEN_DEPLOYMENTS = 9


@dataclass(frozen=True)
class Past:
    """One backup that was taken on a day of the past."""

    time: datetime
    tiers: tuple[str, ...]
    note: str = ""
    pin: str | None = None
    failure: str | None = None
    proven: bool = False


def the_past(now: datetime) -> Iterator[Past]:
    """What a shop with a nightly job and regular deployments has after seven months, oldest first."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = _months_before(midnight, MONTHS)
    days = (midnight - first).days
    for number in range(days):
        day = first + timedelta(days=number)
        ago = days - number
        tiers = ["daily"]
        if day.isoweekday() == 7:
            tiers.append("weekly")
        if day.day == 1:
            tiers.append("monthly")
        # The weekly drill restores Sunday's backup and compares.
        yield Past(day + NIGHT, tuple(tiers), proven="weekly" in tiers)
        if number == 40:
            yield Past(day + AFTERNOON, ("manual",), note="audit", pin="the auditors asked for this one")
        if ago == 3:
            yield Past(day + AFTERNOON, ("manual",), failure="server closed the connection unexpectedly")
        if number % DAYS_BETWEEN_DEPLOYMENTS == 4:
            yield Past(
                day + DEPLOYMENT,
                ("predeploy",),
                note=f"before release 2.{number // DAYS_BETWEEN_DEPLOYMENTS}",
            )


def _months_before(midnight: datetime, months: int) -> datetime:
    """The same day of the month that many months ago; the 28th at the latest, which every month has."""
    count = midnight.year * 12 + midnight.month - 1 - months
    return midnight.replace(year=count // 12, month=count % 12 + 1, day=min(midnight.day, 28))


def build(source: Repository, target: Repository, now: datetime) -> int:
    """Publishes the past in `target` and returns the number of sets."""
    model = next(entry for entry in reversed(source.entries()) if entry.sound)
    assert model.manifest is not None
    count = 0
    for past in the_past(now):
        dated = _redated(model.manifest, past, target)
        with target.partial(dated.id) as partial:
            if past.failure is None:
                _link_files(source.path_of(model.id), partial.path)
            else:
                (partial.path / manifests.CHECKSUMS).write_bytes(b"")
            target.publish(partial, dated)
        if past.pin:
            target.mark(dated.id, "pin", {"note": past.pin, "time": dated.facts["time"]})
        if past.proven:
            names = [one["name"] for one in dated.facts["databases"]]
            target.mark(dated.id, "proof", {"databases": {name: _proof(dated) for name in names}})
        count += 1
    return count


def _proof(dated: manifests.Manifest) -> dict[str, object]:
    """What a drill would have left, had there been one."""
    return {"time": dated.facts["finished"], "by": "drill (made up for the demo)", "seconds": 1.0, "rows": 0}


def _redated(model: Manifest, past: Past, target: Repository) -> Manifest:
    """The model's manifest as it would have been written in the past."""
    token = hashlib.sha256(past.time.isoformat().encode()).hexdigest()[:6]
    moved = past.time - model.time
    facts: dict[str, Any] = {
        **model.facts,
        "id": manifests.new_id(past.time, past.tiers[0], token),
        "cluster": target.cluster,
        "repository": target.uuid,
        "tiers": list(past.tiers),
        "note": past.note,
    }
    for key in ("started", "time", "finished"):
        facts[key] = manifests.format_time(manifests.parse_time(model.facts[key]) + moved)
    if past.failure is not None:
        facts |= {"outcome": "failed", "databases": [], "size": 0}
        facts["failures"] = [{"database": "shop", "reason": past.failure, "next_step": "Look at the server's log."}]
        facts["files"] = {**facts["files"], "sha256": hashlib.sha256(b"").hexdigest(), "count": 0}
    return manifests.build(facts)


def _link_files(source: Path, target: Path) -> None:
    """Hard links every file of a set but its manifest, which is written last."""
    for directory, _, names in os.walk(source):
        place = target / Path(directory).relative_to(source)
        place.mkdir(mode=0o700, exist_ok=True)
        for name in names:
            if place != target or name != manifests.NAME:
                os.link(Path(directory) / name, place / name)


def main() -> int:
    """The command line; prints one JSON object."""
    parser = argparse.ArgumentParser(description="Build seven months of backups out of one real backup.")
    parser.add_argument("--config-dir", required=True)
    parser.add_argument("--source", required=True, help="the cluster that has a backup")
    parser.add_argument("--target", required=True, help="the cluster that gets the history")
    options = parser.parse_args()
    system = System()
    source = open_repository(config.load(options.source, options.config_dir))
    target, _ = initialise(config.load(options.target, options.config_dir), system)
    print(json.dumps({"sets": build(source, target, system.now())}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
