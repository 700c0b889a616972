# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""See to it that an account of the server exists with exactly the rights that its purpose takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from ..config import ClusterConfig
from ..errors import AccessError, ConfigError
from ..postgres import accounts, scram
from ..postgres.access import as_user
from ..postgres.accounts import PROFILES, Account, Step
from ..postgres.locate import open_place
from ..postgres.rows import one_row
from ..postgres.server import Server
from ..system import System
from . import password_file
from .context import explained
from .password_file import Password

if TYPE_CHECKING:
    from ..postgres.rows import Rows

#: PostgreSQL cuts longer names, so that two could become one.
_LONGEST_NAME = 63
_RESERVED = ("public", "none", "current_role", "current_user", "session_user")


@dataclass(frozen=True)
class AccountRequest:
    """What is asked for.

    :param purpose: ``backup`` or ``monitoring``.
    :param password: None takes what ``password_file`` holds, or leaves the account's password as it is.
    :param password_file: where the password is kept on this host; one is generated where there is none.
    :param login_user: the account that makes it; None means ``access.restore_user``, then ``access.user``.
    """

    name: str
    purpose: str
    password: Optional[str] = field(default=None, repr=False)
    password_file: Optional[str] = None
    login_user: Optional[str] = None


@dataclass(frozen=True)
class AccountPlan:
    """What a run will do, in words and in SQL.

    :param before: the account as it is; ``after``: as it will be. Neither tells a password.
    """

    request: AccountRequest
    password: Optional[Password] = field(repr=False)
    steps: tuple[Step, ...] = field(repr=False)
    before: dict[str, Any]
    after: dict[str, Any]
    warnings: list[str]

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.steps or (self.password and self.password.must_be_written))

    def as_dict(self) -> dict[str, Any]:
        """The plan, and the result of carrying it out, as JSON."""
        steps = [step.text for step in self.steps]
        if self.password and self.password.must_be_written:
            steps.insert(0, f"write {self.password.file}")
        return {
            "changed": self.changed, "name": self.request.name, "purpose": self.request.purpose,
            "password_file": self.request.password_file, "steps": steps,
            "before": self.before, "after": self.after, "warnings": self.warnings,
        }  # fmt: skip


@explained("see to the accounts of")
def plan(config: ClusterConfig, request: AccountRequest, system: System) -> AccountPlan:
    """Decide what has to be done. An account that is no superuser tries it, and takes it back.

    :raises AccessError: the server cannot be reached, or takes no writes, or this account may not do it.
    :raises ConfigError: a name or password that cannot be one, or the name is of an account of somebody else.
    """
    with _connected(config, request, system) as (server, connection):
        chosen = _plan(server, connection, request)
        if chosen.steps and not server.facts.is_superuser:
            # What a CREATEROLE account may grant depends on its version and on what it was granted itself.
            _carry_out(server, connection, chosen, keep=False)
        return chosen


@explained("see to the accounts of")
def ensure(config: ClusterConfig, request: AccountRequest, system: System) -> AccountPlan:
    """Carry the plan out: the password file first, then everything on the server in one transaction.

    :returns: the plan that was carried out.
    :raises HoldfastError: as :func:`plan`; the account is as it was before.
    """
    with _connected(config, request, system) as (server, connection):
        chosen = _plan(server, connection, request)
        if chosen.password:
            # First, so that a run which dies in between leaves no account whose password nobody knows.
            password_file.write(chosen.password)
        if chosen.steps:
            _carry_out(server, connection, chosen, keep=True)
        return chosen


@contextmanager
def _connected(config: ClusterConfig, request: AccountRequest, system: System) -> Iterator[tuple[Server, Rows]]:
    _require_name(request.name)
    if request.purpose not in PROFILES:
        raise ConfigError(
            "make", f"account {request.name}", f"purpose is {request.purpose!r}", f"Give one of {', '.join(PROFILES)}."
        )
    access = as_user(config.access, request.login_user or config.access.restore_user)
    place = open_place(access, system, (os.geteuid(), os.getegid()), f"{config.cluster}-account")
    try:
        server = Server(place, access.database, config.cluster)
        with server.connect() as connection:
            yield server, connection
    finally:
        place.close()


