# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All drills of a cluster on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .html import document, number, table, text
from .text import duration

_VERDICTS = {"passed": "passed", "failed": "FAILED"}


def index(cluster: str, drills: Sequence[Mapping[str, Any]]) -> str:
    """The index.

    :param drills: the evidence of each, newest first.
    """
    body = []
    for one in drills:
        told = _VERDICTS[one["verdict"]] + ("" if one["verdict"] == "failed" or one["proven"] else ", not proven")
        verdict = f'<td class="verdict {text(one["verdict"])}">{text(told)}</td>'
        body.append([
            f'<a href="{text(one["id"])}.html">{text(one["started"][:16].replace("T", " "))} UTC</a>',
            f"<code>{text(one['backup']['id'])}</code>", verdict,
            number(duration(one["rto"]) if one["rto"] is not None else "-"), number(duration(one["rpo"])),
            text(one["reason"] or one["who"]),
        ])  # fmt: skip
    passed = sum(one["verdict"] == "passed" for one in drills)
    intro = (
        f'<h1>Restore drills of cluster {text(cluster)}</h1><p class="soft">{len(drills)} drills, {passed} passed</p>'
    )
    return document(f"Drills of {cluster}", intro + table(["When", "Backup", "Verdict", ">RTO", ">RPO", "By, or why it failed"], body))  # fmt: skip
