# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The accounts that Holdfast uses on a server: the rights that suffice, what there is, and the SQL in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from psycopg.sql import Composed

    from .rows import Rows

#: The attributes of a role that are looked at, and their columns in pg_roles.
_COLUMNS = {
    "LOGIN": "rolcanlogin", "INHERIT": "rolinherit", "REPLICATION": "rolreplication", "BYPASSRLS": "rolbypassrls",
    "SUPERUSER": "rolsuper", "CREATEDB": "rolcreatedb", "CREATEROLE": "rolcreaterole",
}  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """The rights of an account: these and no other attributes and memberships.

    :param connection_limit: sessions at once, -1 for any number.
    :param settings: of its sessions; others that somebody gave it are left alone.
    """

    attributes: frozenset[str]
    member_of: frozenset[str]
    connection_limit: int
    settings: Mapping[str, str]


PROFILES = {
    # REPLICATION: pg_basebackup. BYPASSRLS: rows that row security hides. pg_read_all_data: all tables, and the
    # passwords of roles. pg_monitor: where the data directory is, who waits for whom, what the WAL takes.
    # lo_compat_privileges: no role grants reading the large objects of others, and of those to come.
    "backup": Profile(
        attributes=frozenset({"LOGIN", "INHERIT", "REPLICATION", "BYPASSRLS"}),
        member_of=frozenset({"pg_read_all_data", "pg_monitor"}),
        connection_limit=-1,
        settings={"lo_compat_privileges": "on"},
    ),
    # The limit: a monitor that hangs must not take the application's connections.
    "monitoring": Profile(
        attributes=frozenset({"LOGIN", "INHERIT"}),
        member_of=frozenset({"pg_monitor"}),
        connection_limit=5,
        settings={},
    ),
}


@dataclass(frozen=True)
class Membership:
    """A role that the account is a member of.

    :param plain: whether the member has its rights at once, and cannot grant them to others.
    :param grantor: who granted it. From PostgreSQL 16 on, several may have.
    """

    role: str
    plain: bool
    grantor: str


@dataclass(frozen=True)
class Account:
    """A role as it is on the server.

    :param verifier: what the server keeps of its password; None where there is none, or it may not be read.
    :param expires: when its password ends to be valid, as text.
    :param owned: how many databases and objects in them it owns.
    """

    attributes: frozenset[str]
    memberships: tuple[Membership, ...]
    connection_limit: int
    settings: Mapping[str, str]
    verifier: Optional[str]
    expires: Optional[str]
    owned: int

    def as_dict(self) -> dict[str, Any]:
        """Its rights as JSON, for a diff. Nothing of the password."""
        return {
            "attributes": sorted(self.attributes),
            "member_of": sorted(one.role + ("" if one.plain else " (not plainly)") for one in self.memberships),
            "connection_limit": self.connection_limit,
            "settings": dict(self.settings),
        }


@dataclass(frozen=True)
class Step:
    """One statement, and what it does in words that hold no secret."""

    text: str
    statement: Composed


def may_read_passwords(connection: Rows) -> bool:
    """Whether this connection sees the verifiers of passwords."""
    row = connection.execute("SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')").fetchone()
    return bool(row and row[0])


def read_account(connection: Rows, name: str) -> Optional[Account]:
    """The role of a name, or None."""
    columns = ", ".join(_COLUMNS.values())
    row = connection.execute(
        f"SELECT oid, rolconnlimit, coalesce(rolconfig, '{{}}'), nullif(rolvaliduntil, 'infinity')::text,"
        " (SELECT count(*) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = r.oid AND deptype = 'o'),"
        f" {columns} FROM pg_roles r WHERE rolname = %s".encode(),
        [name],
    ).fetchone()
    if row is None:
        return None
    oid, limit, settings, expires, owned, *flags = row
    verifier = None
    if may_read_passwords(connection):
        kept = connection.execute("SELECT rolpassword FROM pg_authid WHERE oid = %s", [oid]).fetchone()
        verifier = kept[0] if kept else None
    return Account(
        attributes=frozenset(attribute for attribute, flag in zip(_COLUMNS, flags) if flag),
        memberships=_memberships(connection, oid),
        connection_limit=limit,
        settings=dict(text.partition("=")[::2] for text in settings),
        verifier=verifier,
        expires=expires,
        owned=owned,
    )


