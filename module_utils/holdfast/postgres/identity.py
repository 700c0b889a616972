# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server is, so that a later look can tell whether it was restarted, replaced or given other data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

#: Whatever of these differs was restarted or replaced. Where the server lies is in them: an old id on a new
#: volume is another server.
COMPARED = ("engine", "container", "started_at", "system_identifier", "volume", "data_directory")


def identity(
    *,
    engine: Optional[str],
    container: Optional[str],
    image: Optional[str],
    started_at: Optional[str],
    system_identifier: Optional[str],
    volume: Optional[str],
    data_directory: Optional[str],
) -> dict[str, Optional[str]]:
    """An identity, as JSON. What does not exist, or could not be seen, is None."""
    return {
        "engine": engine,
        "container": container,
        "image": image,
        "started_at": started_at,
        "system_identifier": system_identifier,
        "volume": volume,
        "data_directory": data_directory,
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What has changed since an identity was taken: ``started_at was a, is b``.

    A fact that one of the two could not see is no difference, unless nothing at all can be compared.
    """
    comparable = [key for key in COMPARED if before.get(key) is not None and now.get(key) is not None]
    if not {"started_at", "system_identifier", "container"} & set(comparable):
        return ["the two have nothing in common that could be compared"]
    return [f"{key} was {before[key]}, is {now[key]}" for key in comparable if before[key] != now[key]]
