# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two fingerprints are compared: what is the same matches, and whatever is lost is named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.postgres.compare import compare

Fingerprint = dict[str, Any]


def fingerprint(**changes: Any) -> Fingerprint:
    """Of a small shop: two tables, one of them in two partitions, and one of everything else."""
    return {
        "level": "digest",
        "algorithm": "sum/1",
        "canary": "4711",
        "properties": {
            "encoding": "UTF8",
            "collate": "C.UTF-8",
            "ctype": "C.UTF-8",
            "provider": "libc",
            "locale": None,
            "collation_version_actual": "2.36",
        },
        "extensions": {"plpgsql": "1.0", "vector": "0.8.0"},
        "tables": {
            "shop.customers": {"rows": 10, "digest": "12:-34"},
            "shop.orders_2025": {"rows": 5, "digest": "5:6", "root": "shop.orders"},
            "shop.orders_2026": {"rows": 7, "digest": "7:8", "root": "shop.orders"},
            "shop.empty": {"rows": 0, "digest": "0:0"},
        },
        "sequences": {"shop.customers_id_seq": {"low": 10, "high": 12, "called": True}},
        "schema_objects": {"table shop.customers": "ab" * 16, "index shop.customers_pkey": "cd" * 16},
        "materialized_views": {"shop.sales": True, "shop.draft": False},
        "large_objects": {"count": 2, "bytes": 4096, "digest": "1:2"},
        **changes,
    }


def change(path: str, value: Any) -> Fingerprint:
    """The fingerprint with one value changed; `...` as the value takes it away."""
    facts = fingerprint()
    where = facts
    *sections, key = path.split("/")
    for section in sections:
        where = where[section]
    if value is ...:
        del where[key]
    else:
        where[key] = value
    return facts


LOST = [
    ("tables/shop.customers", ..., "table shop.customers is missing"),
    ("tables/shop.customers/rows", 9, "table shop.customers has 9 rows, expected 10"),
    ("tables/shop.customers/rows", 11, "table shop.customers has 11 rows, expected 10"),
    ("tables/shop.customers/digest", "12:-35", "table shop.customers has 10 rows as expected, but other content"),
    ("tables/shop.empty/rows", 1, "table shop.empty has 1 rows, expected 0"),
    ("tables/shop.new", {"rows": 0, "digest": "0:0"}, "table shop.new was not in the backup"),
    ("tables/shop.orders_2026/rows", 6, "table shop.orders_2026 has 6 rows, expected 7"),
    ("tables/shop.orders_2026/digest", "7:9", "table shop.orders_2026 has 7 rows as expected, but other content"),
    ("tables/shop.orders_2026", ..., "table shop.orders_2026 is missing"),
    ("sequences/shop.customers_id_seq", ..., "sequence shop.customers_id_seq is missing"),
    ("sequences/shop.customers_id_seq/high", 13, "stands at 13 (called: True), expected between 10 and 12"),
    ("sequences/shop.customers_id_seq/low", 9, "sequence shop.customers_id_seq stands at"),
    ("sequences/shop.customers_id_seq/called", False, "(called: False)"),
    ("schema_objects/index shop.customers_pkey", ..., "index shop.customers_pkey is missing"),
    ("schema_objects/table shop.customers", "ef" * 16, "table shop.customers is defined otherwise"),
    ("schema_objects/rule shop.x", "ef" * 16, "rule shop.x was not in the backup"),
    ("large_objects/count", 1, "1 large objects, expected 2"),
    ("large_objects/digest", "1:3", "2 large objects as expected, but other content"),
    ("large_objects/bytes", 4095, "2 large objects as expected, but other content"),
    ("materialized_views/shop.sales", False, "materialized view shop.sales is not populated"),
    ("materialized_views/shop.draft", True, "materialized view shop.draft is populated"),
    ("extensions/vector", ..., "extension vector is missing"),
    ("properties/encoding", "LATIN1", "encoding is LATIN1, was UTF8"),
]


def test_the_same_is_a_match() -> None:
    assert compare(fingerprint(), fingerprint()) == {
        "verdict": "match",
        "level": "digest",
        "differences": [],
        "warnings": [],
        "tables": 4,
        "rows": 22,
    }


