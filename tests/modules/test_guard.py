# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module pg_guard, run by ansible-playbook against a real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support import playbooks
from tests.support.clusters import Cluster
from tests.support.servers import Server


def test_the_guard_says_what_it_does_and_does_what_it_says(
    tmp_path: Path, server18: Server, cluster: Callable[..., Cluster]
) -> None:
    shop = cluster(server18, initialised=False, guard={"fsync": "ignore", "full_page_writes": "ignore"})
    config = shop.config()
    shop.config_file.unlink()
    hosts = playbooks.inventory(tmp_path, {"shop": None})

    hosts.play(
        "tests/modules/guard.yml", cluster="shop", config_dir=str(shop.config_dir), config=config
    ).require_success()
