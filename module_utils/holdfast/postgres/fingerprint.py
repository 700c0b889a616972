# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fingerprint: facts of a database, or of the whole cluster, at one snapshot.

A fingerprint is a plain JSON object, so that it lies beside the dump and people can read it. Its levels:
``none`` (only facts about the database itself), ``counts`` (besides: rows of each table, sequences, the
schema digest) and ``digest`` (besides: the content of every table and large object).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from . import content
from .compare import by_root
from .properties import read_properties
from .schema import digest_schema
from .snapshot import USER_RELATIONS, Snapshot

if TYPE_CHECKING:
    from .rows import Rows
    from .server import Server

SCHEMA = 1


def fingerprint_database(snapshot: Snapshot, level: str) -> dict[str, Any]:
    """Take the fingerprint of one database in a snapshot.

    Call :func:`finish_sequences` with it once the dump has ended.

    :param level: ``none``, ``counts`` or ``digest``.
    """
    connection = snapshot.connection
    facts: dict[str, Any] = {
        "level": level,
        "major": connection.info.server_version // 10000,
        "properties": read_properties(connection),
        "extensions": _extensions(connection),
        "not_covered": _not_covered(connection),
    }
    if level == "none":
        return facts
    facts["algorithm"] = content.ALGORITHM
    facts["canary"] = content.canary(connection)
    facts["sequences"] = content.read_sequences(connection)
    facts["schema_objects"] = digest_schema(connection)
    facts["materialized_views"] = dict(content.materialized_views(connection))
    facts["large_objects"], unseen = content.digest_large_objects(connection, level)
    if unseen:
        facts["not_covered"].append(unseen)
    facts["tables"] = content.digest_tables(connection, level)
    return facts


def finish_sequences(facts: dict[str, Any], snapshot: Snapshot) -> None:
    """Turn the sequences' values into ranges: they go on counting while the dump runs, whatever the snapshot."""
    if facts["level"] != "none":
        later = content.read_sequences(snapshot.connection)
        facts["sequences"] = content.sequence_ranges(facts["sequences"], later)


def fingerprint_cluster(server: Server) -> dict[str, Any]:
    """The facts that belong to no database: server, roles and their memberships, tablespaces."""
    with server.connect() as connection:
        roles = connection.execute(
            "SELECT rolname, concat_ws(',', rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,"
            " rolbypassrls, rolconnlimit, rolvaliduntil, rolconfig::text) FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' ORDER BY 1"
        ).fetchall()
        members = connection.execute(
            "SELECT DISTINCT pg_get_userbyid(roleid) || ' > ' || pg_get_userbyid(member) FROM pg_auth_members ORDER BY 1"
        ).fetchall()
        tablespaces = connection.execute(
            "SELECT spcname, pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname NOT LIKE 'pg\\_%' ORDER BY 1"
        ).fetchall()
    facts = server.facts
    return {
        "server": {
            "version": facts.version,
            "version_num": facts.version_num,
            "system_identifier": facts.system_identifier,
        },
        "roles": dict(roles),
        "memberships": [text for (text,) in members],
        "tablespaces": dict(tablespaces),
    }


def totals(facts: dict[str, Any]) -> dict[str, Any]:
    """The line of a database's fingerprint that people read: tables, rows and one digest over everything.

    Equal digests mean equal data and definitions. What changes without them is left out: the size on disk,
    sequences (they count on), and in which of its partitions a row lies.
    """
    tables = facts.get("tables")
    if tables is None:
        return {"tables": None, "rows": None, "digest": None}
    plain = {name: [table["rows"], table["digest"]] for name, table in tables.items() if "root" not in table}
    told = {key: facts[key] for key in ("level", "extensions", "schema_objects", "large_objects")}
    told["tables"] = {**plain, **by_root(tables)}
    text = json.dumps(told, sort_keys=True, ensure_ascii=False)
    return {
        "tables": len(tables),
        "rows": sum(table["rows"] for table in tables.values()),
        "digest": hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32],
    }


def mark_missing_data(facts: dict[str, Any], dumped: set[int]) -> list[str]:
    """Mark the tables whose rows are not in the dump, by what the dump itself lists.

    :param dumped: the object ids of the tables whose data the dump holds.
    :returns: their names.
    """
    missing = []
    for name, table in facts.get("tables", {}).items():
        if table.pop("oid") not in dumped:
            table["excluded"] = True
            missing.append(name)
    return missing


def _extensions(connection: Rows) -> dict[str, str]:
    return dict(connection.execute("SELECT extname, extversion FROM pg_extension ORDER BY 1").fetchall())


def _not_covered(connection: Rows) -> list[str]:
    """What a logical backup cannot carry, or what this fingerprint does not look at: said, never silent."""
    said = []
    rows = connection.execute(
        b"SELECT format('%I.%I', n.nspname, c.relname)" + USER_RELATIONS.encode() + b" AND c.relkind = 'f' ORDER BY 1"
    ).fetchall()
    if rows:
        said.append("rows of foreign tables are not in a backup: " + ", ".join(name for (name,) in rows))
    rows = connection.execute(
        "SELECT e.extname || ': ' || t::regclass::text FROM pg_extension e, unnest(e.extconfig) t ORDER BY 1"
    ).fetchall()
    if rows:
        said.append(
            "rows of extensions' own configuration tables are dumped but not compared: "
            + ", ".join(name for (name,) in rows)
        )
    rows = connection.execute(
        b"SELECT format('%I.%I', n.nspname, c.relname)"
        + USER_RELATIONS.encode()
        + b" AND c.relkind = 'i' AND EXISTS (SELECT FROM pg_index x WHERE x.indexrelid = c.oid AND NOT x.indisvalid) ORDER BY 1"
    ).fetchall()
    if rows:
        said.append("invalid indexes are not in a backup: " + ", ".join(name for (name,) in rows))
    row = connection.execute("SELECT count(*) FROM pg_subscription_rel").fetchone()
    if row and row[0]:
        said.append("subscriptions are restored disabled, and without their progress")
    rows = connection.execute(
        "SELECT format('%I on %I', usename, srvname) FROM pg_user_mappings WHERE umoptions IS NULL"
        " AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) ORDER BY 1"
    ).fetchall()
    if rows:
        said.append(
            "options of user mappings, such as foreign servers' passwords, may be missing, as only a superuser may read them: "
            + ", ".join(name for (name,) in rows)
        )
    return said
