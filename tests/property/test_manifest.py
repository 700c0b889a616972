# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A manifest survives its own round trip, and nothing else."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from holdfast.errors import IntegrityError
from holdfast.operations.catalogue import summary
from holdfast.repository.entry import Entry
from holdfast.repository.manifest import (
    METHODS,
    OUTCOMES,
    Manifest,
    build,
    checksum_lines,
    format_time,
    is_id,
    new_id,
    parse,
    parse_checksums,
    parse_time,
)
from holdfast.repository.retention import TIERS
from tests.support import sets

instants = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
texts = st.text(max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
tokens = st.text(string.digits + "abcdef", min_size=6, max_size=6)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    time = draw(instants)
    tiers = draw(st.lists(st.sampled_from(TIERS), min_size=1, unique=True))
    return build(
        sets.facts(
            when=time,
            tiers=tiers,
            id=new_id(time, tiers[0], draw(tokens)),
            method=draw(st.sampled_from(METHODS)),
            outcome=draw(st.sampled_from(OUTCOMES)),
            finished=format_time(time + timedelta(seconds=draw(st.integers(0, 10**6)))),
            note=draw(texts),
            size=draw(st.integers(0, 2**60)),
            databases=[
                {
                    "name": name,
                    "path": f"databases/{n}",
                    "rows": draw(st.none() | st.integers(0)),
                    "more": draw(json_values),
                }
                for n, name in enumerate(draw(st.lists(texts, max_size=3)))
            ],
            warnings=draw(st.lists(texts, max_size=3)),
        )
    )


@given(manifests())
def test_what_is_read_is_what_was_written(manifest: Manifest) -> None:
    assert parse(manifest.to_bytes(), manifest.id) == manifest


@given(manifests(), st.data())
def test_no_byte_can_be_changed_unnoticed(manifest: Manifest, data: st.DataObject) -> None:
    content = bytearray(manifest.to_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255))
    assume(content[place] != byte)
    content[place] = byte
    # White space between the facts may change; what is read is then still the same.
    _unreadable_or(manifest, bytes(content))


@given(manifests(), st.data())
def test_no_piece_can_be_cut_out_unnoticed(manifest: Manifest, data: st.DataObject) -> None:
    content = manifest.to_bytes()
    first = data.draw(st.integers(0, len(content)))
    last = data.draw(st.integers(first, len(content)))
    _unreadable_or(manifest, content[:first] + content[last:])


@given(st.binary(max_size=200) | json_values.map(lambda value: sets.signed({"schema": 1, "all": value})))
def test_whatever_lies_there_is_read_or_refused(content: bytes) -> None:
    try:
        parse(content, "x")
    except IntegrityError:
        return
    raise AssertionError("this cannot be a manifest")


@given(st.sampled_from(sorted(sets.facts())), json_values)
def test_what_passes_for_a_manifest_can_be_listed(key: str, value: Any) -> None:
    """Even one that some other program wrote and signed must not keep the catalogue from being shown."""
    try:
        manifest = parse(sets.signed({**sets.facts(), "schema": 1, key: value}), "x")
    except IntegrityError:
        return
    assert summary(Entry(manifest.id, manifest, None, {}), sets.NOW)["id"] == manifest.id


@given(instants, st.sampled_from(TIERS), tokens)
def test_a_new_id_is_an_id(time: datetime, tier: str, token: str) -> None:
    assert is_id(new_id(time, tier, token))


@given(st.lists(instants, min_size=2, max_size=10), tokens)
def test_ids_sort_as_their_times_do(times: list[datetime], token: str) -> None:
    times = sorted(time.replace(microsecond=0) for time in times)
    ids = [new_id(time, "daily", token) for time in times]
    assert ids == sorted(ids)


@given(instants)
def test_a_time_survives_to_the_millisecond(time: datetime) -> None:
    assert abs(parse_time(format_time(time)) - time) < timedelta(milliseconds=1)


names = st.text(string.ascii_letters + string.digits + "%_- .~", min_size=1).filter(lambda name: ".." not in name)


@given(st.dictionaries(names, st.text("0123456789abcdef", min_size=64, max_size=64)))
def test_checksums_survive_their_round_trip(digests: dict[str, str]) -> None:
    lines = checksum_lines({name: (0, digest) for name, digest in digests.items()})
    assert parse_checksums(lines, "x") == digests


def _unreadable_or(manifest: Manifest, content: bytes) -> None:
    try:
        read = parse(content, manifest.id)
    except IntegrityError:
        return
    assert read == manifest
