# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's own checks: SQL files that ask restored data whether they are as they should be.

::

    -- title: there are orders of the last day
    -- database: shop
    -- expect: >= 1
    SELECT count(*) FROM orders WHERE placed > current_setting('holdfast.backup_time')::timestamptz - interval '1 day'

Without ``expect`` every row that comes back is a failure. Without ``database`` it is asked in every one.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from ..errors import ConfigError

if TYPE_CHECKING:
    from .rows import Rows

_HEADER = re.compile(r"\s*--\s*(title|database|expect)\s*:\s*(.*?)\s*$", re.IGNORECASE)
_EXPECT = re.compile(r"(>=|<=|<>|!=|=|>|<)\s*(-?\d+(?:\.\d+)?)")
_NO_ROWS = "no rows"
_SHOWN = 3
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
    "=": operator.eq, "<>": operator.ne, "!=": operator.ne,
}  # fmt: skip


@dataclass(frozen=True)
class UserCheck:
    """One file.

    :param database: None asks it in every database.
    :param expect: ``no rows``, or a comparison such as ``>= 1`` of the first value of the only row.
    """

    name: str
    title: str
    database: Optional[str]
    expect: str
    sql: str


def read_checks(directory: Path) -> list[UserCheck]:
    """The checks of a directory, by name.

    :raises ConfigError: there is no such directory, a file cannot be read, or its header is not understood.
    """
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == ".sql" and path.is_file())
        return [_read(path) for path in paths]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "read", f"the checks in {directory}", str(error), "Make them readable, or correct verify.checks."
        ) from error


def ask(connection: Rows, check: UserCheck, backup_time: str, timeout: int) -> str:
    """Ask one check in a transaction that changes nothing.

    :param backup_time: of the backup, which the check can read as ``current_setting('holdfast.backup_time')``.
    :param timeout: seconds that it may take.
    :returns: why it failed; empty where it holds.
    """
    import psycopg

    try:
        with connection.transaction(force_rollback=True):
            connection.execute("SET TRANSACTION READ ONLY")
            connection.execute("SELECT set_config('holdfast.backup_time', %s, true)", [backup_time])
            connection.execute(f"SET LOCAL statement_timeout = '{int(timeout)}s'".encode())
            cursor = connection.execute(check.sql.encode())
            rows: Sequence[Sequence[Any]] = []
            while True:
                rows = cursor.fetchmany(1000) if cursor.description else []
                if not cursor.nextset():
                    break
            names = [column.name for column in cursor.description or []]
    except psycopg.Error as error:
        return f"it could not be asked: {' '.join(str(error).split())}"
    return _judge(check.expect, names, rows)


def _judge(expect: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    if expect == _NO_ROWS:
        if not rows:
            return ""
        shown = "; ".join(", ".join(f"{name}={value}" for name, value in zip(names, row)) for row in rows[:_SHOWN])
        return f"{len(rows)}{'+' if len(rows) == 1000 else ''} rows, expected none: {shown}"[:500]
    if len(rows) != 1 or not rows[0]:
        return f"{len(rows)} rows, expected the only one whose first value is {expect}"
    match = _EXPECT.fullmatch(expect)
    value = rows[0][0]
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return f"{value!r} is no number, expected {expect}"
    holds = match is not None and _OPERATORS[match.group(1)](number, Decimal(match.group(2)))
    return "" if holds else f"{names[0]} is {value}, expected {expect}"


def _read(path: Path) -> UserCheck:
    text = path.read_text(encoding="utf-8")
    told: dict[str, str] = {}
    for line in text.splitlines():
        match = _HEADER.match(line)
        if match:
            told[match.group(1).lower()] = match.group(2)
        elif line.strip() and not line.strip().startswith("--"):
            break
    expect = told.get("expect", _NO_ROWS)
    if expect != _NO_ROWS and not _EXPECT.fullmatch(expect):
        raise ConfigError(
            "read", f"check {path}", f"'expect: {expect}' is not understood",
            "Write 'no rows', or a comparison with a number, such as '>= 1'.",
        )  # fmt: skip
    return UserCheck(path.name, told.get("title", path.stem), told.get("database"), expect, text)
