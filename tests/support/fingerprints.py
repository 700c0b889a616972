"""Fingerprints of real databases, taken by the core itself."""

from __future__ import annotations

from typing import Any

from holdfast.postgres.access import HostAccess
from holdfast.postgres.fingerprint import fingerprint_database, finish_sequences, mark_missing_data, totals
from holdfast.postgres.host import HostPlace
from holdfast.postgres.server import Server as Reached
from holdfast.postgres.snapshot import Snapshot
from tests.support.servers import Server


def fingerprint(server: Server, database: str, level: str = "digest", user: str | None = None) -> dict[str, Any]:
    """The fingerprint of a database as it is now."""
    access = HostAccess(
        host=str(server.socket_dir), port=server.port, user=user or server.user, bin_dir=str(server.bin_dir)
    )
    reached = Reached(HostPlace(access), "postgres", "test")
    with Snapshot(reached, database, 30) as snapshot:
        facts = fingerprint_database(snapshot, level)
        finish_sequences(facts, snapshot)
    return facts


def digest(facts: dict[str, Any]) -> str:
    """The one digest over everything, as a backup's summary shows it."""
    oids = {table["oid"] for table in facts["tables"].values()}
    mark_missing_data(facts, oids)
    found: str = totals(facts)["digest"]
    return found
