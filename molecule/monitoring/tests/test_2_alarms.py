"""What goes wrong is told, and that it was mended is told too. What can go wrong at once does, so that it takes minutes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.hosts import Cluster
from tests.support.watch import Watch, until

SECONDS = 150
PSQL = "psql -XAtq -U postgres"
PROM = "/var/lib/holdfast/metrics/holdfast_shop.prom"

#: The sessions of the pressure; each ends when it is told to, or by itself.
SESSIONS = r"""
export PGAPPNAME=pressure PGUSER=postgres
for i in $(seq 30); do psql -XAtq -c 'SELECT pg_sleep(600)' & done
(echo 'BEGIN; SELECT 1;'; sleep 600) | psql -XAtq &
(echo 'BEGIN; LOCK TABLE wanted;'; sleep 70) | psql -XAtq &
(sleep 2; psql -XAtq -c 'SELECT count(*) FROM wanted') &
(while [ ! -e /tmp/enough ]; do psql -XAtq -c 'SELECT pg_sleep(2)' -c 'SELECT pg_sleep(2)'; done) &
(while [ ! -e /tmp/enough ]; do psql -XAtq -c 'SELECT count(*) FROM large' >/dev/null; sleep 0.3; done) &
(printf 'BEGIN; UPDATE pair SET b = 1 WHERE a = 1;\nSELECT pg_sleep(3);\nUPDATE pair SET b = 1 WHERE a = 2;\n' | psql -XAtq) &
(printf 'BEGIN; UPDATE pair SET b = 2 WHERE a = 2;\nSELECT pg_sleep(3);\nUPDATE pair SET b = 2 WHERE a = 1;\n' | psql -XAtq) &
wait
"""
TABLES = """
CREATE TABLE wanted (a int); CREATE TABLE pair (a int PRIMARY KEY, b int); INSERT INTO pair VALUES (1, 0), (2, 0);
CREATE TABLE large AS SELECT i, repeat('x', 900) AS filler FROM generate_series(1, 60000) AS i;
CREATE TABLE dead (a int) WITH (autovacuum_enabled = off); INSERT INTO dead SELECT generate_series(1, 10000);
DELETE FROM dead WHERE a > 2000; CHECKPOINT;
"""
PRESSURE = [
    ("HoldfastVolumeFull", "critical"),
    ("HoldfastRepositoryFull", "critical"),
    ("HoldfastConnectionsHigh", "warning"),
    ("HoldfastIdleInTransaction", "warning"),
    ("HoldfastLongTransaction", "warning"),
    ("HoldfastLockWait", "warning"),
    ("HoldfastSlowQueries", "warning"),
    ("HoldfastCacheHitsLow", "warning"),
    ("HoldfastDeadlocks", "warning"),
    ("HoldfastBloat", "critical"),
    ("HoldfastBackupCorrupt", "critical"),
    ("HoldfastDrillFailed", "critical"),
]
SILENCE = [
    ("HoldfastExporterDown", "critical"),
    ("HoldfastScheduleRemoved", "critical"),
    ("HoldfastSchedulerDown", "critical"),
    ("HoldfastMetricsStale", "warning"),
    ("HoldfastTextfileError", "warning"),
]


def fill(directory: str) -> str:
    """A command that leaves five percent of a disk of 600 MB."""
    free = f"$(df --output=avail -k {directory} | tail -1)"
    return f"fallocate --length $(( {free} - 30000 ))KiB {directory}/fill"


@pytest.fixture(scope="module")
def pressure(shop: Cluster, watch: Watch) -> float:
    """Full disks, sessions that are in each other's way, dead rows, and a backup that was damaged; since when."""
    since = watch.now()
    shop.query(TABLES)
    taken = json.loads(shop.host.check_output("holdfast backup --quiet --note damaged --json"))["backup"]["id"]
    find = "find /var/backups/holdfast/shop/backups/%s -name toc.dat | head -n 1"
    shop.host.check_output(f"truncate --size=-5 $({find})", taken)
    assert shop.host.run("holdfast verify --quiet %s", taken).rc != 0
    shop.host.check_output(f"{fill('/srv/small')} && {fill('/var/backups/holdfast')}")
    shop.host.check_output("docker exec --detach shop-db-1 sh -c %s", SESSIONS)
    return since


@pytest.mark.parametrize(("alert", "severity"), PRESSURE)
def test_what_goes_wrong_is_told(alert: str, severity: str, pressure: float, watch: Watch) -> None:
    arrived = until(
        lambda: watch.arrived(alert, "firing", pressure, severity),
        lambda: f"{alert} did not come as {severity}; as another one: {watch.arrived(alert, 'firing', pressure)}",
        SECONDS,
    )
    found = arrived[0]
    assert (found["labels"]["cluster"], found["labels"]["machine"]) == ("shop", "monitoring-db")
    said = found["annotations"]
    assert "<error" not in said["summary"] + said["description"]
    assert "<no value>" not in said["summary"] + said["description"]
    assert said["runbook_url"].endswith(f"docs/how-to/alerts.md#{alert.lower()}")


