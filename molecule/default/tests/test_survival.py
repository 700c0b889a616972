"""What is in the volume outlives everything that happens to containers, engines and machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.hosts import Cluster, inventory, inventory_of, lab

ROWS = "SELECT count(*), sum(id), md5(string_agg(word, ',' ORDER BY id)) FROM kept"
#: Machines that have been rebooted already: the clusters of a machine share its reboot.
rebooted: set[str] = set()


@pytest.fixture(autouse=True)
def rows(cluster: Cluster) -> str:
    """A table that every event has to leave as it is; what it holds."""
    cluster.query(
        "CREATE TABLE IF NOT EXISTS kept AS SELECT id, md5(id::text) AS word FROM generate_series(1, 20000) AS id"
    )
    return cluster.query(ROWS)


def test_compose_down_and_up(cluster: Cluster, rows: str) -> None:
    before = cluster.identity()
    cluster.compose("down")
    cluster.compose("up", "--detach")
    assert cluster.identity()[0] != before[0]
    assert cluster.query(ROWS) == rows


def test_a_killed_server(cluster: Cluster, rows: str) -> None:
    cluster.host.check_output(f"docker kill --signal KILL {cluster.container}")
    cluster.compose("up", "--detach")
    assert cluster.query(ROWS) == rows


def test_a_restart_of_the_engine(cluster: Cluster, rows: str) -> None:
    cluster.host.check_output("systemctl restart docker")
    assert cluster.query(ROWS) == rows


def test_a_reboot_of_the_machine(cluster: Cluster, rows: str) -> None:
    if cluster.machine not in rebooted:
        booted = "cat /proc/sys/kernel/random/boot_id; stat -c %Y /proc/1"
        before = cluster.host.check_output(booted)
        lab("host", cluster.machine, "--reboot")
        rebooted.add(cluster.machine)
        assert cluster.host.check_output(booted) != before
    assert cluster.query(ROWS) == rows
    assert cluster.holdfast("guard").rc == 0


def test_a_container_that_somebody_removed(cluster: Cluster, rows: str, tmp_path: Path) -> None:
    """The playbook makes it again, on the volume that is there."""
    before = cluster.volumes()
    cluster.host.check_output(f"docker rm --force --volumes {cluster.container}")
    hosts = inventory(tmp_path, inventory_of("default"))
    hosts.play("playbooks/site.yml", "--limit", cluster.name).require_success()
    assert cluster.volumes() == before
    assert cluster.query(ROWS) == rows
