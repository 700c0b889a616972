# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be wrong inside of a database that holds all of its rows: constraints, sequences, collations, extensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .rows import one_row
from .snapshot import USER_RELATIONS

if TYPE_CHECKING:
    from .rows import Rows

_NOT_VALIDATED = """
SELECT format('%I.%I', n.nspname, c.relname), t.conname, t.contype::text
FROM pg_constraint t JOIN pg_class c ON c.oid = t.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.convalidated AND t.contype IN ('c', 'f', 'n') AND t.conparentid = 0 AND c.relkind IN ('r', 'p')
ORDER BY 1, 2
"""
_INVALID_INDEXES = (
    "SELECT format('%I.%I', n.nspname, c.relname)"
    + USER_RELATIONS
    + " AND c.relkind = 'i' AND EXISTS (SELECT FROM pg_index x WHERE x.indexrelid = c.oid AND NOT (x.indisvalid AND x.indisready))"
    " ORDER BY 1"
)
_DISABLED_TRIGGERS = """
SELECT format('%I.%I', n.nspname, c.relname), t.tgname
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.tgisinternal AND t.tgenabled = 'D' ORDER BY 1, 2
"""
#: Sequences that a column's default or identity takes its values from.
_OWNED = """
SELECT format('%I.%I', sn.nspname, s.relname), format('%I.%I', tn.nspname, t.relname), quote_ident(a.attname),
    q.seqincrement, q.seqcycle
FROM pg_depend d
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_sequence q ON q.seqrelid = s.oid
JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
JOIN pg_type y ON y.oid = a.atttypid AND y.typcategory = 'N'
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
AND t.relkind IN ('r', 'p') AND NOT a.attisdropped ORDER BY 1, 2, 3
"""
_COLLATIONS = """
SELECT format('%I.%I', n.nspname, c.collname), c.collversion, pg_collation_actual_version(c.oid)
FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE c.collversion IS DISTINCT FROM pg_collation_actual_version(c.oid) AND n.nspname <> 'pg_catalog' ORDER BY 1
"""


def constraints(connection: Rows) -> tuple[list[str], list[str]]:
    """Look for what the rows do not keep, though it is written in the schema.

    Constraints that were never validated are validated now: the database is a copy.

    :returns: what is wrong, and what is only odd, one sentence each.
    """
    import psycopg

    wrong = [f"index {name} is not valid" for (name,) in connection.execute(_INVALID_INDEXES.encode()).fetchall()]
    for table, trigger in connection.execute(_DISABLED_TRIGGERS.encode()).fetchall():
        wrong.append(f"trigger {trigger} of a foreign key on {table} is disabled, so the key is not enforced")
    odd = []
    for table, name, _kind in connection.execute(_NOT_VALIDATED.encode()).fetchall():
        try:
            quoted = name.replace('"', '""')
            connection.execute(f'ALTER TABLE {table} VALIDATE CONSTRAINT "{quoted}"'.encode())
            odd.append(f"constraint {name} of {table} is NOT VALID, but its rows all keep it")
        except psycopg.Error as error:
            wrong.append(f"constraint {name} of {table} is NOT VALID, and its rows break it: {_first_line(error)}")
    return wrong, odd


def sequences(connection: Rows) -> tuple[int, list[str]]:
    """Hold every sequence against the values of its column.

    :returns: how many were looked at, and those whose next value is not beyond all that are there.
    """
    behind = []
    owned = connection.execute(_OWNED.encode()).fetchall()
    for sequence, table, column, increment, cycles in owned:
        if cycles:
            continue
        last, called = one_row(connection, f"SELECT last_value, is_called FROM {sequence}")
        following = last + increment if called else last
        furthest = "max" if increment > 0 else "min"
        (value,) = one_row(connection, f"SELECT {furthest}({column}) FROM {table}")
        if value is not None and (following <= value if increment > 0 else following >= value):
            behind.append(
                f"sequence {sequence} gives {following} next, but {column} of {table} has {value}: the next row may be refused"
            )
    return len(owned), behind


def extensions(connection: Rows, expected: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Hold the extensions against those of the backup.

    :param expected: versions by name.
    :returns: what is missing, and what has another version, one sentence each.
    """
    found: dict[str, str] = dict(connection.execute("SELECT extname, extversion FROM pg_extension").fetchall())
    missing = [f"extension {name} ({expected[name]}) is missing" for name in sorted(set(expected) - set(found))]
    other = [
        f"extension {name} is at version {found[name]}, was {version}"
        for name, version in sorted(expected.items())
        if name in found and found[name] != version
    ]
    return missing, other


def collations(connection: Rows, expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Hold the versions of the collation library against those of the backup.

    :param expected: properties of the database in the backup; ``found``: as it was restored.
    :returns: what differs: such indexes were built anew by the restore, but those of the live server may be wrong.
    """
    said = []
    was, now = expected.get("collation_version_actual"), found.get("collation_version_actual")
    if was != now:
        said.append(f"the database's collation is at version {now}, was {was} when it was backed up")
    stored = expected.get("collation_version")
    if stored is not None and stored != was:
        said.append(
            f"the database's indexes were built with collation version {stored}, and the server had {was}:"
            " REINDEX, then ALTER DATABASE … REFRESH COLLATION VERSION"
        )
    rows = connection.execute(_COLLATIONS.encode()).fetchall()
    return said + [f"collation {name} is at version {actual}, was {version}" for name, version, actual in rows]


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split("\n", maxsplit=1)[0].split())
