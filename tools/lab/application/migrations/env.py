# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How alembic reaches the shop's database. There is no other way than online."""

from __future__ import annotations

import logging
import os

from alembic import context
from sqlalchemy import create_engine, pool

logging.basicConfig(format="%(name)s: %(message)s")
logging.getLogger("alembic").setLevel(logging.INFO)

# The scheme alone would make SQLAlchemy look for psycopg 2.
url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)

with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
