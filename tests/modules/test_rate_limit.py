# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rate limit where a backup is a module's: its brake is started out of the archive that Ansible runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from tests.support import playbooks
from tests.support.clusters import Cluster
from tests.support.processes import until
from tests.support.rates import MIB, brakes, stand_still, watched
from tests.support.servers import Server


def test_a_backup_by_the_module_is_held_to_the_limit_too(
    tmp_path: Path, server18: Server, new_database: Callable[..., str], cluster: Callable[..., Cluster]
) -> None:
    name = new_database(server18)
    server18.psql("CREATE TABLE a AS SELECT sha512(i::text::bytea) AS note FROM generate_series(1, 60000) i", name)
    shop = cluster(server18, backup={"databases": [name], "jobs": 1, "compression": "gzip:1", "rate_limit": 1})
    hosts = playbooks.inventory(tmp_path, {"shop": None})
    said = []
    arguments = {"cluster": "shop", "config_dir": str(shop.config_dir)}
    play = threading.Thread(target=lambda: said.append(hosts.play("tests/modules/backup_limited.yml", **arguments)))
    with watched(shop) as watch:
        play.start()
        until(lambda: brakes(shop) and stand_still(shop, 1), "the dump stands still", 60)
        play.join()
    said[0].require_success()
    assert watch.size > 3 * MIB
    assert brakes(shop) == []
