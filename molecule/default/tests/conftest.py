"""Every test looks at one cluster of the scenario's inventory after the other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.hosts import Cluster


@pytest.fixture
def cluster(host: Any) -> Cluster:
    return Cluster.of(host)
