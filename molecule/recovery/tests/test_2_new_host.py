"""A second machine that never had the database gets it from the repository alone; then it loses volume and container."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.clusters import CHECKOUT
from tests.support.hosts import Server, host_of
from tests.support.patient import PLAYBOOK, Patient
from tests.support.playbooks import Inventory

REPOSITORY = "var/backups/holdfast"


@pytest.fixture
def host() -> Any:
    return host_of("recovery", "spare")


def test_a_new_machine_and_a_volume_that_was_removed(patient: Patient, host: Any, tmp_path: Path) -> None:
    spare = Server(host, "shop", "recovery-spare", "root", "docker exec shop-db-1 psql -U shop")
    hosts: Inventory = patient.shop.hosts
    play = hosts.play(PLAYBOOK, "--limit", "spare", confirm="shop")
    assert play.returncode != 0
    assert "Copy the repository to that place first. Nothing was touched." in " ".join(play.said.split())
    ssh = ["ssh", "-F", str(CHECKOUT / ".cache/lab/ssh_config")]
    source = [*ssh, "recovery-trixie", "tar", "-C", "/", "-c", f"{REPOSITORY}/shop"]
    content = subprocess.run(source, capture_output=True, check=True).stdout
    subprocess.run([*ssh, "recovery-spare", f"mkdir -p /{REPOSITORY} && tar -C / -x"], input=content, check=True)
    hosts.play(PLAYBOOK, "--limit", "spare", confirm="shop").require_success()
    assert int(spare.query("SELECT count(*) FROM orders", "shop")) == 20000
    assert spare.reported("recoveries")["recoveries"][0]["state"] == "recovered"

    host.check_output("docker rm --force $(docker ps --quiet --filter label=io.holdfast.cluster=shop)")
    host.check_output("docker volume rm $(docker volume ls --quiet --filter label=io.holdfast.cluster=shop)")
    said = " ".join(hosts.play(PLAYBOOK, "--limit", "spare", "--tags", "assess").require_success().said.split())
    assert "there is no container" in said
    hosts.play(PLAYBOOK, "--limit", "spare", confirm="shop").require_success()
    assert int(spare.query("SELECT count(*) FROM orders", "shop")) == 20000
    hosts.play("playbooks/verify.yml", "--limit", "spare", backup=patient.backups[0]).require_success()
