"""A fingerprint changes when the data change, names what has changed, and changes for nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from holdfast.postgres.compare import compare
from tests.support import sample
from tests.support.backups import tidied
from tests.support.fingerprints import digest, fingerprint
from tests.support.servers import Server


class Damage(NamedTuple):
    """What is done to the sample, and what is said of it."""

    statements: str
    said: str


DAMAGES = {
    "a row deleted": Damage('DELETE FROM "-leading dash"', 'table public."-leading dash" has 0 rows, expected 1'),
    "a row added": Damage(
        'INSERT INTO "Mixed Case".customer VALUES (9)', 'table "Mixed Case".customer has 1 rows, expected 0'
    ),
    "one byte of a text": Damage(
        "UPDATE public.times SET span = span + interval '1 us' WHERE id = 4",
        "table public.times has 6 rows as expected, but other content",
    ),
    "one byte deep in a long text": Damage(
        "ALTER TABLE public.texts DISABLE TRIGGER ALL;"
        " UPDATE public.texts SET value = overlay(value placing 'X' from 500000) WHERE id = 9;"
        ' ALTER TABLE public.texts ENABLE TRIGGER ALL; ALTER TABLE public.texts ENABLE ALWAYS TRIGGER "Always, too";'
        " ALTER TABLE public.texts DISABLE TRIGGER switched_off",
        "table public.texts has 11 rows as expected, but other content",
    ),
    "one byte of a bytea": Damage(
        "UPDATE public.oddities SET raw = set_byte(raw, 200, 7) WHERE id = 4",
        "table public.oddities has 4 rows as expected, but other content",
    ),
    "two values swapped between rows": Damage(
        "UPDATE public.was_wider SET kept = CASE WHEN kept IS NULL THEN 'kept' END WHERE ctid IN"
        " ((SELECT min(ctid) FROM public.was_wider WHERE id = 1), (SELECT min(ctid) FROM public.was_wider WHERE id = 2))",
        "table public.was_wider has 3 rows as expected, but other content",
    ),
    "two values swapped within a row": Damage(
        'UPDATE "Mixed Case"."Customer\'s ""best"" table" SET "select" = "with space", "with space" = "select"',
        'table "Mixed Case"."Customer\'s ""best"" table" has 1 rows as expected, but other content',
    ),
    "an option of a column": Damage(
        "ALTER TABLE public.texts ALTER value SET (n_distinct = 7)", "column public.texts.value is defined otherwise"
    ),
    "NULL became empty": Damage(
        "UPDATE public.was_wider SET kept = '' WHERE kept IS NULL",
        "table public.was_wider has 3 rows as expected, but other content",
    ),
    "empty became NULL": Damage(
        "UPDATE public.oddities SET words = NULL WHERE words = ''",
        "table public.oddities has 4 rows as expected, but other content",
    ),
    "the last digit of a float": Damage(
        "UPDATE public.measured SET value = value + 1.2e-16 WHERE value BETWEEN 0.5 AND 0.51 AND at < '2025-01-01'",
        "table public.measured_2024 has 1255 rows as expected, but other content",
    ),
    "the scale of a numeric": Damage(
        "UPDATE public.numbers SET exact = 1.000 WHERE exact::text = '1.00'",
        "table public.numbers has 8 rows as expected, but other content",
    ),
    "the bounds of an array": Damage(
        "UPDATE public.arrays SET numbers = '{1,2,3}' WHERE id = 4",
        "table public.arrays has 4 rows as expected, but other content",
    ),
    "one duplicate less and another more": Damage(
        "INSERT INTO public.was_wider SELECT * FROM public.was_wider WHERE id = 1;"
        " DELETE FROM public.was_wider WHERE ctid = (SELECT max(ctid) FROM public.was_wider WHERE id = 2)",
        "table public.was_wider has 3 rows as expected, but other content",
    ),
    "a row moved between range partitions": Damage(
        "UPDATE public.measured SET at = at + interval '3 years' WHERE at = (SELECT min(at) FROM public.measured)",
        "table public.measured_rest has",
    ),
    "a table dropped": Damage('DROP TABLE "../up"', 'table public."../up" is missing'),
    "a table added": Damage("CREATE TABLE public.added (id integer)", "table public.added was not in the backup"),
    "a sequence set back": Damage(
        "SELECT setval('public.was_set', 40, false)",
        "sequence public.was_set stands at 40 (called: False), expected 41",
    ),
    "a sequence called": Damage(
        "SELECT nextval('public.never_called')", "sequence public.never_called stands at 1 (called: True), expected 1"
    ),
    "an index dropped": Damage("DROP INDEX public.texts_even", "index public.texts_even is missing"),
    "a default changed": Damage(
        "ALTER TABLE public.was_wider ALTER later SET DEFAULT 'other'",
        "column public.was_wider.later is defined otherwise",
    ),
    "a type changed": Damage(
        "ALTER TABLE public.unlogged ALTER value TYPE varchar(99)", "column public.unlogged.value is defined otherwise"
    ),
    "a constraint dropped": Damage(
        'ALTER TABLE public.computed DROP CONSTRAINT "cheap or few"',
        'constraint public.computed."cheap or few" is missing',
    ),
    "a grant revoked": Damage(
        "REVOKE SELECT ON public.numbers FROM sample_reader", "relation public.numbers is defined otherwise"
    ),
    "a grant on a column revoked": Damage(
        "REVOKE UPDATE (value) ON public.texts FROM sample_reader", "column public.texts.value is defined otherwise"
    ),
    "a function's body changed": Damage(
        "CREATE OR REPLACE PROCEDURE types.nothing(INOUT value integer DEFAULT 1) LANGUAGE plpgsql AS $$ BEGIN  END $$",
        "function types.nothing(integer) is defined otherwise",
    ),
    "a trigger switched off": Damage(
        "ALTER TABLE public.texts DISABLE TRIGGER remember", "trigger public.texts.remember is defined otherwise"
    ),
    "a view changed": Damage(
        "CREATE OR REPLACE VIEW public.open_computed AS SELECT * FROM public.computed WHERE status = 'new'",
        "relation public.open_computed is defined otherwise",
    ),
    "a policy dropped": Damage("DROP POLICY own_rows ON public.parent", "policy public.parent.own_rows is missing"),
    "a comment changed": Damage(
        "COMMENT ON TABLE public.texts IS 'x'", "comment table public.texts is defined otherwise"
    ),
    "an owner changed": Damage(
        'ALTER TABLE "Mixed Case"."Customer" OWNER TO postgres', 'relation "Mixed Case"."Customer" is defined otherwise'
    ),
    "a label of an enum added": Damage("ALTER TYPE types.mood ADD VALUE 'new'", "type types.mood is defined otherwise"),
    "a large object changed": Damage(
        "SELECT lo_put(9000003, 30000, 'x')", "4 large objects as expected, but other content"
    ),
    "a large object dropped": Damage("SELECT lo_unlink(9000002)", "3 large objects, expected 4"),
    "a materialized view emptied": Damage(
        "REFRESH MATERIALIZED VIEW public.fresh WITH NO DATA", "materialized view public.fresh is not populated"
    ),
}

OTHER_SETTINGS = {
    "DateStyle": "'SQL, DMY'", "IntervalStyle": "'iso_8601'", "TimeZone": "'America/St_Johns'", "extra_float_digits": "-15",
    "bytea_output": "'escape'", "search_path": "'types', 'public', 'Mixed Case'", "lc_monetary": "'C.UTF-8'",
    "lc_numeric": "'C.UTF-8'", "quote_all_identifiers": "on", "xmlbinary": "'hex'", "row_security": "on",
    "default_transaction_read_only": "on", "statement_timeout": "'1ms'", "array_nulls": "off",
    "default_transaction_isolation": "'serializable'", "enable_seqscan": "off", "backslash_quote": "off",
    "client_encoding": "'LATIN1'", "transform_null_equals": "on",
}  # fmt: skip


@pytest.fixture(scope="module")
def original(server18: Server) -> Iterator[str]:
    """A database with the sample, which nobody changes."""
    with tidied(server18):
        yield sample.load(server18, server18.create_database("original"))


@pytest.fixture(scope="module")
def expected(server18: Server, original: str) -> dict[str, Any]:
    return fingerprint(server18, original)


@pytest.fixture
def copy(server18: Server, original: str) -> Iterator[str]:
    """A copy of the sample, byte for byte."""
    server18.query(f"CREATE DATABASE copy TEMPLATE {original} STRATEGY file_copy")
    yield "copy"
    server18.drop_database("copy")


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_found_and_named(server18: Server, expected: dict[str, Any], copy: str, damage: Damage) -> None:
    server18.psql(damage.statements, copy)
    require_named(compare(expected, fingerprint(server18, copy)), damage)


@pytest.mark.parametrize("other", ["server16", "distribution_server"])
def test_damage_is_found_and_named_on_other_servers(other: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(other)
    with tidied(server):
        sample.load(server, server.create_database("damaged"))
        before = fingerprint(server, "damaged")
        for damage in DAMAGES.values():
            server.psql(damage.statements, "damaged")
            after = fingerprint(server, "damaged")
            require_named(compare(before, after), damage)
            before = after


def test_counts_alone_do_not_see_content(server18: Server, copy: str) -> None:
    before = fingerprint(server18, copy, "counts")
    server18.psql("UPDATE public.arrays SET words = '{x}'", copy)
    assert compare(before, fingerprint(server18, copy, "counts"))["verdict"] == "match"
    server18.psql("DELETE FROM public.arrays WHERE id = 1", copy)
    assert compare(before, fingerprint(server18, copy, "counts"))["verdict"] == "mismatch"


@pytest.mark.parametrize("whose", ["DATABASE copy", "ROLE reader", "ROLE reader IN DATABASE copy"])
def test_settings_change_nothing(server18: Server, expected: dict[str, Any], copy: str, whose: str) -> None:
    with tidied(server18):
        server18.query("CREATE ROLE reader SUPERUSER LOGIN")
        for setting, value in OTHER_SETTINGS.items():
            server18.query(f"ALTER {whose} SET {setting} = {value}")
        found = fingerprint(server18, copy, user="reader")
        for part in ("tables", "sequences", "schema_objects", "large_objects", "materialized_views", "canary"):
            assert without_oids(found[part]) == without_oids(expected[part]), part
        server18.query(f"ALTER {whose} RESET ALL")


def test_the_order_of_rows_on_disk_changes_nothing(server18: Server, copy: str) -> None:
    before = digest(fingerprint(server18, copy))
    server18.psql(
        "UPDATE public.was_wider SET id = id; UPDATE public.measured SET at = at WHERE place = 3;"
        " CLUSTER public.numbers; VACUUM FULL public.measured; VACUUM FULL pg_largeobject; ANALYZE",
        copy,
    )
    assert digest(fingerprint(server18, copy)) == before


def test_a_mark_of_the_servers_own_among_the_options_of_a_column_changes_nothing(server18: Server, copy: str) -> None:
    """Newer minor releases keep one there, another one in every database; no dump carries it."""
    server18.psql("ALTER TABLE public.texts ALTER value SET (n_distinct = 7)", copy)
    before = digest(fingerprint(server18, copy))
    server18.psql(
        "SET allow_system_table_mods = on; UPDATE pg_attribute SET attoptions = array['pg_attver=1'] || coalesce(attoptions, '{}')"
        " WHERE attrelid IN ('public.texts'::regclass, 'public.measured'::regclass)",
        copy,
    )
    assert digest(fingerprint(server18, copy)) == before


def test_what_a_table_was_before_changes_nothing(server18: Server, new_database: Callable[..., str]) -> None:
    grown, plain = new_database(server18), new_database(server18)
    server18.psql(
        "CREATE TABLE t (gone text, a integer); INSERT INTO t VALUES ('x', 1), ('y', NULL);"
        " ALTER TABLE t DROP COLUMN gone, ADD COLUMN b text DEFAULT 'b';"
        " CREATE TABLE child (b text, a integer); INSERT INTO child VALUES ('c', 2); ALTER TABLE child INHERIT t",
        grown,
    )
    server18.psql(
        "CREATE TABLE t (a integer, b text DEFAULT 'b'); INSERT INTO t VALUES (NULL), (1);"
        " CREATE TABLE child () INHERITS (t); ALTER TABLE child ALTER b DROP DEFAULT; INSERT INTO child VALUES (2, 'c')",
        plain,
    )
    result = compare(fingerprint(server18, grown), fingerprint(server18, plain))
    assert result["differences"] == []
    assert result["rows"] == 3


def require_named(result: dict[str, Any], damage: Damage) -> None:
    """The damage is named, and beside it at most what follows from it."""
    assert result["verdict"] == "mismatch"
    assert any(text.startswith(damage.said) for text in result["differences"]), result["differences"]
    assert len(result["differences"]) <= 4, result["differences"]


def without_oids(facts: Any) -> Any:
    """Facts of tables without their object ids."""
    if not isinstance(facts, dict):
        return facts
    return {key: without_oids(value) for key, value in facts.items() if key != "oid"}
