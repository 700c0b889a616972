"""What would hurt ends before it does, or is put back: on the shop with compose 2, which runs release 2 by now."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.hosts import inventory_of
from tests.support.playbooks import Play
from tests.support.shop import Shop

SCHEMA = "SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'orders'"


def said(played: Play) -> str:
    """What a playbook has said, on one line."""
    return " ".join(played.said.split())


def test_check_mode_shows_the_plan_and_changes_nothing(shop: Shop) -> None:
    before, records = shop.web(), len(shop.records())
    played = shop.deploy("--check", "--diff", tag="rewrites").require_success()
    assert "roll service web (image shop-app:2 becomes shop-app:rewrites)" in said(played)
    assert "+web: shop-app:rewrites" in played.said
    assert (shop.web(), len(shop.records())) == (before, records)


def test_an_image_that_does_not_exist(shop: Shop) -> None:
    before, backups = shop.web(), len(shop.server.reported("list")["backups"])
    played = shop.deploy(tag="2099")
    assert played.returncode != 0
    assert "Cannot pull image shop-app:2099" in said(played)
    assert (shop.web(), len(shop.server.reported("list")["backups"])) == (before, backups)


def test_a_migration_that_fails_in_the_rehearsal_changes_nothing(shop: Shop) -> None:
    before, schema = shop.web(), shop.server.query(SCHEMA, "shop")
    rows = shop.server.query("SELECT count(*), md5(string_agg(key, ',' ORDER BY key)) FROM orders", "shop")
    with shop.customers() as load:
        played = shop.deploy(tag="bad-migration")
    shop.require_nothing_lost(load)
    assert played.returncode != 0
    assert "rehearsal: exit code 1" in said(played)
    assert "Nothing was changed." in said(played)
    assert (shop.web(), shop.server.query(SCHEMA, "shop")) == (before, schema)
    yesterday = "SELECT count(*) FROM orders WHERE key LIKE 'yesterday-%'"
    assert shop.server.query(yesterday, "shop") == "20000"
    assert rows.split("|")[0] <= shop.server.query("SELECT count(*) FROM orders", "shop")


@pytest.mark.parametrize("arguments", [["--check"], []])
def test_a_compose_file_that_would_recreate_the_database(shop: Shop, arguments: list[str]) -> None:
    before = shop.web()
    with shop.edited("image: postgres:17", "image: postgres:17-next"):
        played = shop.deploy(*arguments, tag="1")
    assert played.returncode != 0
    assert "would recreate the database's container" in said(played)
    assert shop.web() == before


def test_what_answers_wrongly_after_the_update_is_put_back(shop: Shop) -> None:
    """The containers have been exchanged by then; the very same old ones come back, and nobody notices either way."""
    before = shop.web()
    settings = inventory_of("deploy")["shop"]["holdfast_deploy"]
    url = "http://127.0.0.1:8080/orders/no-such-order"
    with shop.customers() as load:
        played = shop.deploy(
            tag="1", holdfast_deploy={**settings, "migrate": None, "health": {"url": url, "timeout": 3}}
        )
    shop.require_nothing_lost(load)
    assert played.returncode != 0
    assert "health: it answered 404, not 200" in said(played)
    assert shop.web() == before
    assert "shop/1" in load.seen["versions"]


def test_two_at_once_and_a_connection_that_is_lost(shop: Shop) -> None:
    """The second is refused. The first loses its controller, and is finished on the host all the same."""
    with shop.customers() as load:
        with shop.deploying(tag="rewrites") as process:
            first = shop.wait_for(lambda record: record["state"] == "running")
            second = shop.deploy(tag="1")
            shop.wait_for(lambda record: record["id"] == first["id"] and record["steps"][-1]["name"] != "backup")
            os.killpg(process.pid, signal.SIGKILL)
        record = shop.wait_for(lambda record: record["state"] != "running")
    # Its migration changes the type of a column, which statements that the old release has prepared do not survive:
    # such requests fail, and no gate can know that before. No order that was confirmed is lost all the same.
    shop.require_orders_kept(load)
    assert {"cached plan must not change result type" in one["reason"] for one in load.seen["failures"]} <= {True}
    assert second.returncode != 0
    assert "another process holds .deploy.lock" in said(second)
    assert (record["id"], record["state"]) == (first["id"], "succeeded")
    assert [one["table"] for one in record["migration"]["rehearsal"]["rewritten"]] == ["shop: public.orders"]
    assert shop.tags() == ["rewrites"]
    again = shop.deploy().require_success()
    assert again.recap["shop"]["changed"] == 0
