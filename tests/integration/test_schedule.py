"""Runs of what is due, against a real server: what they do, once, and what they say when they cannot."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.backups import back_up, eventually, listed, refusal, started, tidied
from tests.support.clusters import Cluster, Run
from tests.support.disks import mounted
from tests.support.receiver import Receiver, receiving
from tests.support.servers import Server

RUN = 15
CONFIG, REPOSITORY = 2, 4
#: One look, as a plugin of Nagios ends.
CRITICAL, UNKNOWN = 2, 3


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def shop(distribution_server: Server, cluster: Callable[..., Cluster], tmp_path: Path) -> Iterator[Cluster]:
    """A cluster with a schedule, and a cron file that says so."""
    with tidied(distribution_server):
        distribution_server.create_database("shop")
        distribution_server.psql("CREATE TABLE kept AS SELECT n AS id FROM generate_series(1, 500) AS n", "shop")
        textfile, cron = tmp_path / "textfile", tmp_path / "cron.d"
        textfile.mkdir()
        cron.mkdir()
        (cron / "holdfast-shop").write_text(
            "1 2 * * * root /usr/local/bin/holdfast run --cluster shop --config-dir /x\n"
        )
        yield cluster(
            distribution_server,
            schedule={"backend": "cron", "jitter": 0, "cron_dir": str(cron)},
            monitor={"textfile": str(textfile)},
        )


def channels(shop: Cluster, **options: Any) -> None:
    """Says who is told."""
    path = shop.config_dir / "shop.notify"
    path.write_text(json.dumps({"schema": 1, "timeout": 1, "attempts": 2, **options}))
    path.chmod(0o600)


def run(shop: Cluster) -> dict[str, Any]:
    """A run that succeeds: what it did, by job."""
    done = shop.holdfast("run", "--json", check=True).json
    return {one["job"]: one for one in done["outcomes"]}


def state(shop: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shop.config_dir.parent / "state" / "shop" / "runs.json").read_text())
    return found


def look(shop: Cluster) -> Run:
    return shop.holdfast("status")


def findings(shop: Cluster) -> dict[str, str]:
    """What one look finds, by check, without what is in order; this machine need not have a cron daemon."""
    told = json.loads(shop.holdfast("status", "--json").stdout)
    wrong = [one for one in told["checks"] if one["result"] != "ok" and "no cron daemon" not in one["detail"]]
    return {one["check"]: one["result"] for one in wrong}


def metrics(shop: Cluster) -> dict[str, str]:
    shop.holdfast("metrics", check=True)
    text = (shop.config_dir.parent / "textfile" / "holdfast_shop.prom").read_text()
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_the_first_run_serves_all_tiers_with_one_backup_and_proves_it(shop: Cluster) -> None:
    assert (
        shop.holdfast("run", "--dry-run").stdout.splitlines()[1].strip()
        == "a backup (daily, weekly, monthly), then a prune"
    )
    assert list(run(shop)) == ["backup", "prune", "drill"]
    (taken,) = listed(shop)
    shown = shop.holdfast("show", taken, "--json", check=True).json
    assert (shown["tiers"], shown["state"], shown["note"]) == (["daily", "weekly", "monthly"], "proven", "scheduled")
    assert shop.holdfast("run", "--json").json["reason"] == "nothing is due"
    assert listed(shop) == [taken]


def test_what_is_kept_for_months_holds_everything(shop: Cluster) -> None:
    shop.configure(backup={"databases": ["shop"], "exclude_table_data": ["kept"], "fingerprint": "counts"})
    run(shop)
    shown = shop.holdfast("show", listed(shop)[0], "--json", check=True).json
    assert (shown["scope"], shown["fingerprint"]) == ("all", "digest")
    assert [one["rows"] for one in shown["databases"] if one["name"] == "shop"] == [500]


def test_an_operators_daily_backup_serves_the_day(shop: Cluster) -> None:
    shop.configure(schedule={name: {"enabled": False} for name in ("weekly", "monthly", "drill")})
    back_up(shop, "--tier", "daily")
    assert run(shop) == {}


def test_a_failed_backup_prunes_nothing_is_told_once_and_its_recovery_too(shop: Cluster, receiver: Receiver) -> None:
    channels(
        shop, channels=[{"kind": "webhook", "url": receiver.url("200/hook")}], ping={"url": receiver.url("200/ping")}
    )
    port = shop.config()["access"]["port"]
    shop.configure(access={"port": 1})
    for _attempt in range(2):
        fields = refusal(shop, RUN, "run")
        assert [one["job"] for one in fields["details"]["outcomes"]] == ["backup"]
    assert look(shop).returncode == CRITICAL
    assert metrics(shop)['holdfast_run_last_success{cluster="shop",job="backup"}'] == "0"
    shop.configure(access={"port": port})
    run(shop)
    told = [one.json["kind"] for one in receiver.requests if one.path == "/200/hook"]
    assert told == ["failure", "recovery"]
    pinged = [one.path for one in receiver.requests if "/ping" in one.path]
    assert pinged == ["/200/ping/fail", "/200/ping/fail", "/200/ping"]
    assert findings(shop) == {}


def test_whoever_cannot_be_told_fails_no_backup(shop: Cluster, receiver: Receiver) -> None:
    channels(
        shop,
        channels=[
            {"kind": "webhook", "url": receiver.url(f"{path}/secret-token")} for path in ("hang", "500", "dribble")
        ],
        ping={"url": receiver.url("hang/secret-token")},
    )
    began = time.monotonic()
    assert run(shop)["backup"]["success"]
    assert time.monotonic() - began < 60
    assert state(shop)["told"]["last"]["channels"][0]["ok"] is False
    looked = look(shop)
    assert findings(shop) == {"notify": "warning"}
    assert "not everybody could be told" in looked.stdout
    assert metrics(shop)['holdfast_notification_success{cluster="shop"}'] == "0"
    everything = (
        looked.stdout
        + json.dumps(state(shop))
        + (shop.config_dir.parent / "textfile" / "holdfast_shop.prom").read_text()
    )
    assert "secret-token" not in everything


def test_a_backup_that_hangs_is_ended_at_its_limit_with_an_alert(shop: Cluster, receiver: Receiver) -> None:
    """Somebody holds a lock that the dump wants, for longer than a backup may take."""
    channels(shop, channels=[{"kind": "webhook", "url": receiver.url("200/hook")}])
    shop.configure(schedule={"backup_limit": 1}, backup={"lock_timeout": 3600})
    with shop.server.connect("shop") as holder:
        holder.autocommit = False
        holder.execute("LOCK TABLE kept")
        fields = refusal(shop, RUN, "run")
    assert "it was ended after 1m" in fields["reason"]
    assert [one.json["kind"] for one in receiver.requests] == ["failure"]
    assert listed(shop) == []
    assert run(shop)["backup"]["success"]


def test_a_run_that_is_going_is_not_started_twice(shop: Cluster) -> None:
    with shop.server.connect("shop") as holder:
        holder.autocommit = False
        holder.execute("LOCK TABLE kept")
        with started(shop, "run") as first:
            eventually(
                lambda: (
                    (shop.repository / "backups").exists()
                    and any(one.name.startswith(".partial") for one in shop.backups)
                )
            )
            second = shop.holdfast("run", "--json", check=True).json
            assert second["outcomes"] == []
            assert "another process holds .run.lock" in second["reason"]
            assert "a run is going since" in look(shop).stdout
            holder.rollback()
            first.communicate(timeout=120)
    assert len(listed(shop)) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_killed_leaves_nothing_going_and_the_next_one_goes_on(
    shop: Cluster, number: signal.Signals
) -> None:
    with shop.server.connect("shop") as holder:
        holder.autocommit = False
        holder.execute("LOCK TABLE kept")
        with started(shop, "run") as process:
            eventually(lambda: any(one.name.startswith(".partial") for one in shop.backups))
            process.send_signal(number)
            process.communicate(timeout=90)
        holder.rollback()
    eventually(lambda: not children_of(shop))
    assert run(shop)["backup"]["success"]
    assert len(listed(shop)) == 1


def children_of(shop: Cluster) -> list[str]:
    """Processes that work on the cluster."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if str(shop.config_dir) in words or str(shop.repository) in " ".join(words):
                found.append(" ".join(words))
    return found


