"""What goes wrong slowly: the same conditions, with the patience of a test instead of that of an operator."""

from __future__ import annotations

import json

import pytest

from tests.support.hosts import Cluster, inventory_of
from tests.support.watch import PLAYBOOK, Watch, until, watched_as

SECONDS = 120
CONFIGURATION = "/etc/holdfast/shop.json"
RUNS = "/var/lib/holdfast/shop/runs.json"
NOTIFY = "/etc/holdfast/shop.notify"
REPOSITORY = "/var/backups/holdfast/shop"
TARGETS = "/etc/prometheus/holdfast/targets"
BROKEN_RULES = "/etc/prometheus/holdfast/rules/broken.yml"

#: A minute is old, and half a minute long.
IMPATIENT = {
    "HoldfastDailyBackupTooOld": {"warning": "60s"},
    "HoldfastWeeklyBackupTooOld": {"warning": "60s"},
    "HoldfastMonthlyBackupTooOld": {"warning": "60s"},
    "HoldfastProofTooOld": {"warning": "60s"},
    "HoldfastPruneStopped": {"warning": "60s"},
    "HoldfastRunHangs": {"warning": "10s"},
    "HoldfastRepositoryFillsUp": {"for": "0s", "window": "90s"},
    "HoldfastVolumeFillsUp": {"for": "0s", "window": "90s"},
    "HoldfastWalLarge": {"warning": 0.35, "critical": 0.6, "for": "2s"},
    "HoldfastWraparound": {"warning": 10000},
    "HoldfastRecoveryTooSlow": {"warning": "50s"},
}
AGE = ["DailyBackupTooOld", "WeeklyBackupTooOld", "MonthlyBackupTooOld", "ProofTooOld", "PruneStopped"]
WEAR = [
    ("HoldfastBackupShrank", "critical"),
    ("HoldfastBackupUnrestorable", "critical"),
    ("HoldfastRepositoryFillsUp", "critical"),
    ("HoldfastVolumeFillsUp", "critical"),
    ("HoldfastWalLarge", "warning"),
    ("HoldfastWraparound", "warning"),
    ("HoldfastNotificationFailed", "warning"),
    ("HoldfastRulesFail", "warning"),
]
GONE = ["HoldfastRepositoryUnreadable", "HoldfastExporterMissing"]

#: Twenty thousand transactions, each of which writes something.
TRANSACTIONS = """
CREATE TABLE burnt (a int);
DO $$ BEGIN FOR i IN 1..20000 LOOP BEGIN INSERT INTO burnt VALUES (i); EXCEPTION WHEN division_by_zero THEN NULL;
END; END LOOP; END $$; DROP TABLE burnt
"""
#: Random text does not compress.
BALLAST = "CREATE TABLE ballast AS SELECT i, sha512(i::text::bytea) AS noise FROM generate_series(1, 20000) AS i"
#: An index that takes a minute to build, but only while it is restored.
SLOW = """
CREATE FUNCTION slowly(a int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
IF current_setting('application_name') = 'pg_restore' THEN PERFORM pg_sleep(60); END IF; RETURN a; END $$;
CREATE TABLE slow AS SELECT 1 AS a; CREATE INDEX ON slow (slowly(a))
"""
EMIT = "SELECT count(pg_logical_emit_message(false, 'wear', repeat('x', 1000000))) FROM generate_series(1, 75)"
RULE = """
groups: [{name: broken, rules: [{record: "broken:rule", expr: "prometheus_build_info * on () up"}]}]
"""


def configure(shop: Cluster, statement: str) -> None:
    """Change the configuration of the cluster: a statement about `c`, its content."""
    program = (
        f"import json, time; p = {CONFIGURATION!r}; c = json.load(open(p)); {statement}; json.dump(c, open(p, 'w'))"
    )
    shop.host.check_output("python3 -c %s", program)


def due_now(shop: Cluster) -> None:
    """A daily backup is due since the beginning of this minute, in which there was none yet."""
    last = f"import json; print(json.load(open({RUNS!r}))['jobs']['backup']['finished'][:16])"
    until(
        lambda: (
            shop.host.check_output("python3 -c %s", last) < shop.host.check_output("date --utc +%Y-%m-%dT%H:%M").strip()
        ),
        lambda: "it is still the minute of the last backup",
        90,
    )
    daily = "c['schedule'].update(jitter=0, together=0, daily={'at': time.strftime('%H:%M')})"
    configure(shop, f"{daily}; c['schedule'].pop('timezone', None)")


