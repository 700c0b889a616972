# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image of PostgreSQL says of the server in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from . import engine

#: From this version on the stock image declares the parent its volume, and puts each version below it.
#: Source: docker-library/postgres, pull request 1259.
_MOVED_IN = 18
_MAJOR_OF_TAG = re.compile(r"(?:^|/)[^/:@]*postgres[^/:@]*:(\d+)")


def major_of(facts: Optional[Mapping[str, Any]], reference: str) -> Optional[int]:
    """The major version of the server in an image or a container, or None where nothing says it.

    :param facts: what the engine says of it; None if it is not on this host.
    :param reference: its name, such as ``postgres:17``, for want of anything better.
    """
    said = engine.environment(facts or {}).get("PG_MAJOR", "")
    if said.isdigit():
        return int(said)
    found = _MAJOR_OF_TAG.search(reference)
    return int(found.group(1)) if found else None


def default_data_directory(reference: str) -> str:
    """Where the stock image of a version has its data directory."""
    major = major_of(None, reference)
    return f"/var/lib/postgresql/{major}/docker" if major and major >= _MOVED_IN else "/var/lib/postgresql/data"


def declared_volumes(facts: Optional[Mapping[str, Any]], reference: str) -> list[str]:
    """The places for which an image wants a volume: an anonymous one, unless somebody mounts another there."""
    if facts is not None:
        return sorted(facts.get("Config", {}).get("Volumes") or {})
    major = major_of(None, reference)
    if major is None:
        return []
    return ["/var/lib/postgresql" if major >= _MOVED_IN else "/var/lib/postgresql/data"]
