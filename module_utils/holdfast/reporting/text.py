# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes, times and tables as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Optional


def size(count: Optional[int]) -> str:
    """Bytes with a binary unit: 1536 → ``1.5 KiB``."""
    if count is None:
        return "-"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def duration(seconds: float) -> str:
    """Seconds as the two largest units: 93784 → ``1d 2h``."""
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds < 10:
        return f"{seconds:.1f}s"
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    rest, parts = int(seconds), []
    for name, length in units:
        if rest >= length:
            parts.append(f"{rest // length}{name}")
            rest %= length
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with aligned columns; control characters in cells are shown, never sent to a terminal."""
    clean = [[visible(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in clean) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in clean)


def joined(parts: Iterable[str]) -> str:
    """One line for each of the parts, whatever characters are in them."""
    return "\n".join(visible(part) for part in parts)


def visible(text: str) -> str:
    """Text with its control characters shown: a name or a note must not steer a terminal or forge a line."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
