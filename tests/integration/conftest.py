"""A shop with one small database, for the tests that restore it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.backups import tidied
from tests.support.clusters import Cluster
from tests.support.servers import Server

Clusters = Callable[..., Cluster]


@pytest.fixture
def shop(server18: Server, cluster: Clusters) -> Iterator[Cluster]:
    with tidied(server18):
        yield cluster(server18)


@pytest.fixture
def orders(shop: Cluster) -> str:
    """A database with one table of three rows."""
    shop.server.create_database("orders")
    shop.server.psql("CREATE TABLE lines AS SELECT n AS id FROM generate_series(1, 3) AS n", "orders")
    return "orders"
