# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the one that starts the runs is there, and alive: a schedule that nobody reads is none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from ..config_schedule import ScheduleOptions
from ..system import Command, System

_CRON = ("cron", "crond", "fcron", "cronie")


def unit_name(cluster: str) -> str:
    """The name of a cluster's systemd units, without what is behind the dot."""
    return f"holdfast-{cluster}"


def cron_file(cluster: str) -> str:
    """The name of a cluster's file in ``/etc/cron.d``: cron passes over names with anything but these characters.

    ``shop`` → ``holdfast-shop``, ``shop.eu`` → ``holdfast-shop_2Eeu``.
    """
    return "holdfast-" + re.sub(r"[^A-Za-z0-9-]", lambda found: f"_{ord(found.group()):02X}", cluster)


def installed(options: ScheduleOptions, cluster: str, system: System) -> Optional[bool]:
    """Whether what starts the runs is there; None where there is no schedule."""
    if options.backend == "none":
        return None
    if options.backend == "cron":
        try:
            text = (Path(options.cron_dir) / cron_file(cluster)).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return False
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        return any(re.search(rf"\brun\b.*--cluster {re.escape(cluster)}(?:\s|$)", line) for line in lines)
    return _systemctl("is-enabled", cluster, system)


def alive(options: ScheduleOptions, cluster: str, system: System) -> Optional[bool]:
    """Whether the one who reads it is alive; None where there is no schedule."""
    if options.backend == "none":
        return None
    if options.backend == "cron":
        return any(name in _CRON for name in _programs())
    return _systemctl("is-active", cluster, system)


def leftovers(options: ScheduleOptions, cluster: str, unit_dir: str) -> list[str]:
    """What another backend than the one that is wanted has left: cron's file, or units."""
    found = []
    file = os.path.join(options.cron_dir, cron_file(cluster))
    if options.backend != "cron" and os.path.exists(file):
        found.append(file)
    if options.backend != "systemd":
        names = (f"{unit_name(cluster)}{middle}.{end}" for middle in ("", "-metrics") for end in ("timer", "service"))
        found += [path for path in (os.path.join(unit_dir, name) for name in names) if os.path.exists(path)]
    return found


def _systemctl(verb: str, cluster: str, system: System) -> bool:
    try:
        return system.run(Command(["systemctl", "--quiet", verb, f"{unit_name(cluster)}.timer"])).returncode == 0
    except FileNotFoundError:
        return False


def _programs() -> Iterator[str]:
    """The names of what runs here; a container's own cron, which this host sees too, is not this host's."""
    own = _namespace("self")
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                name = Path(entry.path, "comm").read_text(encoding="utf-8", errors="replace").strip()
            except OSError:
                continue
            if name in _CRON and _namespace(entry.name) in (own, None):
                yield name


def _namespace(process: str) -> Optional[str]:
    """None where this account may not know."""
    try:
        return os.readlink(f"/proc/{process}/ns/pid")
    except OSError:
        return None
