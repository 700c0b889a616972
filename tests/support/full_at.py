# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fills a file system just before a file of a certain name is written, as another process might.

Used as ``sitecustomize`` in a run of the program: FULL_AT is the file's name, FULL_ON the file system.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

_filled: list[Path] = []


def _fill(where: Path) -> None:
    if _filled:
        return
    _filled.append(where)
    (where / "lost+found").mkdir(exist_ok=True)
    with (where / "lost+found" / "ballast").open("wb") as stream:
        facts = os.statvfs(where)
        os.posix_fallocate(stream.fileno(), 0, max(1, facts.f_bavail * facts.f_frsize))


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    name = os.environ["FULL_AT"]
    opened = event == "open" and os.path.basename(str(arguments[0])) == name and ".partial-" in str(arguments[0])
    handed = event == "subprocess.Popen" and any(str(word).endswith("/" + name) for word in arguments[1])
    if opened or handed:
        _fill(Path(os.environ["FULL_ON"]))


if "FULL_AT" in os.environ:
    sys.addaudithook(_watch)
