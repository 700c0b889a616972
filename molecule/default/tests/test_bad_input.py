"""What cannot be right is refused with the reason and the way out, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosts import Cluster, Vaulted, inventory, inventory_of
from tests.support.playbooks import Play

SITE = "playbooks/site.yml"
Site = Callable[..., Play]


def said(play: Play) -> str:
    """All that a run said, with its line breaks and margins gone."""
    return " ".join(play.said.split())


@pytest.fixture(scope="module")
def cluster(host: Any) -> Cluster:
    return Cluster.of(host)


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path) -> Site:
    """Runs a playbook for this cluster with some variables changed; None takes one away."""

    def play(*arguments: str, playbook: str = SITE, **changes: Any) -> Play:
        known = inventory_of("default")[cluster.name] | changes
        hosts = {cluster.name: {key: value for key, value in known.items() if value is not None}}
        return inventory(tmp_path, hosts).play(playbook, *arguments)

    return play


@pytest.fixture(autouse=True)
def untouched(request: pytest.FixtureRequest, cluster: Cluster) -> Any:
    """Whatever the mistake, the same container runs on, and no volume has come or gone."""
    before = cluster.identity(), cluster.volumes()
    yield
    if "stopped" not in request.node.name:
        assert (cluster.identity(), cluster.volumes()) == before


def test_a_volume_name_with_a_typo(cluster: Cluster, site: Site) -> None:
    refused = site(holdfast_volume=f"{cluster.project}_postgre_data")
    assert refused.returncode != 0
    assert f"{cluster.project}_postgre_data" in said(refused)
    assert f"{cluster.project}_postgres_data" in said(refused)


def test_a_project_name_with_a_typo(cluster: Cluster, site: Site) -> None:
    refused = site(holdfast_project=f"{cluster.project}x")
    assert refused.returncode != 0
    assert f"{cluster.project}_postgres_data" in said(refused)
    assert not cluster.host.file(f"/srv/{cluster.project}x").exists


def test_an_inventory_without_the_compose_project(site: Site) -> None:
    refused = site(holdfast_project=None)
    assert refused.returncode != 0
    assert "Set holdfast_project to the compose project" in said(refused)


def test_a_change_that_would_recreate_the_database(cluster: Cluster, site: Site) -> None:
    refused = site(cluster_shm_size="2gb")
    assert refused.returncode != 0
    assert f"cluster_recreate={cluster.name}" in said(refused)


def test_a_permission_to_recreate_that_names_another_cluster(site: Site) -> None:
    assert site(cluster_shm_size="2gb", cluster_recreate="elsewhere").returncode != 0


def test_a_pgdata_that_is_not_on_the_volume(cluster: Cluster, site: Site) -> None:
    """As if the image were of the other kind: 18 moved its data, and the volume would stay empty."""
    wrong = 17 if cluster.major >= 18 else 18
    refused = site(cluster_major=str(wrong), cluster_recreate=cluster.name)
    assert refused.returncode != 0
    assert "PGDATA" in said(refused)


def test_an_image_of_another_major_release(cluster: Cluster, site: Site) -> None:
    other = 16 if cluster.major == 15 else 15
    refused = site(holdfast_image=f"postgres:{other}", cluster_recreate=cluster.name)
    assert refused.returncode != 0
    assert f"PostgreSQL {cluster.major}" in said(refused)


def test_a_stopped_database(cluster: Cluster, site: Site) -> None:
    cluster.host.check_output(f"docker stop {cluster.container}")
    for playbook in ("playbooks/backup.yml", "playbooks/guard.yml"):
        refused = site(playbook=playbook)
        assert refused.returncode != 0
        assert "docker start" in said(refused)
    site().require_success()
    assert cluster.query("SELECT 1") == "1"


def test_a_full_disk(cluster: Cluster, site: Site) -> None:
    full = f"/mnt/full-{cluster.name}"
    cluster.host.check_output(f"mkdir -p {full} && mount -t tmpfs -o size=64k,mode=0700 tmpfs {full}")
    try:
        cluster.host.run(f"dd if=/dev/zero of={full}/filler bs=4k")
        refused = site(holdfast_repository=f"{full}/repository")
        assert refused.returncode != 0
        assert "No space left on device" in said(refused)
        configured = cluster.host.file(f"/etc/holdfast/{cluster.name}.json").content_string
        assert full not in configured, "cron goes on with the repository that works"
    finally:
        cluster.host.check_output(f"umount {full}")


def test_an_engine_that_is_not_there(site: Site) -> None:
    refused = site(holdfast_engine="podman")
    assert refused.returncode != 0
    assert "no podman on this host" in said(refused)


def test_a_host_that_cannot_be_reached(cluster: Cluster, tmp_path: Path) -> None:
    """The others of its group go on."""
    hosts = {
        cluster.name: inventory_of("default")[cluster.name],
        "gone": {"ansible_host": "127.0.0.1", "ansible_port": 1, "holdfast_project": "gone"},
    }
    played = inventory(tmp_path, hosts).play("playbooks/backup.yml", note="while another host was gone")
    assert played.returncode != 0
    assert played.recap["gone"]["unreachable"] == 1
    assert played.recap[cluster.name]["failed"] == 0
    assert played.recap[cluster.name]["changed"] == 1


def test_a_vault_without_its_password(site: Site, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("known to nobody here\n")
    seal = [sys.executable, "-m", "ansible", "vault", "encrypt_string", "--vault-password-file", str(key), "secret"]
    sealed = subprocess.run(seal, check=True, capture_output=True, text=True).stdout
    refused = site(cluster_backup_password=Vaulted(textwrap.dedent(sealed.partition("\n")[2])))
    assert refused.returncode != 0
    assert "no vault secrets" in said(refused).lower()


@pytest.mark.parametrize("shared", ["holdfast_cluster", "holdfast_repository"])
def test_two_clusters_of_the_same_name_or_repository(cluster: Cluster, tmp_path: Path, shared: str) -> None:
    known = inventory_of("default")[cluster.name]
    values = {"holdfast_cluster": cluster.name, "holdfast_repository": "/var/backups/holdfast/one-for-all"}
    both = known | {shared: values[shared]}
    hosts = {cluster.name: both, "twin": both | {"holdfast_project": "twin"}}
    refused = inventory(tmp_path, hosts).play(SITE)
    assert refused.returncode != 0
    assert {host["failed"] for host in refused.recap.values()} == {1}
    assert "Give each its own holdfast_cluster" in said(refused)


def test_two_inventories_that_give_one_repository_to_two_clusters(cluster: Cluster, site: Site) -> None:
    """Each inventory is right for itself; the repository knows whose it is."""
    neighbours = {name: known["ansible_host"] for name, known in inventory_of("default").items()}
    other = next(name for name, host in neighbours.items() if host == cluster.machine and name != cluster.name)
    refused = site(holdfast_repository=f"/var/backups/holdfast/{other}")
    assert refused.returncode != 0
    assert f"cluster {other}" in said(refused)