@pytest.mark.parametrize(("path", "value", "named"), LOST)
def test_whatever_is_not_as_it_was_is_named(path: str, value: Any, named: str) -> None:
    result = compare(fingerprint(), change(path, value))
    assert result["verdict"] == "mismatch"
    assert any(named in text for text in result["differences"]), result["differences"]
    if "orders" not in path:
        assert len(result["differences"]) == 1


WITHOUT_LOSS = [
    ("properties/collate", "de_DE.UTF-8", "collation is de_DE.UTF-8, was C.UTF-8"),
    ("properties/ctype", "de_DE.UTF-8", "character classification is de_DE.UTF-8"),
    ("properties/provider", "icu", "locale provider is icu, was libc"),
    ("properties/locale", "de-DE", "locale is de-DE, was None"),
    ("properties/collation_version_actual", "2.41", "the collation library is at version 2.41, was 2.36"),
    ("extensions/vector", "0.8.1", "extension vector is at version 0.8.1, was 0.8.0"),
]


@pytest.mark.parametrize(("path", "value", "named"), WITHOUT_LOSS)
def test_what_may_differ_without_loss_is_a_warning(path: str, value: Any, named: str) -> None:
    result = compare(fingerprint(), change(path, value))
    assert result["verdict"] == "match"
    assert [named in text for text in result["warnings"]] == [True]


def test_rows_may_move_between_partitions_but_not_change() -> None:
    moved = fingerprint()
    moved["tables"]["shop.orders_2025"].update(rows=4, digest="2:3")
    moved["tables"]["shop.orders_2026"].update(rows=8, digest="10:11")
    assert compare(fingerprint(), moved)["verdict"] == "match"
    moved["tables"]["shop.orders_2026"]["digest"] = "10:12"
    assert compare(fingerprint(), moved)["verdict"] == "mismatch"


def test_rows_that_were_left_out_on_purpose_are_no_loss() -> None:
    expected = fingerprint()
    expected["tables"]["shop.customers"]["excluded"] = True
    restored = change("tables/shop.customers/rows", 0)
    restored["sequences"]["shop.customers_id_seq"] = {"low": 1, "high": 1, "called": False}
    result = compare(expected, restored)
    assert (result["verdict"], result["tables"], result["rows"]) == ("match", 3, 12)
    assert compare(expected, fingerprint())["differences"] == ["table shop.customers has 10 rows, expected 0"]


def test_a_sequence_that_went_on_while_it_was_dumped_may_stand_anywhere_in_between() -> None:
    expected = change("sequences/shop.customers_id_seq", {"low": 10, "high": 20, "called": None})
    for value, called, verdict in ((10, False, "match"), (15, True, "match"), (21, True, "mismatch")):
        found = change("sequences/shop.customers_id_seq", {"low": value, "high": value, "called": called})
        assert compare(expected, found)["verdict"] == verdict


@pytest.mark.parametrize(("expected", "found"), [("none", "digest"), ("digest", "none"), ("none", "none")])
def test_without_a_fingerprint_nothing_is_called_a_match(expected: str, found: str) -> None:
    result = compare(fingerprint(level=expected), fingerprint(level=found))
    assert (result["verdict"], result["differences"], result["rows"]) == ("not_compared", [], 0)


def test_counts_are_compared_as_counts() -> None:
    other = change("tables/shop.customers/digest", None)
    other["large_objects"]["digest"] = None
    result = compare({**fingerprint(), "level": "counts"}, {**other, "level": "counts"})
    assert (result["verdict"], result["level"]) == ("match", "counts")


@pytest.mark.parametrize(("key", "value"), [("canary", "1174"), ("algorithm", "sum/2")])
def test_digests_of_another_machine_are_not_compared_and_that_is_said(key: str, value: str) -> None:
    other = change(key, value)
    other["tables"]["shop.customers"]["digest"] = "0:0"
    result = compare(fingerprint(), other)
    assert (result["verdict"], result["level"]) == ("match", "counts")
    assert "content digests were not compared" in result["warnings"][0]
    other["tables"]["shop.customers"]["rows"] = 1
    assert compare(fingerprint(), other)["verdict"] == "mismatch"


