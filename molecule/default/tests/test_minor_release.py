"""A newer minor release of the image takes the place of the old one when that is asked for, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.hosts import Cluster, host_of, inventory, inventory_of

ROWS = "SELECT count(*), sum(id) FROM minor"


@pytest.fixture(params=["shop", "orders"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """With compose 2, and with compose 1."""
    return Cluster.of(host_of("default", request.param))


def test_it_is_refused_until_it_is_asked_for_by_name(cluster: Cluster, tmp_path: Path) -> None:
    name, known = cluster.name, inventory_of("default")
    known[name]["holdfast_image"] += "-next"
    newer = inventory(tmp_path, known)
    cluster.query("CREATE TABLE IF NOT EXISTS minor AS SELECT generate_series(1, 5000) AS id")
    rows, before, image = cluster.query(ROWS), cluster.identity(), cluster.facts()["Image"]

    refused = newer.play("playbooks/site.yml", "--limit", name)
    assert refused.returncode != 0
    assert f"cluster_recreate={name}" in " ".join(refused.said.split())
    assert cluster.identity() == before

    newer.play("playbooks/site.yml", "--limit", name, cluster_recreate=name).require_success()
    assert cluster.identity()[0] != before[0]
    assert "before its container is recreated" in cluster.holdfast("list", "--json").stdout
    assert cluster.query(ROWS) == rows
    assert cluster.facts()["Image"] != image
    again = newer.play("playbooks/site.yml", "--limit", name, cluster_recreate=name).require_success()
    assert again.recap[name]["changed"] == 0, again.said


def test_a_newer_image_of_the_same_tag_is_looked_for_when_asked(cluster: Cluster, tmp_path: Path) -> None:
    """The tag on the host is moved to another image, and pulling brings back what the registry has."""
    name, hosts = cluster.name, inventory(tmp_path, inventory_of("default"))
    tag = f"postgres:{cluster.major}"
    asked = {"cluster_recreate": name, "cluster_pull": "always"}
    hosts.play("playbooks/site.yml", "--limit", name, **asked).require_success()
    stock = cluster.facts()["Image"]
    cluster.host.check_output(f"docker tag {tag}-next {tag}")
    hosts.play("playbooks/site.yml", "--limit", name, cluster_recreate=name).require_success()
    assert cluster.facts()["Image"] != stock
    hosts.play("playbooks/site.yml", "--limit", name, **asked).require_success()
    assert cluster.facts()["Image"] == stock
