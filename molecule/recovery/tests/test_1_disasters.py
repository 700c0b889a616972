"""Real damage, one after the other; each time the playbook brings the shop back, and says what it did."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.support.hosts import host_of
from tests.support.patient import DATA, PLAYBOOK, Patient


@pytest.fixture
def host() -> Any:
    return host_of("recovery", "shop")


def test_an_assessment_touches_nothing(patient: Patient) -> None:
    before = (patient.shop.identity(), patient.shop.web())
    said = patient.assess()
    assert "so far as could be seen from here, nothing" in said
    assert patient.backups[1] in said
    assert (patient.shop.identity(), patient.shop.web()) == before


def test_a_database_that_was_dropped(patient: Patient) -> None:
    identity = patient.shop.identity()
    patient.shop.server.query("DROP DATABASE shop WITH (FORCE)", "postgres")
    assert "is missing; the backup has it" in patient.assess(database="shop")
    patient.recover(database="shop").require_success()
    patient.require_open(20001)
    assert patient.shop.identity() == identity


def test_everything_in_the_volume_was_removed_and_the_way_back(patient: Patient) -> None:
    patient.host.check_output(f"rm -rf {DATA}/base {DATA}/global {DATA}/pg_wal")
    play = patient.recover().require_success()
    record = patient.record()
    assert (record["state"], record["backup"]) == ("recovered", patient.backups[1])
    assert "it took" in play.said
    patient.require_open(20001)
    assert patient.host.file(f"{record['quarantine']['path']}/PG_VERSION").exists
    patient.shop.server.query("INSERT INTO orders (key) VALUES ('after')", "shop")
    patient.recover().require_success()
    patient.require_open(20001)
    patient.recover(rollback=True).require_success()
    patient.require_open(20002)
    patient.recover().require_success()


def test_flipped_bits_and_a_corrupted_newest_backup(patient: Patient) -> None:
    first, second = patient.backups
    path = patient.shop.server.query("SELECT pg_relation_filepath('orders')", "shop").strip()
    patient.host.check_output("docker stop shop-db-1")
    patient.host.check_output(
        f"printf '\\377\\377\\377\\377\\377\\377\\377\\377' | dd of={DATA}/{path} bs=1 seek=8204 conv=notrunc"
    )
    patient.host.check_output(
        "docker start shop-db-1; until docker exec shop-db-1 pg_isready -q -h 127.0.0.1; do sleep 0.3; done"
    )
    patient.host.check_output(
        f"truncate --size=-5 $(find /var/backups/holdfast/shop/backups/{second} -name toc.dat | head -n 1)"
    )
    said = patient.assess()
    assert "table public.orders cannot be read: invalid page in block 1" in said
    assert f"passed over: {second} is corrupt" in said
    patient.recover().require_success()
    assert (patient.record()["backup"], patient.record()["verdict"]) == (first, "match")
    patient.require_open(20000)


def test_killed_in_the_middle_of_the_restore_and_run_again(patient: Patient) -> None:
    patient.host.check_output(f"rm -rf {DATA}/global")
    settings = patient.shop.hosts.process(PLAYBOOK, ["--limit", "shop"], {"confirm": "shop"})
    with subprocess.Popen(settings.pop("args"), text=True, **settings) as process:
        patient.wait_for_step("restore")
        # Whoever holds the lock of recoveries is the module, whatever Ansible has called it.
        find = "lslocks --noheadings --output PID,PATH | awk '/recover.lock/ {print $1}'"
        patient.host.check_output(f"kill -KILL $({find})")
        process.communicate(timeout=60)
    assert process.returncode != 0
    unfinished = patient.record()["id"]
    assert f"go on with recovery {unfinished}" in patient.assess()
    patient.recover().require_success()
    assert (patient.record()["id"], patient.record()["state"]) == (unfinished, "recovered")
    patient.require_open(20000)