def notify(shop: Cluster, program: str) -> None:
    """Have failures told by a program."""
    content = json.dumps({"schema": 1, "channels": [{"kind": "command", "command": [program]}]})
    shop.host.check_output(f"umask 077; printf %s > {NOTIFY}", content)


def fill(directory: str) -> str:
    """A command that leaves about a third of a disk of 600 MB: little enough to look where that leads to."""
    free = f"$(df --output=avail -k {directory} | tail -1)"
    return f"fallocate --length $(( {free} - 180000 ))KiB {directory}/fill"


@pytest.fixture(scope="module", autouse=True)
def as_before(shop: Cluster) -> object:
    """Whatever becomes of these tests, the configuration is as it was."""
    shop.host.check_output(f"cp -p {CONFIGURATION} /root/as-before.json")
    yield
    shop.host.check_output(f"mv /root/as-before.json {CONFIGURATION}; rm -f {NOTIFY}")


@pytest.fixture(scope="module")
def old(shop: Cluster, watch: Watch, tmp_path_factory: pytest.TempPathFactory) -> float:
    """A minute is old from now on; since when."""
    since = watch.now()
    alerts = inventory_of("monitoring")["watch"]["holdfast_alerts"] | IMPATIENT
    hosts = watched_as(tmp_path_factory.mktemp("impatient"), holdfast_alerts=alerts)
    address = shop.host.check_output("hostname --ip-address").split()[0]
    play = hosts.play(PLAYBOOK, "--limit", "watch", holdfast_monitoring_address=address)
    assert play.returncode == 0, play.said
    return since


@pytest.mark.parametrize("alert", AGE)
def test_age_is_told(alert: str, old: float, watch: Watch) -> None:
    watch.wait_for(f"Holdfast{alert}", "firing", old, SECONDS)


@pytest.fixture(scope="module")
def young(old: float, shop: Cluster, watch: Watch) -> float:
    """A scheduled backup with all that follows, one of the other tiers, and a drill; since when."""
    since = watch.now()
    due_now(shop)
    shop.host.check_output("holdfast backup --tier weekly --tier monthly --quiet && holdfast run --quiet")
    shop.host.check_output("holdfast verify --quiet && holdfast metrics --quiet")
    return since


@pytest.mark.parametrize("alert", AGE)
def test_the_end_of_age_is_told(alert: str, young: float, watch: Watch) -> None:
    watch.wait_for(f"Holdfast{alert}", "resolved", young, SECONDS)


@pytest.fixture(scope="module")
def worn(young: float, shop: Cluster, watch: Watch) -> float:
    """Much of it at once; since when."""
    since = watch.now()
    watch.host.check_output(f"printf %s > {BROKEN_RULES} && systemctl reload prometheus", RULE)
    shop.query(TRANSACTIONS)
    shop.query("SELECT pg_create_physical_replication_slot('nobody', true)")
    shop.query(BALLAST)
    # So many that what they have is what is usual.
    shop.host.check_output("for i in 1 2 3 4 5 6 7 8; do holdfast backup --quiet || exit 1; done")
    shop.query("DROP TABLE ballast")
    taken = json.loads(shop.host.check_output("holdfast backup --quiet --json"))["backup"]["id"]
    configure(shop, "c.setdefault('verify', {})['smoke'] = {'command': ['false']}")
    assert shop.host.run("holdfast verify --quiet %s", taken).rc != 0
    # A backup that a drill has refused counts no more: another one that is as small.
    shop.host.check_output("holdfast backup --quiet")
    for _ in range(3):
        shop.query(EMIT)
    notify(shop, "false")
    shop.query("ALTER ROLE holdfast_backup NOLOGIN")
    due_now(shop)
    assert shop.host.run("holdfast run --quiet").rc != 0
    shop.query("ALTER ROLE holdfast_backup LOGIN")
    shop.host.check_output("holdfast metrics --quiet")
    shop.host.check_output(f"{fill('/srv/small')} && {fill('/var/backups/holdfast')} && holdfast metrics --quiet")
    return since


@pytest.mark.parametrize(("alert", "severity"), WEAR)
def test_wear_is_told(alert: str, severity: str, worn: float, watch: Watch) -> None:
    arrived = watch.wait_for(alert, "firing", worn, SECONDS)
    assert severity in {one["labels"]["severity"] for one in arrived}


