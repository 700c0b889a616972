"""A run of site.yml that is killed half-way leaves nothing that the next run cannot finish."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.hosts import Cluster, host_of, inventory, inventory_of


@pytest.mark.parametrize("seconds", [4, 8])
def test_the_next_run_finishes_it(tmp_path: Path, seconds: int) -> None:
    name = f"killed{seconds}"
    like = inventory_of("default")["shop"]
    hosts = inventory(tmp_path, {name: like | {"holdfast_project": name, "cluster_memory_mb": 1024}})

    hosts.kill(seconds, "playbooks/site.yml")
    hosts.play("playbooks/site.yml").require_success()

    cluster = Cluster(host_of("default", "shop"), name, like["ansible_host"], name, 17)
    assert cluster.holdfast("guard").rc == 0
    again = hosts.play("playbooks/site.yml").require_success()
    assert again.recap[name]["changed"] == 0, again.said
    cluster.compose("down")
    cluster.host.check_output(f"docker volume rm {name}_postgres_data")
