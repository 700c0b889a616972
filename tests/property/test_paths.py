# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that lead somewhere: whatever a database is called, it stays what and where it is."""

from __future__ import annotations

import string
from contextlib import suppress
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from holdfast.errors import ConfigError, PreflightError
from holdfast.operations.backup import parse_age
from holdfast.operations.dump import directory_of
from holdfast.postgres.options import Compression
from holdfast.postgres.place import quote_conninfo
from holdfast.postgres.properties import beside_name, split_names
from holdfast.reporting.text import duration, joined, size, table, visible

generously = settings(max_examples=200)

# Any name that PostgreSQL takes: at most 63 bytes of UTF-8, without NUL.
database_names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=63
).filter(lambda name: len(name.encode()) <= 63)
ODD = ["..", ".", "../x", "/etc", "-v", "a/b", "%2E", "a\nb", "dbname=x", "'", "\\", '"', " ", "~", "ä", "数据", "CON"]


@generously
@given(database_names)
@pytest.mark.parametrize("odd", [None, *ODD])
def test_a_dump_stays_within_its_set(odd: str | None, name: str) -> None:
    path = directory_of(odd or name)
    assert len(PurePosixPath(path).parts) == 2
    assert ".." not in path
    folder = PurePosixPath(path).name
    assert folder[0] not in "-."
    assert set(folder) <= set(string.ascii_letters + string.digits + "_-~%")
    assert len(folder) <= 255
    assert unquote(folder) == (odd or name)


@generously
@given(st.lists(database_names, unique=True, max_size=20))
def test_no_two_databases_share_a_directory(names: list[str]) -> None:
    assert len({directory_of(name) for name in names}) == len(names)


@generously
@given(
    st.dictionaries(
        st.sampled_from(["dbname", "host", "user", "passfile", "service"]),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    ),
    st.integers(1, 65535) | st.none(),
)
@example({"dbname": "x' host='evil"}, 1)
@example({"dbname": "postgresql://evil/x"}, 1)
@example({"dbname": "a\\"}, None)
@example({"dbname": "host=evil"}, None)
def test_libpq_reads_a_connection_string_as_it_was_meant(params: dict[str, Any], port: int | None) -> None:
    given_ = {**params, "port": port}
    meant = {key: str(value) for key, value in given_.items() if value is not None}
    assert conninfo_to_dict(quote_conninfo(given_)) == meant


tags = st.sampled_from(["before_20261122t101500", "restoring_20261122t101500"])


@generously
@given(database_names, tags)
def test_a_name_beside_another_fits_and_says_of_which(name: str, tag: str) -> None:
    beside = beside_name(name, tag)
    assert len(beside.encode()) <= 63
    assert beside.endswith("_" + tag)
    assert name.startswith(beside[: -len(tag) - 1])
    assert beside != name


@generously
@given(st.text("aä数😀", min_size=63, max_size=80), tags)
def test_a_long_name_is_cut_at_a_whole_character(name: str, tag: str) -> None:
    start = beside_name(name, tag)[: -len(tag) - 1]
    room = 63 - len(tag) - 1
    assert room - 3 <= len(start.encode()) <= room


setting_names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@generously
@given(st.lists(setting_names, max_size=6))
def test_a_list_of_quoted_names_is_split_where_it_was_joined(names: list[str]) -> None:
    stored = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    assert split_names(stored) == names


@generously
@given(st.lists(st.from_regex(r"[a-z_][a-z0-9_$]{0,20}", fullmatch=True), max_size=6))
def test_a_list_of_plain_names_is_split_where_it_was_joined(names: list[str]) -> None:
    assert split_names(", ".join(names)) == names


@generously
@given(st.text('ab", ', max_size=30))
def test_a_list_is_split_or_refused(text: str) -> None:
    try:
        names = split_names(text)
    except PreflightError:
        return
    assert len(names) <= text.count(",") + text.count('"') + 1


@generously
@given(st.integers(0, 10**6), st.sampled_from(["s", "m", "h", "d", "w", ""]))
def test_an_age_is_its_number_of_units(number: int, unit: str) -> None:
    seconds = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[unit]
    assert parse_age(f"{number}{unit}") == timedelta(seconds=number * seconds)


@generously
@given(st.text(max_size=8))
@example("²h")
@example("")
def test_an_age_is_read_or_refused(text: str) -> None:
    with suppress(ConfigError):
        assert parse_age(text) >= timedelta(0)


@generously
@given(st.text(max_size=8) | st.from_regex(r"(gzip|zstd|lz4|none|auto):?[0-9]{0,2}", fullmatch=True))
@example("zstd:²")
def test_a_compression_is_read_or_refused(text: str) -> None:
    with suppress(ConfigError):
        chosen = Compression.parse(text)
        assert Compression.parse(str(chosen)) == chosen
        assert chosen.as_option()


@generously
@given(st.text(max_size=40))
def test_what_is_shown_is_printable_and_otherwise_as_it_was(text: str) -> None:
    assert visible(text).isprintable()
    assert visible(text) == text or not text.isprintable()


@generously
@given(st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_each_part_is_one_line(parts: list[str]) -> None:
    assert len(joined(parts).split("\n")) == len(parts)


cells = st.text(max_size=12)


@generously
@given(st.lists(st.tuples(cells, cells), max_size=5))
def test_a_table_has_one_line_a_row(rows: list[tuple[str, str]]) -> None:
    shown = table(["NAME", "STATE"], rows).split("\n")
    assert len(shown) == len(rows) + 1
    assert all(line == line.rstrip() for line in shown)


@generously
@given(st.integers(0, 2**70))
def test_a_size_is_short(count: int) -> None:
    number, unit = size(count).split(" ")
    assert unit in ("B", "KiB", "MiB", "GiB", "TiB")
    assert float(number) < 1024.1 or unit == "TiB"


@generously
@given(st.floats(0, 10**9, allow_nan=False))
def test_a_duration_is_never_empty(seconds: float) -> None:
    parts = duration(seconds).split(" ")
    assert 1 <= len(parts) <= 2
    assert all(part[-1] in "dhms" for part in parts)