def test_a_repository_that_is_gone_is_a_failure_and_not_silence(shop: Cluster, receiver: Receiver) -> None:
    channels(shop, channels=[{"kind": "webhook", "url": receiver.url("200/hook")}])
    run(shop)
    away = shop.repository.with_name("away")
    shop.repository.rename(away)
    fields = refusal(shop, RUN, "run")
    assert "there is no holdfast-repository.json in it" in fields["reason"]
    assert receiver.requests[-1].json["kind"] == "failure"
    assert look(shop).returncode == CRITICAL
    assert metrics(shop)['holdfast_repository_up{cluster="shop"}'] == "0"
    assert metrics(shop)['holdfast_server_up{cluster="shop"}'] == "1"
    away.rename(shop.repository)


def test_a_server_that_is_gone_is_told_by_the_metrics_too(shop: Cluster) -> None:
    shop.configure(access={"port": 1})
    told = metrics(shop)
    assert told['holdfast_server_up{cluster="shop"}'] == "0"
    assert told['holdfast_repository_up{cluster="shop"}'] == "1"


def test_what_cannot_be_remembered_is_done_all_the_same_and_said(shop: Cluster, tmp_path: Path) -> None:
    """The disk of the state is full; that of the repository is not."""
    place = tmp_path / "small"
    with mounted(place, "64k"):
        shop.configure(state_dir=str(place))
        run(shop)
        shutil.rmtree(shop.backups[0])
        with (place / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        fields = refusal(shop, RUN, "run")
        assert "No space left on device" in fields["reason"]
        assert [one["success"] for one in fields["details"]["outcomes"]] == [True, True, True]
        assert len(listed(shop)) == 1


def test_a_damaged_state_is_begun_anew(shop: Cluster) -> None:
    run(shop)
    (shop.config_dir.parent / "state" / "shop" / "runs.json").write_text("{")
    assert run(shop) == {}
    assert findings(shop) == {}


def test_a_backup_that_shrank_is_noticed(shop: Cluster) -> None:
    shop.server.psql("CREATE TABLE much AS SELECT md5(n::text) AS text FROM generate_series(1, 20000) AS n", "shop")
    for _ in range(2):
        back_up(shop)
    shop.server.psql("TRUNCATE much", "shop")
    run(shop)
    looked = look(shop)
    assert looked.returncode == CRITICAL
    assert "of the usual size" in looked.stdout
    assert float(metrics(shop)['holdfast_backup_newest_size_ratio{cluster="shop"}']) < 0.25


def test_a_corrupt_backup_and_a_failed_drill_are_noticed(shop: Cluster) -> None:
    run(shop)
    (shop.repository / "backups" / listed(shop)[0] / "globals.sql").write_text("-- nothing\n")
    assert shop.holdfast("verify", listed(shop)[0]).returncode == 14
    looked = look(shop)
    assert looked.returncode == CRITICAL
    assert "1 backups are corrupt" in looked.stdout
    told = metrics(shop)
    assert told['holdfast_drill_success{cluster="shop"}'] == "0"
    assert told['holdfast_backups_state{cluster="shop",state="corrupt"}'] == "1"


def test_a_schedule_that_was_removed_is_noticed(shop: Cluster) -> None:
    run(shop)
    (shop.config_dir.parent / "cron.d" / "holdfast-shop").unlink()
    looked = look(shop)
    assert looked.returncode == CRITICAL
    assert "cron does not have it" in looked.stdout
    assert metrics(shop)['holdfast_schedule_installed{cluster="shop"}'] == "0"


def test_performance_data_can_be_read_by_a_plugin(shop: Cluster) -> None:
    run(shop)
    line = shop.holdfast("status", "--nagios").stdout.rstrip("\n")
    assert "\n" not in line
    head, data = line.split(" | ")
    assert head.startswith("HOLDFAST ")
    for pair in data.split(" "):
        name, _, value = pair.partition("=")
        assert name.isidentifier()
        assert value[0].isdigit()
        assert len(value.split(";")) <= 5


def test_no_schedule(shop: Cluster) -> None:
    shop.configure(schedule={"backend": "none"})
    assert "it has no schedule" in refusal(shop, CONFIG, "run")["reason"]
    assert "there is none" in look(shop).stdout


def test_a_configuration_that_cannot_be_read_is_unknown_to_a_plugin(shop: Cluster) -> None:
    shop.configure(monitor={"thresholds": {"connections": {"warning": 95}}})
    looked = look(shop)
    assert looked.returncode == UNKNOWN
    assert "The thresholds are out of order: critical must be more than warning." in looked.stderr


def test_a_metrics_directory_that_is_missing_is_said_and_fails_nothing_else(shop: Cluster) -> None:
    shutil.rmtree(shop.config_dir.parent / "textfile")
    assert "monitor.textfile" in refusal(shop, REPOSITORY, "metrics")["next_step"]
    assert run(shop)["drill"]["success"]


def test_the_next_runs_and_the_calendar_are_shown(shop: Cluster) -> None:
    lines = shop.holdfast("schedule", check=True).stdout.splitlines()
    assert "the next 14 runs" in lines
    assert sum("backup (daily" in line for line in lines) >= 12
    assert any(line.startswith("restore points on ") for line in lines)
