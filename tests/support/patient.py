# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A shop on a host that meets disasters, and its recoveries by the playbook."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tests.support.playbooks import Play
from tests.support.shop import Shop

PLAYBOOK = "playbooks/disaster-recovery.yml"
DATA = "/var/lib/docker/volumes/shop_postgres_data/_data"


@dataclass(frozen=True)
class Patient:
    """The shop, and what a recovery is asked for."""

    shop: Shop
    backups: tuple[str, str]

    @property
    def host(self) -> Any:
        return self.shop.host

    def assess(self, **variables: Any) -> str:
        """What the playbook says is wrong, on one line."""
        play = self.shop.hosts.play(PLAYBOOK, "--limit", "shop", "--tags", "assess", **variables).require_success()
        return " ".join(play.said.split())

    def recover(self, **variables: Any) -> Play:
        """Recovers, unattended."""
        return self.shop.hosts.play(PLAYBOOK, "--limit", "shop", confirm="shop", **variables)

    def record(self) -> dict[str, Any]:
        """The newest record."""
        return dict(self.shop.server.reported("recoveries")["recoveries"][0])

    def orders(self) -> int:
        return int(self.shop.server.query("SELECT count(*) FROM orders", "shop"))

    def require_open(self, orders: int) -> None:
        """The data are back, and customers are served."""
        assert self.orders() == orders
        url = "http://127.0.0.1:8080/orders/yesterday-1"
        self.host.check_output(f"python3 -c \"import urllib.request as web; web.urlopen('{url}', timeout=20)\"")
        assert all(running for _id, _tag, running in self.shop.web())

    def wait_for_step(self, step: str, seconds: float = 120) -> None:
        """Until a recovery is at a step."""
        until = time.monotonic() + seconds
        while True:
            records = self.shop.server.reported("recoveries")["recoveries"]
            if records and records[0]["state"] == "running" and records[0]["steps"][-1:] and records[0]["steps"][-1]["name"] == step:  # fmt: skip
                return
            assert time.monotonic() < until, records[:1]
            time.sleep(0.2)
