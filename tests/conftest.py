"""Fixtures for tests that talk to a real server and run the real program."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import clusters, sample, servers
from tests.support.clusters import Cluster
from tests.support.needs import lacking
from tests.support.servers import Server

_numbers = itertools.count(1)
# How fast this machine is at the moment is no property of what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def server16(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """PostgreSQL 16 from the PyPI wheel."""
    with servers.running(servers.wheel(16), tmp_path_factory.mktemp("pg") / "16") as running:
        yield running


@pytest.fixture(scope="session")
def server18(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """PostgreSQL 18 from the PyPI wheel."""
    with servers.running(servers.wheel(18), tmp_path_factory.mktemp("pg") / "18") as running:
        yield running


@pytest.fixture(scope="session")
def distribution_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The newest PostgreSQL that the distribution's packages have installed."""
    bin_dir = servers.distribution()
    if bin_dir is None:
        lacking(f"no distribution's server is installed, looked for {servers.DISTRIBUTION_FOLDERS}")
    with servers.running(bin_dir, tmp_path_factory.mktemp("pg") / "distribution") as running:
        yield running


@pytest.fixture(params=["server16", "server18", "distribution_server"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the servers in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def another_server(tmp_path: Path) -> Iterator[Callable[[Server], Server]]:
    """Starts a new, empty server with the programs of the given one, for this test alone."""
    with ExitStack() as stack:

        def start(like: Server) -> Server:
            directory = tmp_path / f"server-{next(_numbers)}"
            return stack.enter_context(servers.running(like.bin_dir, directory))

        yield start


@pytest.fixture
def new_database() -> Iterator[Callable[..., str]]:
    """Creates databases, of a given name or of a new one; drops them after the test, with what restores made of them."""
    with ExitStack() as stack:

        def drop(server: Server, name: str) -> None:
            for found in server.databases():
                if found == name or found.startswith(f"{name}_"):
                    server.drop_database(found)

        def create(server: Server, name: str | None = None) -> str:
            chosen = name or f"test_{next(_numbers)}"
            stack.callback(drop, server, chosen)
            return server.create_database(chosen)

        yield create


@pytest.fixture
def database(server: Server, new_database: Callable[..., str]) -> str:
    """The name of an empty database on `server`."""
    return new_database(server)


@pytest.fixture
def sample_database(server: Server, database: str) -> str:
    """The name of a database on `server` that holds the sample."""
    return sample.load(server, database)


@pytest.fixture
def cluster(tmp_path: Path) -> Callable[..., Cluster]:
    """Makes a cluster with an empty repository: `cluster(server, name="shop", backup={"jobs": 1})`."""

    def configure(server: Server, name: str = "shop", initialised: bool = True, **sections: Any) -> Cluster:
        return clusters.create(server, tmp_path, name, initialised, **sections)

    return configure
