# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a configured access to the place it means."""

from __future__ import annotations

from ..system import System
from .access import AccessConfig, ContainerAccess
from .container import ContainerPlace
from .host import HostPlace
from .place import Place


def open_place(access: AccessConfig, system: System, owner: tuple[int, int], label: str) -> Place:
    """Find the place of a configured access.

    :param owner: user and group id that own the repository; tools in containers run as that user.
    :param label: what tool containers are labelled with, so that those of a dead process can be found.
    :raises AccessError: no engine, no such container, or it does not run.
    """
    if isinstance(access, ContainerAccess):
        return ContainerPlace.find(access, system, owner, label)
    return HostPlace(access)