def _plan(server: Server, connection: Rows, request: AccountRequest) -> AccountPlan:
    profile = PROFILES[request.purpose]
    password = password_file.decide(request.password, request.password_file)
    found = accounts.read_account(connection, request.name)
    if found:
        _require_ours(request.name, found)
    if password and not accounts.may_read_passwords(connection):
        raise AccessError(
            "compare",
            f"the password of account {request.name}",
            f"{server.facts.user} may not read pg_authid",
            "Name a superuser as login_user (or access.restore_user), or grant this account pg_read_all_data.",
        )
    fits = bool(password and found and found.verifier and scram.matches(found.verifier, password.value))
    verifier = _new_verifier(connection, request.name, password.value) if password and not fits else None
    steps = accounts.changes(request.name, profile, found, verifier, server.facts.version_num)
    before: dict[str, Any] = {"exists": found is not None, **(found.as_dict() if found else {})}
    after: dict[str, Any] = {"exists": True, **accounts.after(profile, found)}
    if password:
        before["password"] = "as wanted" if fits else "another" if found and found.verifier else "none"
        after["password"] = "as wanted"
    if password and password.file:
        before["password_file"], after["password_file"] = password.state, "current"
    warnings = _warnings(connection, server, request, found)
    chosen = AccountPlan(request, password, tuple(steps), before, after, warnings)
    if steps:
        _require_writable(server, connection, request.name)
    return chosen


def _new_verifier(connection: Rows, name: str, password: str) -> str:
    """A SCRAM verifier with a new salt, made here: the server and its log never see the password."""
    made = connection.pgconn.encrypt_password(password.encode("utf-8"), name.encode("utf-8"), b"scram-sha-256")
    return made.decode("ascii")


def _carry_out(server: Server, connection: Rows, chosen: AccountPlan, keep: bool) -> None:
    import psycopg

    try:
        with connection.transaction(force_rollback=not keep):
            for step in chosen.steps:
                connection.execute(step.statement)
    except psycopg.errors.InsufficientPrivilege as error:
        raise AccessError(
            "make",
            f"account {chosen.request.name}",
            f"{server.facts.user} may not do it ({error.diag.message_primary})",
            "Name a superuser as login_user (or access.restore_user).",
            login_user=server.facts.user,
            steps=[step.text for step in chosen.steps],
        ) from error


def _require_name(name: str) -> None:
    unusable = any(character == "\0" or "\ud800" <= character <= "\udfff" for character in name)
    if not name or unusable or len(name.encode("utf-8")) > _LONGEST_NAME:
        raise ConfigError(
            "make", f"account {name!r}", "that cannot be a name of a role", f"Give 1 to {_LONGEST_NAME} bytes."
        )
    if name.startswith("pg_") or name in _RESERVED:
        raise ConfigError("make", f"account {name}", "PostgreSQL reserves that name", "Choose another name.")


def _require_ours(name: str, found: Account) -> None:
    """Refuse to take rights from an account that does something else: a typing error would stop an application.

    :raises ConfigError: it is a superuser, or owns something.
    """
    step = "Choose another name, or change that account yourself"
    if "SUPERUSER" in found.attributes:
        raise ConfigError("limit", f"account {name}", "it is a superuser", f"{step} (ALTER ROLE … NOSUPERUSER).")
    if found.owned:
        raise ConfigError(
            "limit", f"account {name}", f"it owns {found.owned} objects of the server", f"{step} (REASSIGN OWNED)."
        )


def _require_writable(server: Server, connection: Rows, name: str) -> None:
    if server.facts.in_recovery:
        raise AccessError(
            "make",
            f"account {name}",
            "the server is a standby and takes no writes",
            "Run this on the primary: accounts reach its standbys by themselves.",
        )
    if one_row(connection, "SHOW transaction_read_only")[0] == "on":
        raise AccessError(
            "make",
            f"account {name}",
            "the server is set read-only (default_transaction_read_only)",
            "Run this again when it takes writes.",
        )


def _warnings(connection: Rows, server: Server, request: AccountRequest, found: Optional[Account]) -> list[str]:
    """What keeps the account from its work although its rights are right: an operator decided it, so it is said."""
    name = request.name
    said = []
    if found and found.expires:
        said.append(f"the password of {name} is valid until {found.expires} and no longer")
    for database in accounts.closed_databases(connection, name if found else None):
        if request.purpose == "backup" or database == server.maintenance_database:
            said.append(
                f"{name} may not connect to database {database!r}: grant it CONNECT ON DATABASE, or leave that database out"
            )
    return said
