# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""See whether views and functions still compile: a restore takes their text as it is, whatever it refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .rows import one_row

if TYPE_CHECKING:
    from .rows import Rows

#: Views, materialized ones too: their rules are parsed already, but functions in them may not be found any more.
_VIEWS = r"""
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""
#: Each with the validator of its language. Those of extensions, aggregates and languages without one are left out.
_FUNCTIONS = r"""
SELECT p.oid, p.oid::regprocedure::text, l.lanvalidator::regproc::text, quote_ident(n.nspname)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema' AND l.lanvalidator <> 0 AND p.prokind <> 'a'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY 2
"""
_SCHEMAS = r"""
SELECT string_agg(quote_ident(nspname), ', ' ORDER BY nspname) FROM pg_namespace
WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
"""


def broken(connection: Rows) -> tuple[int, list[str]]:
    """Have the server plan every view, and every language's validator read each function.

    A body may need its caller's search path, which a backup does not know: it is tried with the database's own,
    then with the function's schema before it, then with all schemas.

    :param connection: a new one, with the settings of the database.
    :returns: how many there are, and those that do not compile, with the reason.
    """
    (own,) = one_row(connection, "SELECT current_setting('search_path')")
    views = [name for (name,) in connection.execute(_VIEWS.encode()).fetchall()]
    functions = connection.execute(_FUNCTIONS.encode()).fetchall()
    found = []
    for name in views:
        reason = _try(connection, own, f"EXPLAIN SELECT * FROM {name}")
        if reason:
            found.append(f"view {name}: {reason}")
    (everything,) = one_row(connection, _SCHEMAS)
    for oid, signature, validator, schema in functions:
        paths = [own, f"{schema}, {own}" if own else schema, everything or ""]
        reasons = []
        for path in paths:
            reasons.append(_try(connection, path, f"SELECT {validator}({oid})"))
            if not reasons[-1]:
                break
        else:
            found.append(f"function {signature}: {reasons[0]}")
    return len(views) + len(functions), found


def _try(connection: Rows, search_path: Any, statement: str) -> str:
    import psycopg

    try:
        with connection.transaction(force_rollback=True):
            connection.execute("SELECT set_config('search_path', %s, true)", [search_path])
            connection.execute("SET LOCAL check_function_bodies = on")
            connection.execute("SET LOCAL statement_timeout = '60s'")
            connection.execute(statement.encode())
    except psycopg.Error as error:
        return " ".join(str(error).split("\n", maxsplit=1)[0].split())
    return ""
