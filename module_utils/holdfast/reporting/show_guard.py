# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guard has found, as people read it on a terminal."""

from __future__ import annotations

from typing import Any

from .text import joined


def guard(result: dict[str, Any]) -> str:
    """The result of ``guard``: a line for each check, and what to do about what is not as it should be."""
    lines = []
    for one in result["checks"]:
        lines.append(f"{one['result']:7}  {one['check']}: {one['detail']}")
        if one["next_step"] and one["result"] != "ok":
            lines.append(f"         {one['next_step']}")
    return joined([*lines, f"cluster {result['cluster']}: {result['verdict']}"])
