# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holdfast: backups of PostgreSQL that are proved, not assumed.

The core is plain Python: nothing below this package imports Ansible, so the same files work as
``ansible.module_utils.holdfast`` inside a module and as ``holdfast`` in the agent's zipapp.
"""

from __future__ import annotations

__version__ = "0.1.0"
