"""Cron of one machine and systemd of the other start what is due, in time, once, and after the machine was off."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.hosts import Server, host_of, inventory, inventory_of, lab
from tests.support.playbooks import Inventory

NEVER = {"enabled": False}
BACKENDS = {"plain": "cron", "depot": "systemd"}
ZONE = "Asia/Kolkata"


def scheduled(tmp_path: Any, jobs: dict[str, Any]) -> Inventory:
    """The scenario's inventory with schedules in the zones that its machines do not have."""
    hosts = inventory_of("host_server")
    for name, backend in BACKENDS.items():
        hosts[name]["holdfast_schedule"] = {"backend": backend, "timezone": ZONE, "jitter": 0, "together": 0, **jobs}
        hosts[name]["holdfast_monitor"] = {"interval": 1}
    return inventory(tmp_path, hosts)


def eventually(ask: Callable[[], Any], seconds: float) -> Any:
    until = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(1)
    return found


@pytest.fixture(scope="module")
def soon(tmp_path_factory: Any) -> datetime:
    """Both have a schedule whose backup is due in two minutes; returns when, by the clock of the zone."""
    # The plays themselves take a while.
    at = datetime.now(ZoneInfo(ZONE)) + timedelta(minutes=2)
    jobs = {"daily": {"at": f"{at:%H:%M}"}, "weekly": NEVER, "monthly": NEVER, "drill": NEVER}
    found = scheduled(tmp_path_factory.mktemp("soon"), jobs)
    found.play("playbooks/site.yml").require_success()
    again = found.play("playbooks/site.yml").require_success()
    assert {host: counts["changed"] for host, counts in again.recap.items()} == dict.fromkeys(BACKENDS, 0), again.said
    return at.replace(second=0, microsecond=0)


def of_tier(server: Server, tier: str) -> list[dict[str, Any]]:
    return [one for one in server.reported("list")["backups"] if tier in one["tiers"]]


def test_a_backup_is_taken_when_it_is_due(server: Server, soon: datetime) -> None:
    def taken() -> list[dict[str, Any]]:
        found = [one for one in of_tier(server, "daily") if one["note"] == "scheduled"]
        return [one for one in found if datetime.fromisoformat(one["time"].replace("Z", "+00:00")) >= soon]

    eventually(taken, 240)
    time.sleep(2)
    assert len(taken()) == 1
    assert server.host.check_output("runuser -u postgres -- holdfast run --cluster %s", server.name) == "nothing is due"


def test_its_owner_is_the_account_and_its_log_says_what_happened(server: Server) -> None:
    said = (
        "cat /var/log/holdfast/plain.log" if server.name == "plain" else f"journalctl -u holdfast-{server.name}.service"
    )
    assert "is in the catalogue" in server.host.check_output(said)
    assert server.host.file(f"/var/lib/holdfast/{server.name}/runs.json").user == "postgres"


def test_the_metrics_come_by_themselves(server: Server) -> None:
    file = server.host.file(f"/var/lib/holdfast/metrics/holdfast_{server.name}.prom")
    wanted = f'run_last_success{{cluster="{server.name}",job="backup"}} 1'
    eventually(lambda: file.exists and wanted in file.content_string, 90)
    assert f'holdfast_schedule_installed{{cluster="{server.name}"}} 1' in file.content_string
    assert f'holdfast_scheduler_up{{cluster="{server.name}"}} 1' in file.content_string


def test_the_state_is_one_screen(server: Server) -> None:
    server.reported("verify", "--latest")
    looked = server.holdfast("status")
    assert looked.rc == 0, looked.stdout
    assert looked.stdout.startswith(f"OK: cluster {server.name} at ")


def test_a_schedule_that_somebody_removed_is_noticed(server: Server) -> None:
    file = "/etc/cron.d/holdfast-plain"
    away = f"mv {file} /root/ && sleep 1" if server.name == "plain" else "systemctl disable --now holdfast-depot.timer"
    back = (
        f"mv /root/holdfast-plain {file}" if server.name == "plain" else "systemctl enable --now holdfast-depot.timer"
    )
    server.host.check_output(away)
    try:
        looked = server.holdfast("status")
        assert looked.rc == 2
        assert "does not have it: it was removed, or never there" in looked.stdout
    finally:
        server.host.check_output(back)
    assert server.holdfast("status").rc == 0


def test_a_stopped_cron_is_noticed(server: Server) -> None:
    unit = "cron" if server.name == "plain" else "holdfast-depot.timer"
    server.host.check_output("systemctl stop %s", unit)
    try:
        looked = server.holdfast("status")
        assert looked.rc == 2
        assert ("no cron daemon runs" if unit == "cron" else "its timer is not active") in looked.stdout
    finally:
        server.host.check_output("systemctl start %s", unit)


def test_what_was_missed_is_made_up_for_at_boot(server: Server, tmp_path: Any) -> None:
    """The weekly and the monthly backup were due days ago, and nobody has taken them: one serves both, and is proved."""
    machine = inventory_of("host_server")[server.name]["ansible_host"]
    jobs = {"daily": {"at": "00:00"}, "drill": NEVER}
    scheduled(tmp_path, jobs).play("playbooks/site.yml", "--limit", server.name).require_success()
    assert [one for one in of_tier(server, "weekly") if one["note"] == "scheduled"] == []
    lab("host", machine, "--reboot")
    (taken,) = eventually(lambda: of_tier(server, "weekly"), 120)
    assert "monthly" in taken["tiers"]
    eventually(lambda: of_tier(server, "weekly")[0]["state"] == "proven", 120)


def test_a_schedule_that_can_never_be_met_is_refused(tmp_path: Any) -> None:
    server = Server.of(host_of("host_server", "plain"))
    state = f"/var/lib/holdfast/{server.name}/runs.json"
    facts = json.loads(server.host.file(state).content_string)
    facts["jobs"]["backup"]["seconds"] = 90000
    server.host.check_output("printf %%s %s > %s", json.dumps(facts), state)
    refused = scheduled(tmp_path, {}).play("playbooks/site.yml", "--limit", server.name)
    assert refused.returncode != 0
    said = " ".join(refused.said.split())
    assert "the last backup took 1d 1h" in said
    assert "longer than the 1d" in said


def test_no_schedule_leaves_nothing_behind(server: Server, together: Inventory) -> None:
    together.play("playbooks/site.yml", "--limit", server.name).require_success()
    left = server.host.run(f"ls /etc/cron.d/holdfast-{server.name} /etc/systemd/system/holdfast-{server.name}.timer")
    assert left.stdout == ""