def changes(
    name: str, profile: Profile, found: Optional[Account], verifier: Optional[str], version_num: int
) -> list[Step]:
    """The statements that make an account what its profile says; none if it is.

    :param found: as it is now.
    :param verifier: of the password to set, None to leave that as it is.
    :param version_num: of the server, 170006 for 17.6.
    """
    from psycopg import sql

    role = sql.Identifier(name)
    steps: list[Step] = []
    options = _options(profile, found)
    texts = [text for text, _option in options]
    if verifier is not None:
        options.append(("PASSWORD", sql.SQL("PASSWORD {}").format(sql.Literal(verifier))))
        texts.append("password")
    if found is None or options:
        verb = "CREATE" if found is None else "ALTER"
        statement = sql.SQL(verb + " ROLE {} WITH {}").format(
            role, sql.SQL(" ").join([option for _text, option in options])
        )
        steps.append(Step(f"{verb.lower()} role {name}: {', '.join(texts)}", statement))
    memberships = found.memberships if found else ()
    separate_grants = version_num >= 160000
    for one in memberships:
        if one.role not in profile.member_of or not one.plain:
            by = sql.SQL(" GRANTED BY {}").format(sql.Identifier(one.grantor)) if separate_grants else sql.SQL("")
            statement = sql.SQL("REVOKE {} FROM {}{}").format(sql.Identifier(one.role), role, by)
            steps.append(Step(f"revoke {one.role} from {name}", statement))
    for missing in sorted(profile.member_of - {one.role for one in memberships if one.plain}):
        ending = sql.SQL(" WITH INHERIT TRUE" if separate_grants else "")
        statement = sql.SQL("GRANT {} TO {}{}").format(sql.Identifier(missing), role, ending)
        steps.append(Step(f"grant {missing} to {name}", statement))
    for setting, value in profile.settings.items():
        if found is None or found.settings.get(setting) != value:
            statement = sql.SQL("ALTER ROLE {} SET {} TO {}").format(role, sql.Identifier(setting), sql.Literal(value))
            steps.append(Step(f"set {setting} = {value} for {name}", statement))
    return steps


def after(profile: Profile, found: Optional[Account]) -> dict[str, Any]:
    """What :meth:`Account.as_dict` will say once the changes are made."""
    return {
        "attributes": sorted(profile.attributes),
        "member_of": sorted(profile.member_of),
        "connection_limit": profile.connection_limit,
        "settings": {**(found.settings if found else {}), **profile.settings},
    }


def closed_databases(connection: Rows, name: Optional[str]) -> list[str]:
    """The databases that an account may not connect to, without templates and those that take no connections.

    :param name: of the account, None for a new one.
    """
    rows = connection.execute(
        "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate"
        " AND NOT has_database_privilege(%s::name, oid, 'CONNECT') ORDER BY 1",
        [name or "public"],
    ).fetchall()
    return [database for (database,) in rows]


def _options(profile: Profile, found: Optional[Account]) -> list[tuple[str, Any]]:
    """The options of CREATE or ALTER ROLE, each with its text.

    Only what differs is named: to name ``NOSUPERUSER`` takes a superuser, even where nothing changes.
    """
    from psycopg import sql

    now = found.attributes if found else frozenset({"INHERIT"})
    words = [word for word in _COLUMNS if word in profile.attributes and (word not in now or found is None)]
    words += [f"NO{word}" for word in _COLUMNS if word in now and word not in profile.attributes]
    if profile.connection_limit != (found.connection_limit if found else -1):
        words.append(f"CONNECTION LIMIT {profile.connection_limit}")
    return [(word, sql.SQL(word)) for word in words]


def _memberships(connection: Rows, oid: int) -> tuple[Membership, ...]:
    # Before 16 a member inherits or not by an attribute of its own, which is looked at beside this.
    inherits = "m.inherit_option" if connection.info.server_version >= 160000 else "true"
    rows = connection.execute(
        "SELECT pg_get_userbyid(m.roleid), NOT m.admin_option AND "
        + inherits
        + ", pg_get_userbyid(m.grantor) FROM pg_auth_members m WHERE m.member = %s ORDER BY 1, 3",
        [oid],
    ).fetchall()
    return tuple(Membership(*row) for row in rows)
