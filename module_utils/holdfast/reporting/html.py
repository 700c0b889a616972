# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages for people: self-contained, readable on paper, and with nothing in them that a name could forge."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from .text import visible

_STYLE = """
:root { --ink: #1d2330; --soft: #5b6475; --line: #d9dde5; --good: #17703c; --bad: #b3261e; --odd: #8a5a00; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, "Segoe UI", "Liberation Sans", sans-serif; color: var(--ink); background: #f4f5f8; margin: 0; }
main { max-width: 62rem; margin: 2rem auto; padding: 2.5rem 3rem; background: #fff; border: 1px solid var(--line); border-radius: 6px; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
p { margin: .4rem 0; } .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .8rem .45rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; } .number { text-align: right; white-space: nowrap; }
td ul { margin: .2rem 0 0; padding-left: 1.1rem; }
code, pre { font: .87rem/1.5 ui-monospace, "Liberation Mono", monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
pre { background: #f4f5f8; padding: .8rem 1rem; border-radius: 4px; }
.banner { border-left: 6px solid; padding: .7rem 1.1rem; margin: 1.4rem 0; background: #f4f5f8; font-size: 1.05rem; }
.figures { display: flex; gap: 1.6rem; flex-wrap: wrap; margin: 1.2rem 0; } .figures div { min-width: 8rem; }
.figures b { display: block; font-size: 1.5rem; font-weight: 600; } .figures span { color: var(--soft); font-size: .87rem; }
.passed { color: var(--good); } .failed { color: var(--bad); } .warning { color: var(--odd); }
.skipped, .not_reached { color: var(--soft); } .banner.passed, .banner.failed { border-color: currentColor; }
.verdict { font-weight: 600; white-space: nowrap; }
@media print {
  body { background: #fff; font-size: 10.5pt; } main { border: 0; margin: 0; padding: 0; max-width: none; }
  tr, .banner { break-inside: avoid; } h2 { break-after: avoid; }
}
@page { margin: 18mm; }
"""


def text(value: object) -> str:
    """A value as the text of a page: its control characters shown, its markup taken away."""
    return html.escape(visible(str(value)))


def rows(pairs: Iterable[tuple[str, str]]) -> str:
    """A table of names and values, the values as markup."""
    return "<table>" + "".join(f"<tr><th>{text(name)}</th><td>{value}</td></tr>" for name, value in pairs) + "</table>"


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table with a head, in which ``>`` says that a column is set to the right.

    :param body: the cells as markup, one that begins with ``<td`` as it is.
    """
    named = (f'<th class="number">{text(cell[1:])}</th>' if cell[:1] == ">" else f"<th>{text(cell)}</th>" for cell in head)  # fmt: skip
    lines = ["<table><thead><tr>", *named, "</tr></thead><tbody>"]
    for row in body:
        cells = (cell if cell.startswith("<td") else f"<td>{cell}</td>" for cell in row)
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return "".join([*lines, "</tbody></table>"])


def number(value: str) -> str:
    """A cell that is set to the right."""
    return f'<td class="number">{text(value)}</td>'


def document(title: str, body: str) -> str:
    """A whole page."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{_STYLE}</style></head><body><main>\n{body}\n</main></body></html>\n"
    )