def test_large_objects_that_could_not_be_read_are_counted() -> None:
    expected = change("large_objects", {"count": 2, "bytes": None, "digest": None})
    assert compare(expected, fingerprint())["verdict"] == "match"
    assert compare(expected, change("large_objects/count", 3))["verdict"] == "mismatch"


def test_of_many_differences_the_first_are_named_and_the_rest_is_counted() -> None:
    many = {f"t{n:03}": {"rows": 1, "digest": "1:1"} for n in range(120)}
    result = compare(fingerprint(tables=many), fingerprint(tables={}))
    assert len(result["differences"]) == 51
    assert result["differences"][-1] == "and 70 more"


digests = st.tuples(st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70)).map(lambda pair: f"{pair[0]}:{pair[1]}")
names = st.text(min_size=1, max_size=8)


@st.composite
def fingerprints(draw: st.DrawFn) -> Fingerprint:
    tables: dict[str, Any] = {}
    for name in draw(st.lists(names, unique=True, max_size=6)):
        tables[name] = {"rows": draw(st.integers(0, 10**12)), "digest": draw(digests)}
        if draw(st.booleans()):
            tables[name]["root"] = draw(st.sampled_from(["one", "two"]))
    values = st.fixed_dictionaries({"low": st.integers(1, 9), "high": st.integers(9, 20), "called": st.booleans()})
    return fingerprint(
        level=draw(st.sampled_from(["counts", "digest"])),
        tables=tables,
        sequences=draw(st.dictionaries(names, values, max_size=4)),
        schema_objects=draw(st.dictionaries(names, st.text("abcdef", min_size=4, max_size=4), max_size=4)),
        materialized_views=draw(st.dictionaries(names, st.booleans(), max_size=2)),
    )


@given(fingerprints())
def test_everything_matches_itself(facts: Fingerprint) -> None:
    result = compare(facts, copy.deepcopy(facts))
    assert (result["verdict"], result["level"], result["differences"]) == ("match", facts["level"], [])
    assert (result["tables"], result["rows"]) == (
        len(facts["tables"]),
        sum(t["rows"] for t in facts["tables"].values()),
    )


Change = Callable[[Fingerprint, str], object]
CHANGES: list[tuple[str, Change]] = [
    ("tables", lambda facts, name: facts["tables"].pop(name)),
    ("tables", lambda facts, name: facts["tables"][name].update(rows=facts["tables"][name]["rows"] + 1)),
    ("sequences", lambda facts, name: facts["sequences"].pop(name)),
    ("sequences", lambda facts, name: facts["sequences"][name].update(high=facts["sequences"][name]["high"] + 1)),
    ("schema_objects", lambda facts, name: facts["schema_objects"].pop(name)),
    ("schema_objects", lambda facts, name: facts["schema_objects"].update({name: "other"})),
]


@given(fingerprints(), st.sampled_from(CHANGES), st.data())
def test_any_single_change_is_named(facts: Fingerprint, kind: tuple[str, Change], data: st.DataObject) -> None:
    section, apply = kind
    if not facts[section]:
        return
    name = data.draw(st.sampled_from(sorted(facts[section])))
    changed = copy.deepcopy(facts)
    apply(changed, name)
    result = compare(facts, changed)
    assert result["verdict"] == "mismatch"
    assert any(name in text for text in result["differences"])


@given(fingerprints(), st.data())
def test_any_change_of_content_is_named(facts: Fingerprint, data: st.DataObject) -> None:
    facts["level"] = "digest"
    if not facts["tables"]:
        return
    name = data.draw(st.sampled_from(sorted(facts["tables"])))
    changed = copy.deepcopy(facts)
    changed["tables"][name]["digest"] = data.draw(digests)
    same = changed["tables"][name]["digest"] == facts["tables"][name]["digest"]
    result = compare(facts, changed)
    assert result["verdict"] == ("match" if same else "mismatch")
    assert same or any(name in text for text in result["differences"])