@pytest.fixture(scope="module")
def repaired(worn: float, shop: Cluster, watch: Watch) -> float:
    """All of it mended; since when."""
    since = watch.now()
    watch.host.check_output(f"rm {BROKEN_RULES} && systemctl reload prometheus")
    shop.host.check_output("rm -f /srv/small/fill /var/backups/holdfast/fill")
    shop.query("SELECT pg_drop_replication_slot('nobody')")
    shop.query("CHECKPOINT")
    shop.host.check_output("docker exec shop-db-1 vacuumdb --username postgres --all --freeze --quiet")
    shop.query(BALLAST)
    notify(shop, "true")
    configure(shop, "c['verify']['smoke'] = {'command': ['true']}")
    failed = "import json, sys; print(*[b['id'] for b in json.load(sys.stdin)['backups'] if b['state'] == 'failed'])"
    (identifier,) = shop.host.check_output("holdfast list --json --quiet | python3 -c %s", failed).split()
    shop.host.check_output("holdfast verify --quiet %s && holdfast run --quiet && holdfast metrics --quiet", identifier)
    return since


@pytest.mark.parametrize("alert", [alert for alert, _severity in WEAR])
def test_that_wear_was_mended_is_told(alert: str, worn: float, repaired: float, watch: Watch) -> None:
    # A disk that is full fills up no more.
    by_itself = alert.endswith("FillsUp")
    watch.wait_for(alert, "resolved", worn if by_itself else repaired, SECONDS)


def test_a_run_that_hangs_is_told_and_its_end(repaired: float, shop: Cluster, watch: Watch) -> None:
    since = watch.now()
    lock = "(echo 'BEGIN; LOCK TABLE ballast;'; sleep 45) | psql -XAtq -U postgres"
    shop.host.check_output("docker exec --detach shop-db-1 sh -c %s", lock)
    due_now(shop)
    shop.host.check_output("(nohup holdfast run --quiet >/dev/null 2>&1 &) ; sleep 12; holdfast metrics --quiet")
    watch.wait_for("HoldfastRunHangs", "firing", since, SECONDS)
    watch.wait_for("HoldfastRunHangs", "resolved", since, SECONDS)


def test_a_recovery_that_takes_too_long_is_told_and_that_it_does_not_any_more(
    repaired: float, shop: Cluster, watch: Watch
) -> None:
    since = watch.now()
    shop.query(SLOW)
    shop.host.check_output("holdfast backup --quiet && holdfast verify --quiet --latest")
    watch.wait_for("HoldfastRecoveryTooSlow", "firing", since, SECONDS)
    shop.query("DROP TABLE slow; DROP FUNCTION slowly")
    shop.host.check_output("holdfast backup --quiet && holdfast verify --quiet --latest")
    watch.wait_for("HoldfastRecoveryTooSlow", "resolved", since, SECONDS)


@pytest.fixture(scope="module")
def gone(repaired: float, shop: Cluster, watch: Watch) -> float:
    """The repository is not where it was, and Prometheus was told to forget the exporter; since when."""
    since = watch.now()
    shop.host.check_output(f"mv {REPOSITORY} {REPOSITORY}-aside && holdfast metrics --quiet")
    watch.host.check_output(f"mv {TARGETS}/postgres.json /root/ && echo '[]' > {TARGETS}/postgres.json")
    return since


@pytest.mark.parametrize("alert", GONE)
def test_what_is_gone_is_told(alert: str, gone: float, watch: Watch) -> None:
    watch.wait_for(alert, "firing", gone, SECONDS)


@pytest.fixture(scope="module")
def back(gone: float, shop: Cluster, watch: Watch) -> float:
    """Both are back; since when."""
    since = watch.now()
    shop.host.check_output(f"mv {REPOSITORY}-aside {REPOSITORY} && holdfast metrics --quiet")
    watch.host.check_output(f"mv /root/postgres.json {TARGETS}/postgres.json")
    return since


@pytest.mark.parametrize("alert", GONE)
def test_what_is_back_is_told(alert: str, back: float, watch: Watch) -> None:
    watch.wait_for(alert, "resolved", back, SECONDS)


def test_a_machine_that_nobody_asks_any_more_is_told(back: float, watch: Watch) -> None:
    since = watch.now()
    watch.host.check_output(f"mv {TARGETS}/node.json /root/ && echo '[]' > {TARGETS}/node.json")
    watch.wait_for("HoldfastNodeMissing", "firing", since, SECONDS)
    watch.host.check_output(f"mv /root/node.json {TARGETS}/node.json")
    watch.wait_for("HoldfastNodeMissing", "resolved", since, SECONDS)
