# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A printed expression is the same after a dump and a restore, and another one stays another."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.postgres.schema import normalise

generously = settings(max_examples=200)

# Pairs that one server printed before a dump, and after it was restored.
SAME = [
    (
        "(x)::text = ANY ((ARRAY['a'::character varying])::text[])",
        "(x)::text = ANY (ARRAY[('a'::character varying)::text])",
    ),
    ("((a > 0) AND (b > 0))", "(a > 0) AND (b > 0)"),
    ("'2026-01-01'::timestamp without time zone", "'2026-01-01'::timestamp(0) without time zone"),
    ("x::numeric(10,2)", "x"),
    ("x::double precision", "x"),
    ('\'{}\'::"Shop EU"."Status"[]', "'{}'"),
    ('lower(name)\n  COLLATE "C"', 'lower(name) COLLATE "C"'),
]
OTHER = [
    ("a > 0", "a > 1"),
    ("a > 0", "a >= 0"),
    ("'a b'", "'ab'"),
    ("'(a)'", "'a'"),
    ("'x::text'", "'x'"),
    ("'it''s'", "'its'"),
    ("a AND b", "a OR b"),
    ("lower(a)", "upper(a)"),
    ("''", "' '"),
]

strings = st.text("ab ():'\n", max_size=12).map(lambda text: "'" + text.replace("'", "''") + "'")
atoms = st.sampled_from(["a", "b", "price", "0", "17"]) | strings
casts = st.sampled_from(["::text", "::character varying(10)", "::timestamp with time zone", "::int[]", '::"T x"."y"'])


def grown(inner: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    """The same expression twice: plain, and as another parse tree may be printed."""
    operator = st.sampled_from([" = ", " > ", " + ", " AND ", " || "])
    both = st.tuples(inner, operator, inner).map(lambda t: (t[0][0] + t[1] + t[2][0], t[0][1] + t[1] + t[2][1]))
    cast = st.tuples(inner, casts).map(lambda t: (t[0][0], f"({t[0][1]}){t[1]}"))
    parenthesised = inner.map(lambda pair: (pair[0], f"({pair[1]})"))
    broken = inner.map(lambda pair: (pair[0], f"\n   {pair[1]} "))
    return both | cast | parenthesised | broken


expressions = st.recursive(atoms.map(lambda text: (text, text)), grown, max_leaves=8)


@pytest.mark.parametrize(("before", "after"), SAME)
def test_one_expression_printed_twice_is_one(before: str, after: str) -> None:
    assert normalise(before) == normalise(after)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_two_expressions_are_two(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@generously
@given(expressions)
def test_casts_parentheses_and_white_space_make_no_difference(pair: tuple[str, str]) -> None:
    plain, printed = pair
    assert normalise(plain) == normalise(printed)


@generously
@given(expressions)
def test_what_is_normal_stays_so(pair: tuple[str, str]) -> None:
    once = normalise(pair[1])
    assert normalise(once) == once


@generously
@given(expressions, strings, strings)
def test_a_text_in_quotes_is_compared_to_the_letter(pair: tuple[str, str], one: str, other: str) -> None:
    equal = normalise(f"{pair[0]} = {one}") == normalise(f"{pair[1]} = {other}")
    assert equal == (one == other)
