"""A cluster that is well: all is measured, nobody is told anything, and no secret is where others read."""

from __future__ import annotations

from tests.support.hosts import Cluster
from tests.support.watch import Watch, until

#: Before a cluster's first drill, prune or run there is nothing to say of it.
FIRST_DAY = "holdfast backup --tier daily --tier weekly --tier monthly --json >/dev/null && holdfast verify >/dev/null"


def test_a_first_backup_is_an_end_of_the_alarm_that_there_is_none(shop: Cluster, watch: Watch) -> None:
    watch.wait_for("HoldfastBackupNever", "firing", 0)
    before = watch.now()
    shop.host.check_output(f"{FIRST_DAY} && holdfast prune --quiet && holdfast run --cluster shop && holdfast metrics")
    watch.wait_for("HoldfastBackupNever", "resolved", before)


def test_every_target_answers(watch: Watch) -> None:
    targets = watch.ask("targets")["activeTargets"]
    assert {target["labels"]["job"] for target in targets} == {
        "holdfast-node",
        "holdfast-postgres",
        "holdfast-prometheus",
        "holdfast-alertmanager",
    }
    assert [target for target in targets if target["health"] != "up"] == []


def test_every_rule_is_evaluated_and_none_fires_but_the_watchdog(watch: Watch) -> None:
    def firing() -> set[str]:
        return {sample["metric"]["alertname"] for sample in watch.query('ALERTS{alertstate="firing"}')}

    until(lambda: firing() == {"HoldfastWatchdog"}, lambda: str(firing()), 60)
    groups = watch.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 70
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []


def test_the_dead_mans_switch_is_called_again_and_again(watch: Watch) -> None:
    called = len(watch.alive())
    until(lambda: len(watch.alive()) > called, lambda: "it was called once and no more", 30)


def test_no_password_is_in_a_unit_an_argument_or_a_file_that_others_read(shop: Cluster, watch: Watch) -> None:
    password = shop.host.check_output("cat /etc/holdfast/secrets/shop/monitoring_password").strip()
    find = "grep -rlsF -- %s /etc/systemd /run/holdfast-postgres-exporter-shop /var/lib/holdfast /var/log || true"
    assert shop.host.check_output(find, password) == ""
    process = shop.host.check_output("systemctl show --property MainPID --value holdfast-postgres-exporter-shop")
    assert password not in shop.host.check_output("tr '\\0' '\\n' < /proc/%s/environ", process.strip())
    assert password not in shop.host.check_output("ps axww -o args")
    assert password not in shop.host.check_output("journalctl --no-pager --output cat")
    assert "127.0.0.1:9999" not in watch.host.file("/etc/prometheus/alertmanager.yml").content_string
    for name in watch.host.check_output("ls /etc/prometheus/holdfast/secrets").split():
        file = watch.host.file(f"/etc/prometheus/holdfast/secrets/{name}")
        assert (file.user, file.mode) == ("prometheus", 0o600)


def test_the_services_are_confined(shop: Cluster) -> None:
    for unit in ("prometheus-node-exporter", "holdfast-postgres-exporter-shop"):
        said = shop.host.check_output("systemd-analyze security --no-pager %s | tail -1", unit)
        assert float(said.split(":")[1].split()[0]) < 3, said


def test_a_container_that_is_made_anew_is_found_at_its_new_address(shop: Cluster, watch: Watch) -> None:
    def endpoint() -> str:
        return str(shop.host.check_output("cat /run/holdfast-postgres-exporter-shop/endpoint"))

    before = endpoint()
    address = before.split('"')[1].partition(":")[0]
    # Others take free addresses, until one of them has the database's.
    squat = "docker run --detach --label squatter --network shop_default --entrypoint sleep postgres:17 600"
    addresses = "docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'"
    one_more = f"for i in 1 2 3 4 5 6 7 8; do {addresses} $({squat}) | grep -qx {address} && exit 0; done; exit 1"
    shop.host.check_output("docker stop shop-db-1")
    shop.host.check_output("sh -c %s", one_more)
    shop.host.check_output("docker start shop-db-1")
    try:
        until(lambda: endpoint() != before, endpoint, 30)
        until(lambda: watch.value("min(pg_up)") == 1 and watch.value("min(timestamp(pg_up))"), lambda: "down", 40)
        assert shop.query("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast_exporter'") != "0"
    finally:
        shop.host.check_output("docker rm --force $(docker ps --quiet --filter label=squatter)")
