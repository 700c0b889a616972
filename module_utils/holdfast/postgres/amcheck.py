# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read every heap and index of a database as amcheck does, by the server's own pg_amcheck.

Source: PostgreSQL documentation, "pg_amcheck" and "amcheck".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import AccessError
from ..system import Command, Finished, System
from .rows import one_row

if TYPE_CHECKING:
    from .rows import Rows
    from .tools import Tools

#: pg_amcheck found corruption, or could not look at something. Source: its documentation, "Notes" (exit status).
_FOUND = 2
_UNIQUE_SINCE = 17
_FINDING = re.compile(r"^(?:heap table|btree index|gin index|index|table) \"")
_COUNTS = """
SELECT count(*) FILTER (WHERE c.relkind IN ('r', 'm', 't')), count(*) FILTER (WHERE a.amname = 'btree'),
count(*) FILTER (WHERE c.relkind = 'i' AND a.amname <> 'btree')
FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam AND c.relkind = 'i' WHERE c.relkind IN ('r', 'm', 't', 'i')
"""


@dataclass(frozen=True)
class Relations:
    """How much of a database amcheck can look at.

    :param others: indexes of other kinds than btree, which it does not know.
    """

    heaps: int
    btrees: int
    others: int


def count(connection: Rows) -> Relations:
    """The heaps and indexes of a database, those of the catalogue too."""
    return Relations(*one_row(connection, _COUNTS))


def unavailable(tools: Tools, system: System, connection: Rows) -> str:
    """Why amcheck cannot be run here; empty if it can."""
    row = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'").fetchone()
    if row is None:
        return "this build of PostgreSQL has no amcheck extension"
    try:
        done = system.run(tools.place.command("pg_amcheck", ["--version"], [], {}))
    except OSError as error:
        return f"pg_amcheck cannot be run ({error.strerror})"
    return "" if done.returncode == 0 else f"pg_amcheck cannot be run ({done.last_error})"


def command(tools: Tools, database: str, jobs: int) -> Command:
    """The command that checks all of a database: heaps, TOAST, and btrees against their heaps.

    ``["pg_amcheck", "--jobs=2", "--heapallindexed", "--parent-check", "--install-missing", …, "dbname='shop' …"]``
    """
    arguments = [f"--jobs={jobs}", "--heapallindexed", "--parent-check", "--install-missing", "--no-password"]
    arguments += ["--checkunique"] if tools.major >= _UNIQUE_SINCE else []
    return tools.place.command("pg_amcheck", [*arguments, tools.place.tool_conninfo(database)], [], {})


def findings(done: Finished) -> Sequence[str]:
    """What it found, one sentence each; empty where all is sound.

    :raises AccessError: it could not look.

    Input ``btree index "shop.public.lines_pkey":`` and ``    ERROR:  item order invariant violated …``, output
    ``btree index "shop.public.lines_pkey": item order invariant violated …``.
    """
    found: list[str] = []
    for line in done.stdout.splitlines():
        if _FINDING.match(line):
            found.append(line.strip())
        elif line.strip() and found:
            found[-1] += " " + re.sub(r"^(?:ERROR|DETAIL):\s+", "", line.strip())
    if not found and done.returncode == _FOUND:
        found.append(f"pg_amcheck found something: {done.last_error}")
    if not found and done.returncode != 0:
        raise AccessError(
            "run", "pg_amcheck", f"exit code {done.returncode}: {done.last_error}",
            "Mend what it says, and run this again. It says nothing about the data.",
        )  # fmt: skip
    return found
