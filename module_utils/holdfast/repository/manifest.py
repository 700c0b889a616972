# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifest: what a backup is. It is written last, and a set without a valid one is no backup.

``manifest.json`` carries a checksum of itself and the checksum of ``checksums.sha256``, which lists every
other file of the set in the format of sha256sum(1), so that people can check a set with stock tools.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Optional

from ..errors import IntegrityError
from .retention import TIERS

SCHEMA = 1
NAME = "manifest.json"
CHECKSUMS = "checksums.sha256"
METHODS = ("logical", "physical")
OUTCOMES = ("complete", "failed")
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")
_BLANK = "sha256:" + "0" * 64
_ID = re.compile(r"([0-9]{8}T[0-9]{6})Z-[a-z]+-[0-9a-f]{6}")
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_REQUIRED: dict[str, Any] = {
    "id": str, "cluster": str, "repository": str, "holdfast": str, "tiers": list, "method": str, "outcome": str,
    "started": str, "finished": str, "time": str, "size": int, "server": dict, "tools": dict, "compression": dict,
    "databases": list, "globals": dict, "fingerprint": dict, "files": dict, "warnings": list, "limitations": list,
    "failures": list,
}  # fmt: skip
_REQUIRED_INSIDE: dict[str, dict[str, Any]] = {
    "server": {"version": str, "version_num": int},
    "compression": {"algorithm": str, "reason": str},
    "fingerprint": {"level": str},
    "files": {"sha256": str},
}
_LISTS: dict[str, Any] = {"tiers": str, "databases": dict, "warnings": str, "limitations": str, "failures": dict}


@dataclass(frozen=True)
class Manifest:
    """A validated manifest. ``facts`` is the JSON object without its checksum."""

    facts: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.facts["id"])

    @property
    def time(self) -> datetime:
        """The instant of the (first) snapshot: what the backup is a backup of."""
        return parse_time(self.facts["time"])

    @property
    def tiers(self) -> tuple[str, ...]:
        return tuple(self.facts["tiers"])

    @property
    def outcome(self) -> str:
        return str(self.facts["outcome"])

    def database(self, name: str) -> Optional[Mapping[str, Any]]:
        """The entry of a database that the backup holds, by its name."""
        return next((entry for entry in self.facts["databases"] if entry["name"] == name), None)

    def to_bytes(self) -> bytes:
        """The manifest as it lies on disk, with its own checksum."""
        return render(self.facts)


def build(facts: Mapping[str, Any]) -> Manifest:
    """Make a manifest of its facts; ``schema`` is added.

    :raises IntegrityError: a required fact is missing or has a wrong type.
    """
    full = {**facts, "schema": SCHEMA}
    _validate(full, str(facts.get("id")))
    return Manifest(full)


def parse(content: bytes, where: str) -> Manifest:
    """Read a manifest.

    :param where: what to call it in a message.
    :raises IntegrityError: not JSON (truncated), another checksum (altered), a newer schema, or incomplete.
    """
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _bad(where, f"it is not valid JSON, so it was truncated or altered ({error})") from error
    if not isinstance(raw, dict):
        raise _bad(where, "it is not a JSON object")
    schema = raw.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise IntegrityError(
            "read",
            f"manifest {where}",
            f"its schema is {schema}, and this Holdfast reads up to {SCHEMA}",
            "Use the newer Holdfast that wrote it.",
            schema=schema,
        )
    claimed = raw.pop("checksum", None)
    if not isinstance(claimed, str) or not _CHECKSUM.fullmatch(claimed) or claimed != checksum(content, claimed):
        raise _bad(where, "its checksum does not fit, so it was altered")
    _validate(raw, where)
    return Manifest(raw)


def render(facts: Mapping[str, Any]) -> bytes:
    """Facts as readable JSON, with the checksum of that very text in it."""
    content = (json.dumps({**facts, "checksum": _BLANK}, indent=1, sort_keys=True) + "\n").encode("ascii")
    return content.replace(_field(_BLANK), _field(checksum(content, _BLANK)))


def checksum(content: bytes, claimed: str) -> str:
    """SHA-256 of the text of a manifest, with zeros in the place of the checksum that it claims."""
    return "sha256:" + hashlib.sha256(content.replace(_field(claimed), _field(_BLANK))).hexdigest()


