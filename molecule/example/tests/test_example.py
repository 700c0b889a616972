"""What the first page of the documentation promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.clusters import CHECKOUT
from tests.support.hosts import Cluster, inventory
from tests.support.playbooks import Inventory

EXAMPLE = CHECKOUT / "inventory" / "example" / "hosts.yml"


def test_the_clusters_of_the_example_run_and_are_guarded(host: Any) -> None:
    cluster = Cluster.of(host)
    assert cluster.query("SELECT 1") == "1"
    assert cluster.holdfast("guard").rc == 0


def test_one_playbook_backs_them_up_at_once(tmp_path: Path) -> None:
    hosts = Inventory(EXAMPLE, tmp_path, inventory(tmp_path, {}).environment)
    taken = hosts.play("playbooks/backup.yml", tier="daily").require_success()
    assert {name: run["changed"] for name, run in taken.recap.items()} == {"shop": 1, "orders": 1}
    again = hosts.play("playbooks/backup.yml", tier="daily", if_older_than="20h").require_success()
    assert {name: run["changed"] for name, run in again.recap.items()} == {"shop": 0, "orders": 0}
    listed = hosts.play("playbooks/catalogue.yml").require_success()
    assert listed.said.count("daily") >= 2
