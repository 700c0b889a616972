"""The shops of the scenario, in the tests' hands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosts import host_of
from tests.support.shop import Shop, shop_of


@pytest.fixture
def every_shop(host: Any, tmp_path: Path) -> Shop:
    """One shop after the other."""
    return shop_of(host, tmp_path)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """The one with compose 2; its database stays the process that it is."""
    found = shop_of(host_of("deploy", "shop"), tmp_path)
    identity = found.identity()
    yield found
    assert found.identity() == identity
    found.require_nothing_left()
