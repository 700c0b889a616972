"""A shop with one small database, for the tests that restore it; an application, for those that deploy it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.support import application, containers
from tests.support.application import Application
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


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """An application with its database in one compose project, for all tests of deployments."""
    engine, compose = containers.docker(), containers.compose()
    application.build(engine)
    with application.running(
        engine, compose, tmp_path_factory.mktemp("deploy"), f"holdfast-test-app-{os.getpid()}"
    ) as running:
        yield running


@pytest.fixture
def app(project: Application) -> Iterator[Application]:
    """The project with version 1; whatever a test does, the database stays the same container, and nothing is left."""
    project.reset()
    identity = project.database.identity()
    yield project
    assert project.database.identity() == identity
    project.assert_nothing_left()
