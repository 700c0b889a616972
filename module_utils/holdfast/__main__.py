# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m holdfast``, and what the zipapp runs. The exit code is the command's own."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
