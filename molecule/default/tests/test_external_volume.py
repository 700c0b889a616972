"""A volume beside the project is out of the project's reach."""

from __future__ import annotations

import pytest

from tests.support.hosts import Cluster, host_of


# Not `stock`: its inventory lets the project own the volume, and compose does as it is told.
@pytest.fixture(params=["shop", "ledger", "orders"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    return Cluster.of(host_of("default", request.param))


def test_compose_down_with_its_volumes_leaves_the_data(cluster: Cluster) -> None:
    """What somebody types who has read it somewhere."""
    cluster.query("CREATE TABLE IF NOT EXISTS outside AS SELECT generate_series(1, 3000) AS id")
    cluster.compose("down", "--volumes")
    assert f"{cluster.project}_postgres_data" in cluster.volumes()
    cluster.compose("up", "--detach")
    assert cluster.query("SELECT count(*), sum(id) FROM outside") == "3000|4501500"
