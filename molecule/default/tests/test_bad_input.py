"""What cannot be right is refused with the reason and the way out, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosts import Cluster, Vaulted, host_of, inventory, inventory_of
from tests.support.playbooks import Play
from tests.support.processes import rounds

SITE = "playbooks/site.yml"
Site = Callable[..., Play]


def assert_refused(play: Play, *reasons: str) -> None:
    """The run failed and gave these reasons, wherever its lines break."""
    assert play.returncode != 0, play.said
    said = " ".join(play.said.split())
    assert [reason for reason in reasons if reason not in said] == [], play.said


@pytest.fixture(scope="module", params=["ledger", "orders"][: rounds(1)])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """One of each machine: compose 2 and the data of release 18 on one, compose 1 on the other.

    What is refused is refused before compose is asked, so one of them will do; HOLDFAST_ROUNDS=2 takes both.
    """
    return Cluster.of(host_of("default", request.param))


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path) -> Site:
    """Runs a playbook for this cluster with some variables changed; None takes one away."""

    def play(*arguments: str, playbook: str = SITE, **changes: Any) -> Play:
        hosts = inventory_of("default")
        changed = hosts[cluster.name] | changes
        hosts[cluster.name] = {key: value for key, value in changed.items() if value is not None}
        return inventory(tmp_path, hosts).play(playbook, "--limit", cluster.name, *arguments)

    return play


@pytest.fixture(autouse=True)
def untouched(request: pytest.FixtureRequest, cluster: Cluster) -> Any:
    """Whatever the mistake, the same container runs on, and no volume has come or gone."""
    before = cluster.identity(), cluster.volumes()
    yield
    if "stopped" not in request.node.name:
        assert (cluster.identity(), cluster.volumes()) == before


def test_a_volume_name_with_a_typo(cluster: Cluster, site: Site) -> None:
    assert_refused(
        site(holdfast_volume=f"{cluster.project}_postgre_data"),
        f"{cluster.project}_postgre_data",
        f"{cluster.project}_postgres_data",
    )


def test_a_project_name_with_a_typo(cluster: Cluster, site: Site) -> None:
    assert_refused(site(holdfast_project=f"{cluster.project}x"), f"{cluster.project}_postgres_data")
    assert not cluster.host.file(f"/srv/{cluster.project}x").exists


def test_an_inventory_without_the_compose_project(site: Site) -> None:
    assert_refused(site(holdfast_project=None), "Set holdfast_project to the compose project")


def test_a_change_that_would_recreate_the_database(cluster: Cluster, site: Site) -> None:
    assert_refused(site(cluster_shm_size="2gb"), f"cluster_recreate={cluster.name}")


def test_a_permission_to_recreate_that_names_another_cluster(site: Site) -> None:
    assert site(cluster_shm_size="2gb", cluster_recreate="elsewhere").returncode != 0


def test_a_pgdata_that_is_not_on_the_volume(cluster: Cluster, site: Site) -> None:
    """As if the image were of the other kind: 18 moved its data, and the volume would stay empty."""
    wrong = 17 if cluster.major >= 18 else 18
    assert_refused(site(cluster_major=str(wrong), cluster_recreate=cluster.name), "PGDATA")


def test_an_image_of_another_major_release(cluster: Cluster, site: Site) -> None:
    other = 16 if cluster.major == 15 else 15
    assert_refused(
        site(holdfast_image=f"postgres:{other}", cluster_recreate=cluster.name), f"PostgreSQL {cluster.major}"
    )


def test_a_stopped_database(cluster: Cluster, site: Site) -> None:
    cluster.host.check_output(f"docker stop {cluster.container}")
    for playbook in ("playbooks/backup.yml", "playbooks/guard.yml"):
        assert_refused(site(playbook=playbook), "docker start")
    site().require_success()
    assert cluster.query("SELECT 1") == "1"


def backups(cluster: Cluster) -> list[str]:
    """The ids of all backups, as the host lists them."""
    return [one["id"] for one in json.loads(cluster.holdfast("list", "--json").stdout)["backups"]]


def test_a_full_disk(cluster: Cluster, site: Site) -> None:
    repository = f"/var/backups/holdfast/{cluster.name}"
    small = f"/mnt/small-{cluster.name}"
    before = backups(cluster)
    cluster.host.check_output(
        f"mkdir -p {small} && mount -t tmpfs -o size=16k,mode=0700 tmpfs {small}"
        f" && cp {repository}/holdfast-repository.json {small} && mkdir {small}/backups {small}/state && mount --bind {small} {repository}"
    )
    try:
        assert_refused(site(playbook="playbooks/backup.yml"), "no space is left on the device")
        assert backups(cluster) == []
    finally:
        cluster.host.check_output(f"umount {repository} && umount {small}")
    assert backups(cluster) == before


def test_an_engine_that_is_not_there(site: Site) -> None:
    assert_refused(site(holdfast_engine="podman"), "makes new projects with docker only")


def test_a_host_that_cannot_be_reached(cluster: Cluster, tmp_path: Path) -> None:
    """The others of its group go on."""
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 1, "holdfast_project": "gone"}
    hosts = inventory(tmp_path, inventory_of("default") | {"gone": gone})
    played = hosts.play("playbooks/backup.yml", "--limit", f"{cluster.name},gone", note="while a host was gone")
    assert played.returncode != 0
    assert played.recap["gone"]["unreachable"] == 1
    assert played.recap[cluster.name]["failed"] == 0
    assert played.recap[cluster.name]["changed"] == 1


def test_a_vault_without_its_password(site: Site, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("known to nobody here\n")
    seal = [sys.executable, "-m", "ansible", "vault", "encrypt_string", "--vault-password-file", str(key), "secret"]
    sealed = subprocess.run(seal, check=True, capture_output=True, text=True).stdout
    assert_refused(
        site(cluster_backup_password=Vaulted(textwrap.dedent(sealed.partition("\n")[2]))),
        "no vault secrets",
    )


@pytest.mark.parametrize("shared", ["holdfast_cluster", "holdfast_repository"])
def test_two_clusters_of_the_same_name_or_repository(cluster: Cluster, tmp_path: Path, shared: str) -> None:
    hosts = inventory_of("default")
    values = {"holdfast_cluster": cluster.name, "holdfast_repository": "/var/backups/holdfast/one-for-all"}
    hosts[cluster.name][shared] = values[shared]
    hosts["twin"] = hosts[cluster.name] | {"holdfast_project": "twin"}
    refused = inventory(tmp_path, hosts).play(SITE, "--limit", f"{cluster.name},twin")
    assert_refused(refused, "Give each its own holdfast_cluster")
    assert {host["failed"] for host in refused.recap.values()} == {1}


def test_two_inventories_that_give_one_repository_to_two_clusters(cluster: Cluster, tmp_path: Path) -> None:
    """Each inventory is right for itself; the repository knows whose it is."""
    hosts = inventory_of("default")
    (other,) = (name for name in hosts if hosts[name]["ansible_host"] == cluster.machine and name != cluster.name)
    hosts[cluster.name]["holdfast_repository"] = f"/var/backups/holdfast/{other}"
    del hosts[other]
    assert_refused(inventory(tmp_path, hosts).play(SITE, "--limit", cluster.name), f"it belongs to cluster '{other}'")
    # Alone on its machine, it was given all of the memory: its settings are put back.
    inventory(tmp_path, inventory_of("default")).play(SITE, "--limit", cluster.name).require_success()
