# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What belongs to a database but not to its contents: owner, locale, settings, grants, comment.

A restore under another name has to set these itself: pg_restore does it only with ``--create``, and then
only for the name that the database had.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Optional

from ..errors import PreflightError
from .rows import one_row

if TYPE_CHECKING:
    from .rows import Rows

#: Settings whose value is a list of quoted names already; quoted once more they would be one odd name.
#: Source: pg_dump's variable_is_guc_list_quote (GUC_LIST_QUOTE).
_LISTS = frozenset({
    "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
    "temp_tablespaces", "unix_socket_directories", "createrole_self_grant",
})  # fmt: skip


def read_properties(connection: Rows) -> dict[str, Any]:
    """The properties of the connection's own database, as JSON.

    ``settings`` is a list of ``[role or None, name, value]``; ``grants`` of ``[grantee or None, privilege,
    with grant option]`` or None for the defaults. ``provider`` is one of libc, icu, builtin.
    """
    columns = {
        row[0]
        for row in connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'pg_database'::regclass AND attnum > 0"
        )
    }
    provider = "datlocprovider" if "datlocprovider" in columns else "'c'::\"char\""
    locale = next((name for name in ("datlocale", "daticulocale") if name in columns), "NULL::text")
    version = "datcollversion" if "datcollversion" in columns else "NULL::text"
    actual = "pg_database_collation_actual_version(d.oid)" if "datcollversion" in columns else "NULL::text"
    row = one_row(
        connection,
        "SELECT pg_encoding_to_char(encoding), datcollate, datctype, CASE " + provider + " WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END, "
        + locale + ", " + version + ", " + actual + ", pg_get_userbyid(datdba), datconnlimit, pg_database_size(oid),"
        " (SELECT spcname FROM pg_tablespace s WHERE s.oid = dattablespace), shobj_description(oid, 'pg_database'), datacl IS NULL"
        " FROM pg_database d WHERE datname = current_database()",
    )  # fmt: skip
    keys = ("encoding", "collate", "ctype", "provider", "locale", "collation_version", "collation_version_actual",
            "owner", "connection_limit", "size", "tablespace", "comment", "default_grants")  # fmt: skip
    found = dict(zip(keys, row))
    settings = connection.execute(
        "SELECT CASE WHEN setrole <> 0 THEN pg_get_userbyid(setrole) END, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)"
        " FROM pg_db_role_setting, unnest(setconfig) c"
        " WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1 NULLS FIRST, 2"
    ).fetchall()
    grants = connection.execute(
        "SELECT CASE WHEN x.grantee <> 0 THEN pg_get_userbyid(x.grantee) END, x.privilege_type, x.is_grantable"
        " FROM pg_database d, aclexplode(d.datacl) x WHERE datname = current_database() ORDER BY 1 NULLS FIRST, 2"
    ).fetchall()
    found["settings"] = [list(one) for one in settings]
    found["grants"] = None if found.pop("default_grants") else [list(one) for one in grants]
    return found


def create_database(connection: Rows, name: str, properties: dict[str, Any]) -> None:
    """Create an empty database with a given encoding and locale. Comes from template0: nothing is in it.

    :raises psycopg.Error: it exists, or its locale does not exist on this server.
    """
    from psycopg import sql

    options = [sql.SQL("TEMPLATE template0 ENCODING {}").format(sql.Literal(properties["encoding"]))]
    provider, locale = properties.get("provider", "libc"), properties.get("locale")
    options.append(
        sql.SQL("LC_COLLATE {} LC_CTYPE {}").format(
            sql.Literal(properties["collate"]), sql.Literal(properties["ctype"])
        )
    )
    if connection.info.server_version >= 150000:
        options.append(sql.SQL("LOCALE_PROVIDER {}").format(sql.Identifier(provider)))
        if provider == "icu" and locale:
            options.append(sql.SQL("ICU_LOCALE {}").format(sql.Literal(locale)))
        if provider == "builtin" and locale:
            options.append(sql.SQL("BUILTIN_LOCALE {}").format(sql.Literal(locale)))
    if properties.get("tablespace") not in (None, "pg_default"):
        options.append(sql.SQL("TABLESPACE {}").format(sql.Identifier(properties["tablespace"])))
    connection.execute(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(name), sql.SQL(" ").join(options)))


def apply_properties(connection: Rows, name: str, properties: dict[str, Any]) -> None:
    """Give a database the owner, settings, grants, limit and comment of another one's properties."""
    from psycopg import sql

    database = sql.Identifier(name)
    for role, setting, value in properties["settings"]:
        whose = sql.SQL("DATABASE {}").format(database)
        if role is not None:
            whose = sql.SQL("ROLE {} IN DATABASE {}").format(sql.Identifier(role), database)
        connection.execute(
            sql.SQL("ALTER {} SET {} TO {}").format(whose, sql.Identifier(*setting.split(".")), _value(setting, value))
        )
    if properties["grants"] is not None:
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        for grantee, privilege, grantable in properties["grants"]:
            connection.execute(
                sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
                    sql.SQL(privilege), database, sql.SQL("PUBLIC") if grantee is None else sql.Identifier(grantee),
                    sql.SQL(" WITH GRANT OPTION" if grantable else ""),
                )
            )  # fmt: skip
    if properties["comment"] is not None:
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(properties["comment"])))
    if properties["connection_limit"] != -1:
        connection.execute(
            sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(
                database, sql.Literal(properties["connection_limit"])
            )
        )
    connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, sql.Identifier(properties["owner"])))


def beside_name(name: str, tag: str) -> str:
    """A name for a database beside another: ``shop`` and ``before_20261122t101500`` → ``shop_before_20261122t101500``.

    Names end after 63 bytes in PostgreSQL, so a long one is cut at a whole character.
    """
    room = 63 - len(tag) - 1
    return name.encode()[:room].decode("utf-8", "ignore") + "_" + tag


def is_being_restored(name: str) -> bool:
    """Whether a database is what a restore is loading, or what one that died has left."""
    return re.search(r"_restoring_\d{8}t\d{6}_[0-9a-f]{6}$", name) is not None


def is_kept_aside(name: str) -> bool:
    """Whether a database is one that a restore has replaced."""
    return re.search(r"_before_\d{8}t\d{6}$", name) is not None


def _value(setting: str, value: str) -> Any:
    from psycopg import sql

    if setting.lower() not in _LISTS:
        return sql.Literal(value)
    return sql.SQL(", ").join(sql.Literal(item) for item in split_names(value))


def split_names(text: str) -> list[str]:
    """Split a list of names as PostgreSQL stores it: ``"$user", public`` → ``['$user', 'public']``.

    :raises PreflightError: a quotation that does not end.
    """
    names: list[str] = []
    rest: Optional[str] = text.strip()
    while rest:
        if rest.startswith('"'):
            end = 1
            while True:
                end = rest.find('"', end)
                if end < 0:
                    raise PreflightError(
                        "read", "a list of names", f"{text!r} ends inside a quotation", "Correct the setting."
                    )
                if rest[end + 1 : end + 2] != '"':
                    break
                end += 2
            names.append(rest[1:end].replace('""', '"'))
            rest = rest[end + 1 :].lstrip()
            rest = rest[1:].lstrip() if rest.startswith(",") else rest
        else:
            name, _comma, rest = rest.partition(",")
            names.append(name.strip())
            rest = rest.lstrip()
    return names
