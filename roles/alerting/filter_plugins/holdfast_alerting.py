# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of Prometheus from files/rules.yml and what an inventory overrides in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

LEVELS = ("warning", "critical")
WORDS = {"alert", "expr", "summary", "description", "above", "below", "severity", "for"}
DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")
PIECE = re.compile(r"(\d+)(ms|[smhdwy])")
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
PARAMETER = re.compile(r"<([a-z_]+)>")

Rule = Mapping[str, Any]


def seconds(value: Any) -> float:
    """A threshold as a number: durations, written as Prometheus writes them, become seconds.

    :raises ValueError: it is neither.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    text = str(value).strip()
    if DURATION.fullmatch(text):
        return sum(int(number) * SECONDS[unit] for number, unit in PIECE.findall(text))
    return float(text)


def direction(rule: Rule) -> str:
    """``above``, ``below``, or "" for an alert without a threshold."""
    return next((word for word in ("above", "below") if word in rule), "")


def adjusted(rule: Rule, override: Mapping[str, Any]) -> dict[str, Any]:
    """An alert with what the inventory says of it."""
    side = direction(rule)
    levels = {level: override[level] for level in LEVELS if level in override}
    rest = {key: value for key, value in override.items() if key not in LEVELS}
    return {**rule, **rest, **({side: {**rule[side], **levels}} if side else {})}


def alerts(definition: Mapping[str, Any]) -> Iterator[Rule]:
    """Every alert of the definition."""
    for group in definition["groups"]:
        yield from (rule for rule in group["rules"] if "alert" in rule)


def alerting_problems(definition: Mapping[str, Any], overrides: Mapping[str, Any]) -> list[str]:
    """What is wrong with the overrides, in sentences."""
    known = {rule["alert"]: rule for rule in alerts(definition)}
    found = [
        f"There is no alert {name}. The names are in docs/how-to/alerts.md." for name in overrides if name not in known
    ]
    for name, override in overrides.items():
        if name in known:
            found += _problems_of(known[name], override)
    return found


def _problems_of(rule: Rule, override: Any) -> Iterator[str]:
    name, side = rule["alert"], direction(rule)
    if not isinstance(override, Mapping):
        yield f"{name} is {override!r}. Give a mapping, such as {{for: 10m}}."
        return
    settable = {"for", "enabled", *(LEVELS if side else ()), *(set(rule) - WORDS)}
    unknown = sorted(set(override) - settable)
    if unknown:
        yield f"{name} has no {', '.join(unknown)}. It has: {', '.join(sorted(settable))}."
    whole = adjusted(rule, override)
    for key in ("for", *(("window",) if "window" in rule else ())):
        if not DURATION.fullmatch(str(whole[key])):
            yield f"{name}.{key} is {whole[key]!r}. Give a duration, such as 10m."
    values = {}
    for level, value in (whole[side] if side else {}).items():
        try:
            values[level] = None if value is None else seconds(value)
        except ValueError:
            yield f"{name}.{level} is {value!r}. Give a number, or a duration such as 26h."
    warning, critical = (values.get(level) for level in LEVELS)
    if (
        warning is not None
        and critical is not None
        and (warning >= critical if side == "above" else warning <= critical)
    ):
        yield (
            f"{name} would be critical ({whole[side]['critical']}) before it is a warning ({whole[side]['warning']}): it is"
            f" an alarm {side} its threshold, so the warning must be {'less' if side == 'above' else 'more'}."
        )


def prometheus_rules(
    definition: Mapping[str, Any], overrides: Mapping[str, Any], runbooks: str, labels: Mapping[str, str]
) -> dict[str, Any]:
    """The file that Prometheus reads.

    :param runbooks: the address of docs/how-to/alerts.md; the anchor of the alert is added.
    :param labels: more labels for every alert.
    """
    groups = []
    for group in definition["groups"]:
        rules: list[dict[str, Any]] = []
        for rule in group["rules"]:
            if "record" in rule:
                rules.append({"record": rule["record"], "expr": rule["expr"]})
                continue
            override = overrides.get(rule["alert"]) or {}
            if override.get("enabled", True):
                rules += _rendered(adjusted(rule, override), runbooks, labels)
        groups.append({"name": group["name"], "rules": rules})
    return {"groups": groups}


def _rendered(rule: Rule, runbooks: str, labels: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    expression = PARAMETER.sub(lambda found: str(rule[found[1]]), rule["expr"])
    side = direction(rule)
    sign = ">" if side == "above" else "<"
    levels = {level: rule[side].get(level) for level in LEVELS} if side else {rule["severity"]: None}
    for level, value in levels.items():
        if side and value is None:
            continue
        number = f"{seconds(value):.10g}" if side else ""
        yield {
            "alert": rule["alert"],
            "expr": f"({expression}) {sign} {number}" if side else expression,
            "for": str(rule["for"]),
            "labels": {**labels, "severity": level},
            "annotations": {
                "summary": rule["summary"],
                "description": rule["description"],
                "runbook_url": f"{runbooks}#{rule['alert'].lower()}",
            },
        }


#: What must not stand in a configuration that others may read, by the kind of a receiver: its key, and the key of its file.
SECRETS = {
    "email": {"auth_password": "auth_password_file"},
    "webhook": {"url": "url_file"},
    "slack": {"api_url": "api_url_file"},
    "pagerduty": {"routing_key": "routing_key_file", "service_key": "service_key_file"},
}
#: How the keys of other secrets end; with _file behind it, each names a file instead.
SECRET = re.compile(r"(?:password|secrets?|token|credentials|key|api_url)$")


def _ways(receiver: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """The settings of a receiver's kind, of which there may be one or several."""
    ways = receiver.get(kind, [])
    return ways if isinstance(ways, list) else [ways]


