# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema digest: one short hash for each object, so that a difference can be named."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from .schema_queries import QUERIES

if TYPE_CHECKING:
    from .rows import Rows

#: Kinds whose definition holds an expression that the server prints from its parse tree.
_DEPARSED = frozenset({"relation", "column", "constraint", "index", "trigger", "rule", "policy", "statistics", "type"})
_QUOTED = re.compile(r"('(?:[^']|'')*')")
_CAST = re.compile(
    r'::\s*(?:"(?:[^"]|"")+"|\w+)(?:\.(?:"(?:[^"]|"")+"|\w+))?'
    r"(?:\s+(?:varying|precision|with(?:out)? time zone))*(?:\s*\(\s*\d+(?:\s*,\s*-?\d+)?\s*\))?(?:\s+with(?:out)? time zone)?(?:\[\])*",
)
_NOISE = re.compile(r"[()\s]+")


def digest_schema(connection: Rows) -> dict[str, str]:
    """Hash every schema object that the connection's snapshot sees.

    :returns: ``"<kind> <identity>"`` → 32 hexadecimal digits of the SHA-256 of its definition.
    """
    objects: dict[str, str] = {}
    for kind, query in QUERIES.items():
        for identity, *definition in connection.execute(query.encode()):
            texts = ["~" if part is None else str(part) for part in definition]
            if kind in _DEPARSED:
                texts = [normalise(text) for text in texts]
            text = "\x1f".join(texts)
            objects[f"{kind} {identity}"] = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return objects


def normalise(text: str) -> str:
    """Bring an expression that the server printed into a form that survives a dump and restore.

    A printed expression is not a fixed point: ``x IN ('a')`` on a varchar column prints as
    ``(x)::text = ANY ((ARRAY['a'::character varying])::text[])`` and, once that has been read back, as
    ``(x)::text = ANY (ARRAY[('a'::character varying)::text])``. So casts, parentheses and white space outside
    of quoted strings are ignored. The types of columns are compared as such, outside of any expression.
    """
    parts = _QUOTED.split(text)
    parts[::2] = [_NOISE.sub("", _CAST.sub("", part)) for part in parts[::2]]
    return "".join(parts)
