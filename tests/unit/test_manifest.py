# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A manifest by example: what is refused, and what it then says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from holdfast.errors import IntegrityError
from holdfast.repository.manifest import (
    SCHEMA,
    build,
    checksum_lines,
    format_time,
    is_id,
    new_id,
    parse,
    parse_checksums,
    parse_time,
)
from tests.support import sets

GOOD = "20261122T101500Z-daily-3f9c1e"
DIGEST = "0123456789abcdef" * 4


def refusal(content: bytes) -> str:
    with pytest.raises(IntegrityError) as refused:
        parse(content, "20261122T101500Z-daily-3f9c1e")
    return str(refused.value)


def test_what_was_built_reads_as_what_was_written() -> None:
    manifest = sets.manifest(tiers=["daily", "weekly"], note="before the move")
    read = parse(manifest.to_bytes(), "x")
    assert read == manifest
    assert (read.tiers, read.facts["note"], read.outcome) == (("daily", "weekly"), "before the move", "complete")


def test_a_manifest_knows_its_databases_by_name() -> None:
    manifest = sets.manifest()
    entry = manifest.database("shop")
    assert entry is not None
    assert entry["path"] == "databases/shop"
    assert manifest.database("Shop") is None


@pytest.mark.parametrize("length", [0, 1, 100, -2])
def test_a_truncated_manifest_is_refused(length: int) -> None:
    assert "truncated or altered" in refusal(sets.manifest().to_bytes()[:length])


def test_an_altered_manifest_is_refused() -> None:
    content = sets.manifest().to_bytes()
    assert "its checksum does not fit" in refusal(content.replace(b'"size": 30', b'"size": 31'))


def test_a_manifest_without_its_checksum_is_refused() -> None:
    raw = json.loads(sets.manifest().to_bytes())
    del raw["checksum"]
    assert "its checksum does not fit" in refusal(json.dumps(raw).encode())


def test_a_newer_schema_says_that_a_newer_holdfast_is_needed() -> None:
    newer = sets.signed({"schema": SCHEMA + 1, "whatever": "a later release keeps in it"})
    message = refusal(newer)
    assert f"its schema is {SCHEMA + 1}" in message
    assert "newer Holdfast" in message


@pytest.mark.parametrize("schema", [0, "1", None, [], -1])
def test_an_unknown_schema_is_refused(schema: Any) -> None:
    assert "schema" in refusal(sets.signed({**sets.facts(), "schema": schema}))


@pytest.mark.parametrize("content", [b"[]", b"null", b"7", b'"text"', b"\xff\xfe", b"[" * 100_000, b"{}"])
def test_what_is_no_manifest_at_all_is_refused(content: bytes) -> None:
    assert refusal(content).startswith("Cannot read manifest 20261122T101500Z-daily-3f9c1e: ")


@pytest.mark.parametrize("key", sorted(sets.facts().keys() - {"note", "scope", "jobs"}))
def test_every_fact_is_required(key: str) -> None:
    facts = sets.facts()
    del facts[key]
    with pytest.raises(IntegrityError, match=f"'{key}' is missing"):
        build(facts)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", "shop"),
        ("id", "../20261122T101500Z-daily-3f9c1e"),
        ("size", "30"),
        ("size", True),
        ("tiers", []),
        ("tiers", ["hourly"]),
        ("tiers", [["daily"]]),
        ("method", "magic"),
        ("outcome", "proven"),
        ("time", "yesterday"),
        ("time", "2026-11-22T10:00:00"),
        ("finished", ""),
        ("databases", ["shop"]),
        ("databases", [{"name": "shop"}]),
        ("databases", [{"path": "databases/shop"}]),
        ("databases", [{"name": 7, "path": "databases/shop"}]),
        ("databases", [{"name": "shop", "path": "/etc"}]),
        ("databases", [{"name": "shop", "path": "databases/../../x"}]),
        ("server", {}),
        ("server", {"version": "16.14", "version_num": "160014"}),
        ("compression", {"algorithm": "gzip:1"}),
        ("fingerprint", {}),
        ("files", {"sha256": None}),
        ("warnings", [7]),
        ("failures", ["shop"]),
    ],
)
def test_a_fact_of_a_wrong_kind_is_refused_although_the_checksum_fits(key: str, value: Any) -> None:
    with pytest.raises(IntegrityError):
        build(sets.facts(**{key: value}))
    assert "Cannot read manifest" in refusal(sets.signed({**sets.facts(), "schema": SCHEMA, key: value}))


@pytest.mark.parametrize(
    "line",
    [
        f"{DIGEST}  ../shop",
        f"{DIGEST}  databases/../../etc/passwd",
        f"{DIGEST}  /etc/passwd",
        f"{DIGEST}  ..",
        f"{DIGEST}",
        f"{DIGEST[:-1]}  globals.sql",
        f"{DIGEST.upper()}  globals.sql",
        "globals.sql",
    ],
)
def test_a_line_that_is_no_checksum_or_leads_out_of_the_set_is_refused(line: str) -> None:
    content = f"{DIGEST}  fingerprint.json\n{line}\n".encode()
    with pytest.raises(IntegrityError, match="has a line that is no checksum"):
        parse_checksums(content, GOOD)


def test_checksum_lines_are_those_of_sha256sum() -> None:
    files = {"globals.sql": (3, DIGEST), "databases/a b/1.dat": (4, DIGEST)}
    assert checksum_lines(files) == f"{DIGEST}  databases/a b/1.dat\n{DIGEST}  globals.sql\n".encode()
    assert parse_checksums(checksum_lines(files), GOOD) == dict.fromkeys(files, DIGEST)
    assert parse_checksums(f"{DIGEST} *binary\n".encode(), GOOD) == {"binary": DIGEST}


def test_ids_sort_by_time_and_say_the_tier() -> None:
    berlin = timezone(timedelta(hours=1))
    first = new_id(datetime(2026, 11, 22, 10, 15, tzinfo=UTC), "weekly", "ffffff")
    second = new_id(datetime(2026, 11, 22, 11, 15, 1, tzinfo=berlin), "daily", "000000")
    assert (first, second) == ("20261122T101500Z-weekly-ffffff", "20261122T101501Z-daily-000000")
    assert first < second


@pytest.mark.parametrize(
    "name",
    [
        "",
        "lost+found",
        ".partial-20261122T101500Z-daily-3f9c1e",
        "20261122T101500Z-daily-3f9c1e.old",
        "20261122T101500Z-daily-3f9c1e\n",
        "20261122T101500Z-Daily-3f9c1e",
        "20261122T101500Z-daily-3f9c1",
        "20261322T101500Z-daily-3f9c1e",
        "20261122T251500Z-daily-3f9c1e",
        "20260230T101500Z-daily-3f9c1e",
        "00001122T101500Z-daily-3f9c1e",
        "٢٠٢٦١١٢٢T101500Z-daily-3f9c1e",
    ],
)
def test_another_name_is_not_the_id_of_a_backup(name: str) -> None:
    assert not is_id(name)
    assert is_id(GOOD)


def test_times_are_in_utc_with_milliseconds() -> None:
    instant = datetime(2026, 11, 22, 11, 15, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    assert format_time(instant) == "2026-11-22T10:15:00.123Z"
    assert parse_time("2026-11-22T11:15:00+01:00") == datetime(2026, 11, 22, 10, 15, tzinfo=UTC)


def test_a_time_without_a_zone_is_no_time() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        parse_time("2026-11-22T10:15:00")
