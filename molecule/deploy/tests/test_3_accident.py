"""The database dies in the middle of a deployment: what is said is clear, and the application is as it was: with compose 1."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.hosts import host_of
from tests.support.shop import Shop


@pytest.fixture
def host() -> Any:
    return host_of("deploy", "old")


def test_a_database_that_is_killed_meanwhile(host: Any, every_shop: Shop) -> None:
    shop = every_shop
    before = shop.web()
    (facts,) = shop.containers("db")
    name = facts["Name"].lstrip("/")
    with shop.deploying(tag="rewrites") as process:
        shop.wait_for(lambda record: record["steps"] and record["steps"][-1]["name"] == "rehearsal")
        shop.host.check_output(f"docker kill {name}")
        told, _ = process.communicate(timeout=180)
    assert process.returncode != 0
    assert f"the database's container {name} is not running (exit code 137)" in " ".join(told.split())
    assert (shop.web(), shop.records()[0]["state"]) == (before, "failed")
    shop.require_nothing_left()

    shop.host.check_output(f"docker start {name}")
    until = time.monotonic() + 60
    while shop.host.run(f"docker exec {name} pg_isready -h 127.0.0.1").rc != 0:
        assert time.monotonic() < until
        time.sleep(0.5)
    assert int(shop.server.query("SELECT count(*) FROM orders", "shop")) > 20000
    shop.deploy(tag="rewrites").require_success()
    assert shop.tags() == ["rewrites"]
