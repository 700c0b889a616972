# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tables, sequences and large objects of a database hold, counted and digested by the server.

The digest of a table is a pair of sums over its rows::

    sum(hashtextextended(r, 0)), sum(hashtextextended(r, 1))     with r = ROW(columns…)::text

A sum does not depend on the order of the rows, and unlike an exclusive-or it counts duplicates. Each
term is a 64-bit hash with its own seed and the sums are exact (``numeric``, not modulo 2**64).

Collision bound: modelling the two hashes as independent and uniform, two tables that differ in at least
one row (as multisets) have equal pairs with probability at most 2**-128; relying on only one of the two
hashes, 2**-64. The row count is compared besides. The hash is not a cryptographic one: it finds loss and
damage, it is no defence against somebody who forges rows on purpose.

``hashtextextended`` is the server's own (PostgreSQL 11 and later) and is what hash partitioning relies
on, so it keeps its values across releases; it depends on the byte order of the machine. A canary value
is stored with each fingerprint, and digests are compared only where the canaries agree.
Measured on PostgreSQL 15: 2.6 times as fast as the same pair of sums taken from md5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Optional

from .rows import one_row
from .snapshot import USER_RELATIONS

if TYPE_CHECKING:
    from .rows import Rows

ALGORITHM = "sum(hashtextextended(row::text, 0..1))/1"
_CANARY = "SELECT pg_catalog.hashtextextended('holdfast', 0)::text"
_SEQUENCES_AT_ONCE = 100

#: Columns in the order of their names: a restored child table may have another order than the original.
#: Generated columns are left out: they are computed again, and their definition is in the schema digest.
_TABLES = (
    """
    SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, c.relpersistence, coalesce(pg_table_size(c.oid), 0),
    CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::regclass::text END,
    (SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attname COLLATE "C") FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')
"""
    + USER_RELATIONS
    + " AND c.relkind = 'r' ORDER BY 4 DESC, 2"
)


def canary(connection: Rows) -> str:
    """The hash of a fixed text: equal canaries mean comparable digests."""
    return str(one_row(connection, _CANARY)[0])


def list_tables(connection: Rows) -> list[tuple[int, str, str, int, Optional[str], Optional[str]]]:
    """Every ordinary table and leaf partition, largest first: oid, name, persistence, size in bytes, root, columns.

    Partitioned parents have no rows of their own and are not listed, so every row is counted once.
    """
    return connection.execute(_TABLES.encode()).fetchall()


def digest_tables(connection: Rows, level: str) -> dict[str, dict[str, Any]]:
    """Count and digest every table in the connection's snapshot.

    :param level: ``counts`` or ``digest``.
    :returns: by table name: ``oid``, ``rows``, ``digest`` (None for ``counts`` and tables without columns),
        for a partition its ``root``, and ``unlogged`` for tables that a crash empties.
    """
    result: dict[str, dict[str, Any]] = {}
    for oid, name, persistence, _size, root, columns in list_tables(connection):
        rows, digest = _count_or_digest(connection, name, columns if level == "digest" else None)
        result[name] = {"oid": oid, "rows": rows, "digest": digest}
        if root is not None:
            result[name]["root"] = root
        if persistence == "u":
            result[name]["unlogged"] = True
    return result


def _count_or_digest(connection: Rows, table: str, columns: Optional[str]) -> tuple[int, Optional[str]]:
    if columns is None:
        return int(one_row(connection, f"SELECT count(*) FROM ONLY {table}")[0]), None
    # OFFSET 0 keeps the planner from copying the row's text into both hash calls and computing it twice.
    row = one_row(
        connection,
        f"SELECT count(*), coalesce(sum(hashtextextended(r, 0)), 0)::text, coalesce(sum(hashtextextended(r, 1)), 0)::text"
        f' FROM (SELECT ROW({columns})::text COLLATE "C" AS r FROM ONLY {table} OFFSET 0) AS rows',
    )
    return int(row[0]), f"{row[1]}:{row[2]}"


def read_sequences(connection: Rows) -> dict[str, list[Any]]:
    """By sequence name: ``[last_value, is_called]``. Sequences stand outside of every snapshot."""
    names = connection.execute(
        b"SELECT format('%I.%I', n.nspname, c.relname), format('%L', format('%I.%I', n.nspname, c.relname))"
        + USER_RELATIONS.encode()
        + b" AND c.relkind = 'S' ORDER BY 1"
    ).fetchall()
    values: dict[str, list[Any]] = {}
    for first in range(0, len(names), _SEQUENCES_AT_ONCE):
        part = names[first : first + _SEQUENCES_AT_ONCE]
        query = " UNION ALL ".join(f"SELECT {literal}, last_value, is_called FROM {name}" for name, literal in part)
        values.update({name: [last, called] for name, last, called in connection.execute(query.encode())})
    return values


def sequence_ranges(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> dict[str, dict[str, Any]]:
    """What a dump taken between two readings may hold: the values of both, and whether it was quiet meanwhile."""
    ranges: dict[str, dict[str, Any]] = {}
    for name, (first, called) in before.items():
        last, called_later = after.get(name, [first, called])
        ranges[name] = {
            "low": min(first, last),
            "high": max(first, last),
            "called": called if called == called_later else None,
        }
    return ranges


def digest_large_objects(connection: Rows, level: str) -> tuple[dict[str, Any], Optional[str]]:
    """Count, size and digest of all large objects.

    Pages are hashed without their trailing zeros, and empty ones not at all: a restore fills the holes of
    a sparse object with zeros.

    :returns: the facts, and what could not be looked at (None: nothing).
    """
    count, readable = one_row(
        connection,
        "SELECT count(*), has_table_privilege('pg_catalog.pg_largeobject', 'SELECT') FROM pg_largeobject_metadata",
    )
    facts: dict[str, Any] = {"count": count, "bytes": None, "digest": None}
    if level != "digest" or count == 0:
        return facts, None
    if not readable:
        return (
            facts,
            f"the content of {count} large objects is not in the fingerprint: this account may not read pg_largeobject",
        )
    row = one_row(
        connection,
        "SELECT coalesce(sum(hashtextextended(r, 0)) FILTER (WHERE d <> ''), 0)::text, coalesce(sum(hashtextextended(r, 1)) FILTER (WHERE d <> ''), 0)::text,"
        " (SELECT coalesce(sum(top), 0)::bigint FROM (SELECT max(pageno::bigint * 2048 + octet_length(data)) AS top FROM pg_largeobject GROUP BY loid) s)"
        ' FROM (SELECT d, ROW(loid, pageno, d)::text COLLATE "C" AS r FROM'
        " (SELECT loid, pageno, rtrim(data, '\\x00'::bytea) AS d FROM pg_largeobject OFFSET 0) p OFFSET 0) q",
    )
    return {"count": count, "digest": f"{row[0]}:{row[1]}", "bytes": row[2]}, None


def materialized_views(connection: Rows) -> Iterator[tuple[str, bool]]:
    """Name and whether it is populated. A restore refreshes them, so their rows are not compared."""
    yield from connection.execute(
        b"SELECT format('%I.%I', n.nspname, c.relname), c.relispopulated"
        + USER_RELATIONS.encode()
        + b" AND c.relkind = 'm' ORDER BY 1"
    )
