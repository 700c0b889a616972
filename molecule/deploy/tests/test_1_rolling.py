"""Under load: a release with a migration takes over, a broken one does not, and nobody notices."""

from __future__ import annotations

from tests.support.shop import Shop


def test_a_release_with_a_migration_drops_no_request_and_loses_no_order(every_shop: Shop) -> None:
    shop = every_shop
    before = shop.identity()
    with shop.customers() as load:
        played = shop.deploy(tag="2").require_success()
    shop.require_nothing_lost(load)
    assert (shop.tags(), shop.identity()) == (["2"], before)
    assert set(load.seen["versions"]) == {"shop/1", "shop/2"}
    assert shop.server.query("SELECT count(*) FROM orders WHERE channel IS NULL", "shop") == "0"
    assert "plan of a deployment of project shop" in played.said
    record = shop.records()[0]
    assert record["state"] == "succeeded"
    assert record["availability"]["requests"] > 20
    assert (record["availability"]["failed"], record["availability"]["gap"]) == (0, 0)
    rehearsal = record["migration"]["rehearsal"]
    assert ("shop: public.orders", "AccessExclusiveLock") in [(one["table"], one["mode"]) for one in rehearsal["locks"]]
    assert (rehearsal["warnings"], record["backup"]["state"]) == ([], "proven")
    shop.require_nothing_left()


def test_a_broken_image_is_rolled_back_without_a_failed_request(every_shop: Shop) -> None:
    shop = every_shop
    before, database = shop.web(), shop.identity()
    with shop.customers() as load:
        played = shop.deploy(tag="broken")
    shop.require_nothing_lost(load)
    assert played.returncode != 0
    assert "shop-app:2 was put back, and serves." in " ".join(played.said.split())
    assert (shop.web(), shop.identity(), shop.records()[0]["state"]) == (before, database, "rolled_back")
    assert set(load.seen["versions"]) == {"shop/2"}
    shop.require_nothing_left()


def test_once_more_nothing_is_to_be_done(every_shop: Shop) -> None:
    backups = every_shop.server.reported("list")["backups"]
    played = every_shop.deploy().require_success()
    assert played.recap[every_shop.server.name]["changed"] == 0
    assert [one["id"] for one in every_shop.server.reported("list")["backups"]] == [one["id"] for one in backups]


def test_site_leaves_it_as_it_is(every_shop: Shop) -> None:
    before = (every_shop.web(), every_shop.identity())
    every_shop.hosts.play("playbooks/site.yml", "--limit", every_shop.server.name).require_success()
    assert (every_shop.web(), every_shop.identity()) == before
