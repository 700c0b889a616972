# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The evidence of a drill for people: operators, their managers, and auditors of ISO/IEC 27001, control A.8.13."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .html import document, number, rows, table, text
from .text import duration, size

_VERDICTS = {
    "passed": "passed", "failed": "FAILED", "warning": "passed, with a remark", "skipped": "not checked",
    "not_reached": "not reached",
}  # fmt: skip
_KINDS = {
    "container": "a container without a network, of the database's own image",
    "host": "the database's own programs, with a data directory of its own",
}
_STEPS = {
    "start": "start of the throwaway server", "restore": "restore of everything", "remove": "removal of the throwaway",
    "all": "the whole drill",
}  # fmt: skip


def page(facts: Mapping[str, Any], digest: str, signed: bool) -> str:
    """The page of one drill.

    :param digest: SHA-256 of the evidence as JSON.
    :param signed: whether it and this page are signed.
    """
    parts = [
        f"<h1>Restore drill of cluster {text(facts['cluster'])}</h1>",
        f'<p class="soft">Evidence {text(facts["id"])} &middot; {text(facts["started"])} to {text(facts["finished"])}</p>',
        _banner(facts), _figures(facts),
        "<h2>What was restored</h2>", _restored(facts),
        "<h2>What was checked</h2>", _checks(facts),
        "<h2>Databases</h2>" + _databases(facts) if facts["databases"] else "",
        "<h2>How long it took</h2>", _times(facts),
        "<h2>Who, where, with what</h2>", _circumstances(facts),
        "<h2>For the auditor</h2>", _auditor(facts, digest, signed),
    ]  # fmt: skip
    return document(f"Drill {facts['id']}: {_VERDICTS[facts['verdict']]}", "\n".join(parts))


def _banner(facts: Mapping[str, Any]) -> str:
    backup = text(facts["backup"]["id"])
    if facts["verdict"] == "failed":
        told = f"<b>Failed.</b> Backup {backup} does not restore to what it should be: {text(facts['reason'])}"
    elif facts["proven"]:
        told = f"<b>Proven.</b> Backup {backup} was restored, and holds exactly what was backed up."
    else:
        told = (
            f"<b>Passed, not proven.</b> Backup {backup} was restored, but what it should hold could not be compared."
        )
    return f'<div class="banner {text(facts["verdict"])}">{told}</div>'


def _figures(facts: Mapping[str, Any]) -> str:
    rows_ = sum(one["rows"] or 0 for one in facts["databases"])
    found = [
        (duration(facts["rto"]) if facts["rto"] is not None else "-", "measured RTO: until all data were back"),
        (duration(facts["rpo"]), "measured RPO: age of the data"),
        (f"{rows_:,}".replace(",", " "), "rows compared"),
        (size(facts["backup"]["size"]), "size of the backup"),
    ]
    return '<div class="figures">' + "".join(f"<div><b>{text(a)}</b><span>{text(b)}</span></div>" for a, b in found) + "</div>"  # fmt: skip


def _restored(facts: Mapping[str, Any]) -> str:
    one = facts["backup"]
    return rows([
        ("Backup", f"<code>{text(one['id'])}</code> ({text(', '.join(one['tiers']))}, {text(one['method'])}, {text(one['compression'])})"),
        ("State of the data", f"{text(one['time'])}, that is {text(duration(facts['rpo']))} before this drill began"),
        ("Databases", text(", ".join(one["databases"]))),
        ("Taken from", f"PostgreSQL {text(one['server_version'])}"),
        ("Repository", f"<code>{text(one['repository'])}</code> (id {text(one['repository_id'])})"),
        ("Manifest, SHA-256", f"<code>{text(one['manifest_sha256'])}</code>"),
        ("Chosen because", text(facts["why"])),
    ])  # fmt: skip


def _checks(facts: Mapping[str, Any]) -> str:
    body = []
    for count, one in enumerate(facts["checks"], 1):
        findings = "".join(f"<li>{text(said)}</li>" for said in one["findings"])
        told = text(one["title"]) + (f'<br><span class="soft">{text(one["detail"])}</span>' if one["detail"] else "")
        verdict = f'<td class="verdict {text(one["verdict"])}">{text(_VERDICTS[one["verdict"]])}</td>'
        took = duration(one["seconds"]) if one["verdict"] not in ("skipped", "not_reached") else "-"
        body.append([number(str(count)), told + (f"<ul>{findings}</ul>" if findings else ""), verdict, number(took)])
    return table([">", "Check", "Verdict", ">Time"], body)


def _databases(facts: Mapping[str, Any]) -> str:
    return table(["Name", ">Size", ">Tables", ">Rows", ">Loading", ">Statistics"], [
        [
            text(one["database"]), number(size(one["size"])), number(str(one["tables"])), number(str(one["rows"])),
            number(duration(one["seconds"]["load"])), number(duration(one["seconds"].get("analyze", 0.0))),
        ]
        for one in facts["databases"]
    ])  # fmt: skip


def _times(facts: Mapping[str, Any]) -> str:
    found = [(text_, number(duration(facts["seconds"][name]))) for name, text_ in _STEPS.items() if name in facts["seconds"]]  # fmt: skip
    return table(["Step", ">Time"], [[text(name), cell] for name, cell in found])


def _circumstances(facts: Mapping[str, Any]) -> str:
    server = facts["server"] or {"kind": "-", "version": "-", "image": "-", "tools": "-"}
    return rows([
        ("Carried out by", f"{text(facts['who'])} on {text(facts['host'])} ({text(facts['system'])})"),
        ("Note", text(facts["note"] or "-")),
        ("Throwaway server", f"PostgreSQL {text(server['version'])}: {text(_KINDS.get(server['kind'], server['kind']))}"),
        ("Image or programs", f"<code>{text(server['image'])}</code>"),
        ("Client programs", text(server["tools"])),
        ("Holdfast", text(facts["holdfast"])),
    ])  # fmt: skip


def _auditor(facts: Mapping[str, Any], digest: str, signed: bool) -> str:
    name = text(facts["id"])
    told = [
        "<p>ISO/IEC 27001:2022, control A.8.13 (information backup), asks that backup copies be kept and <em>regularly"
        " tested</em>. This page documents one test: a stored backup was restored in full, apart from production, and the"
        " result was compared, table by table, with a fingerprint that was taken in the very snapshot of the backup."
        ' The throwaway server was removed afterwards. All tests are listed in <a href="index.html">index.html</a>.</p>',
        f"<p>The same facts for programs are in <code>{name}.json</code>, whose SHA-256 is <code>{digest}</code>. To check it:</p>",
        f"<pre>sha256sum {name}.json",
    ]
    if signed:
        told[-1] += "".join(
            f"\nssh-keygen -Y verify -f ALLOWED_SIGNERS -I SIGNER -n holdfast-evidence -s {name}.{end}.sig &lt; {name}.{end}"
            for end in ("json", "html")
        )
    place = text(f"{facts['backup']['repository']}/backups/{facts['backup']['id']}")
    told[-1] += f"\n(cd {place} &amp;&amp; sha256sum --check --quiet checksums.sha256)</pre>"
    if not signed:
        told.append('<p class="soft">It is not signed: no signing key is configured (verify.signing_key).</p>')
    return "".join(told)
