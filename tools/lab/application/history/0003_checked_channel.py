# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forgets that there are orders from the web, as every one has been so far."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN agent text")
    op.execute("ALTER TABLE orders ADD CONSTRAINT orders_channel_known CHECK (channel IN ('shop', 'phone'))")