def _field(value: str) -> bytes:
    """The checksum's field; within a text of the manifest its quotes would be escaped, so it is found only once."""
    return f'"checksum": "{value}"'.encode("ascii")


def checksum_lines(files: Mapping[str, tuple[int, str]]) -> bytes:
    """The content of ``checksums.sha256``: ``sha256sum --check`` reads it."""
    return "".join(f"{digest}  {name}\n" for name, (_size, digest) in sorted(files.items())).encode("utf-8")


def parse_checksums(content: bytes, where: str) -> dict[str, str]:
    """By file name, the SHA-256 that it should have.

    :raises IntegrityError: a line of another form, or a name that leads out of the set.
    """
    found = {}
    for line in content.decode("utf-8", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if not match or match.group(2).startswith("/") or ".." in match.group(2).split("/"):
            raise _bad(where, f"{CHECKSUMS} has a line that is no checksum")
        found[match.group(2)] = match.group(1)
    return found


def new_id(time: datetime, tier: str, token: str) -> str:
    """An id that sorts by time: ``20261122T101500Z-daily-3f9c1e``."""
    return f"{time.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{tier}-{token}"


def is_id(text: str) -> bool:
    """Whether a name can be the id of a backup; anything else in the repository is left alone."""
    match = _ID.fullmatch(text)
    if match is None:
        return False
    try:
        _stamp(match.group(1))
    except ValueError:
        return False
    return True


def time_of_id(backup_id: str) -> datetime:
    """The instant, to the second, that an id begins with: when its backup was begun."""
    return _stamp(backup_id[:15])


def format_time(time: datetime) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """The aware instant of :func:`format_time`.

    :raises ValueError: another form, or no zone.
    """
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return time


def _stamp(text: str) -> datetime:
    """``20261122T101500`` as an instant. Not strptime, which is too slow for a list of thousands.

    :raises ValueError: there is no such instant.
    """
    parts = (text[:4], text[4:6], text[6:8], text[9:11], text[11:13], text[13:15])
    year, month, day, hour, minute, second = map(int, parts)
    return datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)


def _validate(raw: Mapping[str, Any], where: str) -> None:
    if raw.get("schema") != SCHEMA:
        raise _bad(where, f"its schema is {raw.get('schema')!r}")
    _require(raw, _REQUIRED, where)
    for key, inside in _REQUIRED_INSIDE.items():
        _require(raw[key], inside, where)
    for key, kind in _LISTS.items():
        if not all(isinstance(item, kind) for item in raw[key]):
            raise _bad(where, f"an entry of {key!r} has a wrong type")
    if not is_id(raw["id"]):
        raise _bad(where, f"{raw['id']!r} is no id of a backup")
    if not raw["tiers"] or not set(raw["tiers"]) <= set(TIERS):
        raise _bad(where, f"tiers {raw['tiers']!r} are unknown")
    if raw["method"] not in METHODS or raw["outcome"] not in OUTCOMES:
        raise _bad(where, f"method {raw['method']!r} or outcome {raw['outcome']!r} is unknown")
    for key in ("started", "finished", "time"):
        try:
            parse_time(raw[key])
        except ValueError as error:
            raise _bad(where, f"{key!r} is no time ({error})") from error
    for entry in raw["databases"]:
        path = entry.get("path")
        if (
            not isinstance(path, str)
            or not isinstance(entry.get("name"), str)
            or path.startswith("/")
            or ".." in path.split("/")
        ):
            raise _bad(where, "an entry of 'databases' is not valid")


def _require(raw: Mapping[str, Any], kinds: Mapping[str, Any], where: str) -> None:
    found = {key: type(raw.get(key)) for key in kinds}
    if found != kinds:
        wrong = next(key for key, kind in kinds.items() if found[key] != kind)
        raise _bad(where, f"{wrong!r} is missing or has a wrong type")


def _bad(where: str, reason: str) -> IntegrityError:
    return IntegrityError(
        "read",
        f"manifest {where}",
        reason,
        "Use another backup (holdfast list); this one is kept for inspection.",
        manifest=where,
    )