@pytest.fixture(scope="module")
def relief(pressure: float, shop: Cluster, watch: Watch) -> float:
    """All of it mended; since when."""
    since = watch.now()
    shop.host.check_output("rm -f /srv/small/fill /var/backups/holdfast/fill; docker exec shop-db-1 touch /tmp/enough")
    shop.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pressure'")
    shop.query("VACUUM dead")
    shop.query("DROP TABLE wanted, pair, large")
    corrupt = "holdfast list --json --quiet | python3 -c %s"
    program = "import json, sys; print(*[b['id'] for b in json.load(sys.stdin)['backups'] if b['state'] == 'corrupt'])"
    for identifier in shop.host.check_output(corrupt, program).split():
        shop.host.check_output(f"rm -rf /var/backups/holdfast/shop/backups/{identifier}")
    shop.host.check_output("holdfast backup --quiet && holdfast verify --quiet && holdfast metrics --quiet")
    return since


@pytest.mark.parametrize("alert", [alert for alert, _severity in PRESSURE])
def test_that_it_was_mended_is_told(alert: str, relief: float, pressure: float, watch: Watch) -> None:
    # A deadlock is over by itself, and so is the lock.
    by_itself = alert in ("HoldfastDeadlocks", "HoldfastLockWait")
    assert watch.wait_for(alert, "resolved", pressure if by_itself else relief, SECONDS)


@pytest.fixture(scope="module")
def silence(relief: float, shop: Cluster, watch: Watch) -> float:
    """The exporter, cron and the schedule are gone, and a file that is no metrics lies among them; since when."""
    since = watch.now()
    shop.host.check_output("systemctl stop cron holdfast-postgres-exporter-shop")
    shop.host.check_output("mkdir /root/aside && mv /etc/cron.d/holdfast* /root/aside/")
    shop.host.check_output("holdfast metrics --quiet; echo 'no metrics' > /var/lib/holdfast/metrics/broken.prom")
    return since


@pytest.mark.parametrize(("alert", "severity"), SILENCE)
def test_silence_is_told(alert: str, severity: str, silence: float, watch: Watch) -> None:
    arrived = watch.wait_for(alert, "firing", silence, SECONDS)
    assert severity in {one["labels"]["severity"] for one in arrived}


def test_metrics_that_are_gone_are_told(silence: float, shop: Cluster, watch: Watch) -> None:
    since = watch.now()
    shop.host.check_output(f"rm {PROM}")
    watch.wait_for("HoldfastMetricsMissing", "firing", since, SECONDS)


@pytest.fixture(scope="module")
def noise(silence: float, shop: Cluster, watch: Watch) -> float:
    """All of it mended; since when."""
    since = watch.now()
    shop.host.check_output(
        "mv /root/aside/* /etc/cron.d/ && rmdir /root/aside && rm /var/lib/holdfast/metrics/broken.prom"
    )
    shop.host.check_output("systemctl start cron holdfast-postgres-exporter-shop; sleep 1; holdfast metrics --quiet")
    return since


@pytest.mark.parametrize("alert", [*(alert for alert, _severity in SILENCE), "HoldfastMetricsMissing"])
def test_the_end_of_silence_is_told(alert: str, noise: float, silence: float, watch: Watch) -> None:
    # What only the agent's metrics tell is told no more when these are gone, which is told then.
    of_agent = alert in ("HoldfastMetricsStale", "HoldfastScheduleRemoved", "HoldfastSchedulerDown")
    assert watch.wait_for(alert, "resolved", silence if of_agent else noise, SECONDS)


@pytest.fixture
def dead_machine(noise: float, shop: Cluster, watch: Watch) -> Iterator[float]:
    """As if the machine were gone: nothing of it answers, while its alerts would all fire."""
    until(lambda: not watch.query('ALERTS{alertstate="firing", machine="monitoring-db"}'), lambda: "not quiet", 60)
    units = "prometheus-node-exporter holdfast-postgres-exporter-shop"
    since = watch.now()
    shop.host.check_output(f"systemctl stop {units}")
    yield since
    shop.host.check_output(f"systemctl start {units}")


def test_a_dead_machine_is_one_alarm(dead_machine: float, watch: Watch) -> None:
    watch.wait_for("HoldfastNodeDown", "firing", dead_machine, 60)

    def firing() -> set[str]:
        found = watch.query('ALERTS{alertstate="firing", machine="monitoring-db"}')
        return {sample["metric"]["alertname"] for sample in found}

    # They fire, and nobody is told of them.
    until(lambda: {"HoldfastExporterDown", "HoldfastMetricsMissing"} <= firing(), lambda: str(firing()), 90)
    told = {one["labels"]["alertname"] for one in watch.notifications(dead_machine) if one["status"] == "firing"}
    assert told == {"HoldfastNodeDown"}


def test_a_server_that_is_down_is_told_and_that_it_is_back(noise: float, shop: Cluster, watch: Watch) -> None:
    since = watch.now()
    shop.host.check_output("docker stop shop-db-1")
    try:
        watch.wait_for("HoldfastServerDown", "firing", since, 60)
    finally:
        shop.host.check_output("docker start shop-db-1")
    watch.wait_for("HoldfastServerDown", "resolved", since, SECONDS)


def test_notifications_that_did_not_arrive_are_told_when_they_can_be(noise: float, shop: Cluster, watch: Watch) -> None:
    since = watch.now()
    watch.host.check_output("systemctl stop recorder")
    undelivered = 'ALERTS{alertname="HoldfastAlertsUndelivered", alertstate="firing"}'
    until(lambda: watch.query(undelivered), lambda: "Alertmanager says nothing of it", 60)
    watch.host.check_output("systemctl start recorder")
    watch.wait_for("HoldfastAlertsUndelivered", "firing", since, SECONDS)
