# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what a query of one row returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

    Rows = Connection[tuple[Any, ...]]


def one_row(connection: Rows, query: str) -> tuple[Any, ...]:
    """The row of a query that returns exactly one, such as an aggregate.

    :raises LookupError: it returned none.
    """
    row = connection.execute(query.encode()).fetchone()
    if row is None:
        raise LookupError(f"no row came back from: {query}")
    return row