def _open_secrets(settings: Any, where: str = "") -> Iterator[str]:
    """The keys, with those around them, that hold a secret."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            if SECRET.search(str(key)):
                yield f"{where}{key}"
            else:
                yield from _open_secrets(value, f"{where}{key}.")
    elif isinstance(settings, list):
        for value in settings:
            yield from _open_secrets(value, where)


def _readable(owner: str, keys: Iterable[str]) -> list[str]:
    return [
        f"{owner} has {key}: a secret, and others can read the configuration of Alertmanager. Put it into a file on that"
        f" host, and give {key.rpartition('.')[2]}_file, if this Alertmanager knows that."
        for key in keys
    ]


def email_problems(email: Mapping[str, Any]) -> list[str]:
    """What is wrong with the settings of mail for all receivers, without any value of theirs."""
    return _readable("alerting_email", _open_secrets(email))


def receiver_problems(receivers: list[Any]) -> list[str]:
    """What is wrong with receivers, without any value of theirs."""
    found = []
    names = [str(one.get("name", "")) for one in receivers if isinstance(one, Mapping)]
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            found.append(f"A receiver has the name {name!r}. Give letters, digits, _ and -.")
    if len(set(names)) < len(names):
        found.append("Two receivers have the same name.")
    for one in receivers:
        unknown = sorted(set(one) - {"name", "severities", *SECRETS})
        if unknown:
            found.append(f"Receiver {one.get('name')} has {', '.join(unknown)}. It may have: {', '.join(SECRETS)}.")
        if not set(SECRETS) & set(one):
            found.append(f"Receiver {one.get('name')} receives by nothing. Give it one of: {', '.join(SECRETS)}.")
        if set(one.get("severities", LEVELS)) - set(LEVELS):
            found.append(f"Receiver {one.get('name')} has severities other than {' and '.join(LEVELS)}.")
        for kind, put_aside in SECRETS.items():
            for way in _ways(one, kind):
                if not isinstance(way, Mapping):
                    found.append(
                        f"Receiver {one.get('name')} has no settings in {kind}. Give a mapping, or a list of them."
                    )
                    continue
                rest = {key: value for key, value in way.items() if key not in put_aside}
                found += _readable(f"Receiver {one.get('name')}", _open_secrets(rest, f"{kind}."))
    return found


def receivers_split(receivers: list[Any], directory: str) -> dict[str, Any]:
    """Receivers as Alertmanager reads them, and apart from them the files of their secrets.

    :returns: ``receivers``, and ``secrets`` with ``path`` and ``content``.
    """
    configured, secrets = [], []
    for one in receivers:
        receiver: dict[str, Any] = {"name": one["name"]}
        for kind in SECRETS:
            for number, way in enumerate(_ways(one, kind)):
                settings = {"send_resolved": True, **way}
                for key, file_key in SECRETS[kind].items():
                    if key in settings:
                        path = f"{directory}/{one['name']}-{kind}-{number}-{key}"
                        secrets.append({"path": path, "content": str(settings.pop(key))})
                        settings[file_key] = path
                receiver.setdefault(f"{kind}_configs", []).append(settings)
        configured.append(receiver)
    return {"receivers": configured, "secrets": secrets}


class FilterModule:
    """What Ansible finds."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by their names in templates."""
        return {
            "alerting_problems": alerting_problems,
            "email_problems": email_problems,
            "prometheus_rules": prometheus_rules,
            "receiver_problems": receiver_problems,
            "receivers_split": receivers_split,
        }
