# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep the server's configuration files in a set. They may hold secrets, so nothing of them is ever printed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..postgres.server import Server
from ..postgres.server_files import gather
from ..repository import durable

DIRECTORY = "configuration"
SETTINGS = "settings.json"


@dataclass(frozen=True)
class ConfigurationDump:
    """What came of it.

    :param facts: for the manifest: where the files are in the set, and what each of them was on the server.
    """

    facts: dict[str, Any]
    limitations: list[str]


def dump_configuration(server: Server, root: Path, wanted: bool) -> ConfigurationDump:
    """Write ``configuration/`` into a set that is being written.

    :param wanted: False leaves it out, and says so.
    :raises OSError: the set cannot be written. What cannot be read is no error but a limitation.
    """
    if not wanted:
        return ConfigurationDump(
            {"path": DIRECTORY, "files": []}, ["configuration files are not in this backup, as configured"]
        )
    found = gather(server)
    contents = {one.name: (one.source, one.content) for one in found.files}
    if found.settings is not None:
        contents[SETTINGS] = ("pg_settings", durable.to_json(found.settings))
    for name, (_source, content) in contents.items():
        path = root / DIRECTORY / name
        os.makedirs(path.parent, durable.DIRECTORY_MODE, exist_ok=True)
        durable.write_file(path, content)
    listed = [{"name": name, "source": source} for name, (source, _content) in sorted(contents.items())]
    return ConfigurationDump({"path": DIRECTORY, "files": listed}, found.limitations)
