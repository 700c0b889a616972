"""The machines of the scenario, as converge left them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.hosts import Cluster, host_of
from tests.support.watch import Watch


@pytest.fixture(scope="session")
def shop() -> Cluster:
    """The cluster that is watched."""
    return Cluster.of(host_of("monitoring", "shop"))


@pytest.fixture(scope="session")
def watch() -> Watch:
    """The machine that watches it."""
    return Watch(host_of("monitoring", "watch"))


@pytest.fixture
def host() -> Any:
    """These tests are about both machines at once."""
    return host_of("monitoring", "watch")
