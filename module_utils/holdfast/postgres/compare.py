# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare two fingerprints of a database: what was backed up, and what has been restored."""

from __future__ import annotations

from typing import Any

_NAMED = 50
_OTHERWISE = " is defined otherwise"


def compare(expected: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Hold the fingerprint of a restored database against the one taken with its backup.

    :returns: ``verdict`` (``match``, ``mismatch`` or ``not_compared``), ``differences`` (sentences, none for
        a match), ``warnings`` (things that may differ without loss, such as a collation version), and what
        was compared: ``level``, ``tables``, ``rows``.
    """
    level = expected["level"]
    warnings = _soft_differences(expected, found)
    if level == "none" or found["level"] == "none":
        return {
            "verdict": "not_compared",
            "level": "none",
            "differences": [],
            "warnings": warnings,
            "tables": 0,
            "rows": 0,
        }
    comparable = expected["canary"] == found["canary"] and expected["algorithm"] == found["algorithm"]
    if level == "digest" and not comparable:
        warnings.append(
            "content digests were not compared: they come from a machine with another byte order or another Holdfast"
        )
    deep = level == "digest" and found["level"] == "digest" and comparable
    schema = _schema(expected["schema_objects"], found["schema_objects"])
    if expected.get("major") != found.get("major"):
        # Another major version prints definitions otherwise, and its defaults differ (17 has MAINTAIN among the
        # owner's rights): what is missing or new counts, how the rest is printed is said.
        printed = [text for text in schema if text.endswith(_OTHERWISE)]
        schema = [text for text in schema if not text.endswith(_OTHERWISE)]
        if printed:
            warnings.append(
                f"PostgreSQL {found.get('major')} prints {len(printed)} definitions otherwise than"
                f" {expected.get('major')}, so they were not compared: {', '.join(text[: -len(_OTHERWISE)] for text in printed[:5])}"
            )
    differences = [
        *_tables(expected["tables"], found["tables"], deep),
        *_sequences(expected["sequences"], found["sequences"], bool(_excluded(expected["tables"]))),
        *schema,
        *_large_objects(expected["large_objects"], found["large_objects"], deep),
        *_views(expected["materialized_views"], found["materialized_views"]),
    ]
    encoding = expected["properties"]["encoding"], found["properties"]["encoding"]
    if encoding[0] != encoding[1]:
        differences.append(f"encoding is {encoding[1]}, was {encoding[0]}")
    missing = sorted(set(expected["extensions"]) - set(found["extensions"]))
    differences += [f"extension {name} is missing" for name in missing]
    compared = [table for table in expected["tables"].values() if not table.get("excluded")]
    return {
        "verdict": "mismatch" if differences else "match",
        "level": "digest" if deep else "counts",
        "differences": differences[:_NAMED]
        + ([f"and {len(differences) - _NAMED} more"] if len(differences) > _NAMED else []),
        "warnings": warnings,
        "tables": len(compared),
        "rows": sum(table["rows"] for table in compared),
    }


def compare_cluster(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Hold the roles, memberships and tablespaces of a server against those of a backup.

    :returns: what is missing or otherwise, one sentence each. What is there besides is not named: a throwaway has
        its own.
    """
    said = []
    for name, attributes in sorted(expected["roles"].items()):
        if name not in found["roles"]:
            said.append(f"role {name} is missing")
        elif found["roles"][name] != attributes:
            said.append(f"role {name} has other attributes or settings: {found['roles'][name]}, was {attributes}")
    for membership in sorted(set(expected["memberships"]) - set(found["memberships"])):
        group, _sign, member = membership.partition(" > ")
        said.append(f"role {member} is no member of {group}")
    said += [
        f"tablespace {name} is missing" for name in sorted(set(expected["tablespaces"]) - set(found["tablespaces"]))
    ]
    return said


def _excluded(tables: dict[str, Any]) -> list[str]:
    return [name for name, table in tables.items() if table.get("excluded")]


def _tables(expected: dict[str, Any], found: dict[str, Any], deep: bool) -> list[str]:
    said = [f"table {name} is missing" for name in sorted(set(expected) - set(found))]
    said += [f"table {name} was not in the backup" for name in sorted(set(found) - set(expected))]
    whole = _unchanged_partitioned(expected, found, deep)
    for name in sorted(set(expected) & set(found)):
        was, now = expected[name], found[name]
        if was.get("root") in whole:
            continue
        rows = 0 if was.get("excluded") else was["rows"]
        if now["rows"] != rows:
            said.append(f"table {name} has {now['rows']} rows, expected {rows}")
        elif deep and not was.get("excluded") and now["digest"] != was["digest"]:
            said.append(f"table {name} has {rows} rows as expected, but other content")
    return said


def _unchanged_partitioned(expected: dict[str, Any], found: dict[str, Any], deep: bool) -> set[str]:
    """Partitioned tables whose rows are all there, in whichever of their partitions.

    A restore may move rows between hash partitions: enums are hashed by their object ids, so pg_dump loads
    such tables through their root. Sums of rows and of digests can be added up over partitions.
    """
    was, now = by_root(expected), by_root(found)
    return {
        root
        for root, (rows, digests) in was.items()
        if root in now and now[root][0] == rows and (not deep or now[root][1] == digests)
    }


def by_root(tables: dict[str, Any]) -> dict[str, tuple[int, tuple[int, int]]]:
    """Rows and digests added up for each partitioned table."""
    sums: dict[str, tuple[int, tuple[int, int]]] = {}
    for table in tables.values():
        root = table.get("root")
        if root is not None:
            rows, (first, second) = sums.get(root, (0, (0, 0)))
            a, b = (int(part) for part in (table["digest"] or "0:0").split(":"))
            held = 0 if table.get("excluded") else 1
            sums[root] = (rows + held * table["rows"], (first + held * a, second + held * b))
    return sums


def _sequences(expected: dict[str, Any], found: dict[str, Any], data_excluded: bool) -> list[str]:
    said = [f"sequence {name} is missing" for name in sorted(set(expected) - set(found))]
    for name in sorted(set(expected) & set(found)):
        was, now = expected[name], found[name]
        in_range = was["low"] <= now["low"] and now["high"] <= was["high"] and was["called"] in (None, now["called"])
        if not in_range and not data_excluded:
            span = str(was["low"]) if was["low"] == was["high"] else f"between {was['low']} and {was['high']}"
            said.append(
                f"sequence {name} stands at {now['high']} (called: {now['called']}), expected {span} (called: {was['called']})"
            )
    return said


def _schema(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    said = [f"{name} is missing" for name in sorted(set(expected) - set(found))]
    said += [f"{name} was not in the backup" for name in sorted(set(found) - set(expected))]
    return said + [name + _OTHERWISE for name in sorted(set(expected) & set(found)) if expected[name] != found[name]]


def _large_objects(expected: dict[str, Any], found: dict[str, Any], deep: bool) -> list[str]:
    if expected["count"] != found["count"]:
        return [f"{found['count']} large objects, expected {expected['count']}"]
    known = expected["digest"] is not None and found["digest"] is not None
    if deep and known and (expected["digest"], expected["bytes"]) != (found["digest"], found["bytes"]):
        return [f"{expected['count']} large objects as expected, but other content"]
    return []


def _views(expected: dict[str, bool], found: dict[str, bool]) -> list[str]:
    return [
        f"materialized view {name} is {'populated' if found.get(name) else 'not populated'}, expected otherwise"
        for name, populated in sorted(expected.items())
        if name in found and found[name] != populated
    ]


def _soft_differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    said = []
    was, now = expected["properties"], found["properties"]
    for key, what in (
        ("collate", "collation"),
        ("ctype", "character classification"),
        ("provider", "locale provider"),
        ("locale", "locale"),
    ):
        if was.get(key) != now.get(key):
            said.append(f"{what} is {now.get(key)}, was {was.get(key)}: text sorts otherwise")
    if was.get("collation_version_actual") != now.get("collation_version_actual"):
        said.append(
            f"the collation library is at version {now.get('collation_version_actual')}, was {was.get('collation_version_actual')}:"
            " the restored indexes are built with the new one"
        )
    for name, version in sorted(expected["extensions"].items()):
        if name in found["extensions"] and found["extensions"][name] != version:
            said.append(f"extension {name} is at version {found['extensions'][name]}, was {version}")
    return said
