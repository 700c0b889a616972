# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database that was really damaged is brought back, its applications too, and nothing that was there is deleted."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import application, containers, drills
from tests.support.application import Application
from tests.support.backups import CONFIG, INTERRUPTED, NOT_FOUND, PREFLIGHT, RESTORE, back_up, refusal, started, tidied
from tests.support.clusters import Cluster
from tests.support.containers import wait_until_it_answers, wait_until_ready
from tests.support.servers import Server

ORDERS = "SELECT count(*), md5(string_agg(id || item, ',' ORDER BY id)) FROM orders"
CONFIRM = ("--confirm", "shop")


WORKER = {
    "image": f"{application.IMAGE}:1", "init": True, "labels": {"holdfast.lab": "1"}, "depends_on": ["web"],
    "stop_grace_period": "5s", "environment": {"PGHOST": "db"},
}  # fmt: skip


@dataclass(frozen=True)
class Golden:
    """A project in order, and copies of its data and its repository to begin each test with."""

    shop: Application
    data: Path
    repository: Path
    backups: tuple[str, str]

    def again(self) -> Application:
        """The project as it was, whatever a test has done to it."""
        shop = self.shop
        remove_containers(shop)
        shop.run("up", "--no-start", "db")
        shutil.rmtree(data_of(shop))
        shutil.rmtree(shop.cluster.repository)
        for source, target in ((self.data, data_of(shop)), (self.repository, shop.cluster.repository)):
            subprocess.run(["cp", "--archive", source, target], check=True)
        shop.run("up", "--detach")
        wait_until_it_answers(shop)
        return shop


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Golden]:
    """A database with checksums, a service that uses it, and one that uses that; 2,000 orders, then one more; two backups."""
    engine, compose = containers.docker(), containers.compose()
    application.build(engine)
    name, directory = f"holdfast-test-rec-{os.getpid()}", tmp_path_factory.mktemp("recover")
    with application.running(engine, compose, directory, name) as shop:
        environment = {"POSTGRES_USER": "shop", "POSTGRES_PASSWORD": application.PASSWORD}
        shop.write(db={"environment": {**environment, "POSTGRES_INITDB_ARGS": "--data-checksums"}}, worker=WORKER)
        shop.run("down", "--volumes", "--remove-orphans")
        shop.run("up", "--detach")
        wait_until_ready(shop.database)
        shop.query(
            "CREATE TABLE orders AS SELECT i AS id, md5(i::text) AS item FROM generate_series(1, 2000) i;"
            "CREATE TABLE big AS SELECT i AS id, repeat(md5(i::text), 10) AS item FROM generate_series(1, 60000) i;"
            "CREATE INDEX ON big (item); CREATE ROLE app LOGIN PASSWORD 'x'; GRANT SELECT ON orders TO app"
        )
        shop.cluster.configure(deploy={"settle": 1, "start_timeout": 20})
        first = back_up(shop.cluster)["id"]
        shop.query("INSERT INTO orders VALUES (2001, 'late')")
        second = back_up(shop.cluster)["id"]
        shop.engine.ask("stop", shop.database.name)
        for source, target in ((data_of(shop), "data"), (shop.cluster.repository, "golden")):
            subprocess.run(["cp", "--archive", source, directory / target], check=True)
        try:
            yield Golden(shop, directory / "data", directory / "golden", (first, second))
        finally:
            tidy(shop)


@pytest.fixture
def shop(golden: Golden) -> Iterator[Application]:
    """The project in order; what a test puts aside is gone afterwards."""
    yield golden.again()
    tidy(golden.shop)


@pytest.fixture
def backups(golden: Golden) -> tuple[str, str]:
    """The ids of the two backups, the older one first."""
    return golden.backups


def remove_containers(shop: Application) -> None:
    for facts in [one for name in ("db", "web", "worker") for one in shop.containers(name)]:
        shop.engine.ask("rm", "--force", facts["Id"])


def tidy(shop: Application) -> None:
    """Remove what was put aside."""
    for name in shop.engine.ask("volume", "ls", "--quiet", "--filter", "label=io.holdfast.quarantine=shop").split():
        shop.engine.ask("volume", "rm", "--force", name, check=False)


def data_of(shop: Application) -> Path:
    """The data directory, on this host."""
    name = f"{shop.name}_postgres_data"
    return Path(json.loads(shop.engine.ask("volume", "inspect", name))[0]["Mountpoint"])


def recover(shop: Application, *arguments: str) -> dict[str, Any]:
    """Recovers, which must succeed, and returns the record."""
    done = shop.cluster.holdfast("recover", "--json", *CONFIRM, *arguments, check=True)
    return dict(done.json["recovery"])


def assess(shop: Application, *arguments: str) -> dict[str, Any]:
    """What a recovery would do."""
    return dict(shop.cluster.holdfast("recover", "--dry-run", "--json", *arguments, check=True).json["plan"])


def require_whole(shop: Application, orders: int = 2001) -> None:
    """The data are back, and the applications run."""
    assert shop.query("SELECT count(*) FROM orders") == [(orders,)]
    assert shop.query("SELECT count(*) FROM big") == [(60000,)]
    assert shop.query("SELECT has_table_privilege('app', 'orders', 'SELECT')") == [(True,)]
    assert (len(shop.running("web")), len(shop.running("worker")), len(shop.running("db"))) == (1, 1, 1)


def test_nothing_is_wrong_and_nothing_is_touched(shop: Application, backups: tuple[str, str]) -> None:
    before = (shop.database.identity(), shop.running(), shop.engine.everything())
    plan = assess(shop)
    assert plan["healthy"]
    assert plan["findings"][-1]["detail"].startswith("it answers")
    assert plan["backup"] == backups[1]
    shown = shop.cluster.holdfast("recover", "--dry-run").stdout
    assert "so far as could be seen from here, nothing" in shown
    assert "no drill has measured it yet" in shown
    assert "should anything fail before that, put back what was there" in shown
    assert (shop.database.identity(), shop.running(), shop.engine.everything()) == before
    assert "it needs your say-so" in refusal(shop.cluster, CONFIG, "recover")["msg"]
    refusal(shop.cluster, CONFIG, "recover", "--confirm", "another")
    refusal(shop.cluster, NOT_FOUND, "recover", "--rollback", *CONFIRM)
    refusal(shop.cluster, NOT_FOUND, "recover", "--id", "20260101T000000Z-daily-abcdef", *CONFIRM)


def test_a_drill_has_measured_how_long_it_will_take(shop: Application) -> None:
    evidence = drills.passed(shop.cluster)
    plan = assess(shop)
    assert plan["rto"] >= evidence["rto"]
    assert plan["rto_source"] == f"measured by drill {evidence['id']}"


def test_a_volume_that_was_emptied(shop: Application, backups: tuple[str, str]) -> None:
    data = data_of(shop)
    for path in data.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (data / "a note").write_text("left behind")
    plan = assess(shop)
    assert not plan["healthy"]
    assert plan["services"] == [one["Name"].lstrip("/") for name in ("web", "worker") for one in shop.containers(name)]
    record = recover(shop)
    assert (record["state"], record["backup"], record["verdict"]) == ("recovered", backups[1], "match")
    assert record["rto"] > 0
    require_whole(shop)
    # Stopped last to first, started first to last.
    told = [text for text in record["events"] if text.startswith(("stopped ", "started "))]
    assert [("worker" in text) for text in told] == [True, False, False, True]
    kept = Path(json.loads(shop.engine.ask("volume", "inspect", record["quarantine"]["name"]))[0]["Mountpoint"])
    assert (kept / "a note").read_text() == "left behind"
    assert "holdfast recover --rollback" in " ".join(record["next_steps"])
    listed = shop.cluster.holdfast("recoveries").stdout
    assert record["id"] in listed
    assert "match" in shop.cluster.holdfast("recoveries", record["id"]).stdout


def test_a_database_that_was_dropped_comes_back_alone_and_can_be_taken_back(
    shop: Application, backups: tuple[str, str], tmp_path: Path
) -> None:
    shop.query("CREATE DATABASE other")
    identity = shop.database.identity()
    shop.server.query("DROP DATABASE shop WITH (FORCE)", "postgres")
    assert "database 'shop' is missing; the backup has it" in str(assess(shop)["findings"])
    # What is asked of other databases is not asked of this one.
    (tmp_path / "postgres.sql").write_text("-- database: postgres\n-- expect: = 2\nSELECT 1\n")
    shop.cluster.configure(verify={"checks": str(tmp_path)})
    record = recover(shop, "--database", "shop")
    shop.cluster.configure(verify={"checks": None})
    assert (record["state"], record["quarantine"], record["kept_aside"]["aside"]) == ("recovered", None, None)
    require_whole(shop)
    assert shop.database.identity() == identity
    shop.query("DELETE FROM orders WHERE id > 5")
    record = recover(shop, "--database", "shop", "--id", backups[0])
    require_whole(shop, 2000)
    back = shop.cluster.holdfast("recover", "--rollback", "--json", *CONFIRM, check=True).json["recovery"]
    assert back["state"] == "rolled_back"
    assert shop.query("SELECT count(*) FROM orders") == [(5,)]
    assert shop.server.query(f"SELECT count(*) FROM pg_database WHERE datname = '{back['discarded']['name']}'") == [
        (1,)
    ]


def test_bits_that_were_flipped_in_a_table_are_named_and_the_cluster_comes_back(shop: Application) -> None:
    (path,) = shop.query("SELECT pg_relation_filepath('orders')")[0]
    shop.engine.ask("stop", shop.database.name)
    file = data_of(shop) / path
    content = bytearray(file.read_bytes())
    content[5000] ^= 0xFF
    file.write_bytes(content)
    shop.engine.ask("start", shop.containers("db")[0]["Id"])
    wait_until_it_answers(shop)
    (finding,) = [one for one in assess(shop)["findings"] if one["check"] == "pages"]
    assert "table public.orders cannot be read: invalid page in block 0" in finding["detail"]
    recover(shop)
    require_whole(shop)
    back = shop.cluster.holdfast("recover", "--rollback", "--json", *CONFIRM, check=True).json["recovery"]
    assert back["state"] == "rolled_back"
    with pytest.raises(Exception, match="invalid page"):
        shop.query("SELECT count(*) FROM orders")
    assert len(shop.running("web")) == 1


def test_a_volume_and_a_container_that_were_removed(shop: Application) -> None:
    shop.engine.ask("rm", "--force", shop.database.name)
    shop.engine.ask("volume", "rm", f"{shop.name}_postgres_data")
    plan = assess(shop)
    assert plan["needs_provisioning"]
    assert "there is no container" in refusal(shop.cluster, PREFLIGHT, "recover", *CONFIRM)["msg"]
    shop.run("up", "--detach", "--no-deps", "db")
    recover(shop)
    require_whole(shop)


def test_the_newest_backup_is_corrupt_so_the_one_before_is_taken_and_it_is_said(
    shop: Application, backups: tuple[str, str]
) -> None:
    first, second = backups
    file = next((shop.cluster.repository / "backups" / second).rglob("toc.dat"))
    file.write_bytes(file.read_bytes()[:-3])
    shutil.rmtree(data_of(shop) / "base")
    plan = assess(shop)
    assert plan["backup"] == first
    assert f"{second} is corrupt" in plan["rejected"][0]
    assert f"passed over: {second} is corrupt" in shop.cluster.holdfast("recover", "--dry-run").stdout
    record = recover(shop)
    assert (record["backup"], record["rejected"]) == (first, plan["rejected"])
    require_whole(shop, 2000)


def test_what_was_there_is_put_back_if_the_backup_does_not_do(shop: Application, backups: tuple[str, str]) -> None:
    first, second = backups
    shop.query("DELETE FROM orders WHERE id > 10")
    drills.graft(shop.cluster, second, first)
    error = refusal(shop.cluster, RESTORE, "recover", *CONFIRM)
    assert "table public.orders has 2001 rows, expected 2000" in error["reason"]
    assert "what was there has been put back" in error["reason"]
    require_whole(shop, 10)
    record = error["details"]["recovery"]
    assert record["state"] == "failed"
    assert record["discarded"]["name"] in shop.engine.ask("volume", "ls", "--quiet")
    # With the say-so for it, the one before is tried.
    record = recover(shop, "--fallback")
    assert (record["backup"], [one["backup"] for one in record["tried"]]) == (first, [second])
    require_whole(shop, 2000)


def test_checks_that_fail_are_a_failure_too(shop: Application, backups: tuple[str, str], tmp_path: Path) -> None:
    check = "-- title: the late order is there\n-- database: shop\n-- expect: = 1\nSELECT count(*) FROM orders WHERE id > 2000"
    (tmp_path / "late.sql").write_text(check)
    shop.cluster.configure(verify={"checks": str(tmp_path)})
    try:
        error = refusal(shop.cluster, RESTORE, "recover", "--id", backups[0], *CONFIRM)
        assert "the late order is there" in error["reason"]
        require_whole(shop)
        assert recover(shop)["backup"] == backups[1]
    finally:
        shop.cluster.configure(verify={"checks": None})


@pytest.mark.parametrize(
    ("moment", "number"),
    [("aside", signal.SIGKILL), ("fresh", signal.SIGKILL), ("restore", signal.SIGKILL), ("restore", signal.SIGTERM)],
)
def test_a_recovery_that_was_interrupted_goes_on(shop: Application, moment: str, number: signal.Signals) -> None:
    shutil.rmtree(data_of(shop) / "global")
    with started(shop.cluster, "recover", *CONFIRM) as process:
        wait_for_step(shop, moment)
        time.sleep(0.4 if moment == "restore" else 0)
        process.send_signal(number)
        process.communicate(timeout=60)
    if number == signal.SIGTERM:
        assert process.returncode == INTERRUPTED
    plan = assess(shop)
    unfinished = plan["unfinished"]
    assert unfinished is not None
    assert f"go on with recovery {unfinished}" in shop.cluster.holdfast("recover", "--dry-run").stdout
    record = recover(shop)
    assert (record["id"], record["state"]) == (unfinished, "recovered")
    require_whole(shop)
    assert record["quarantine"] is not None
    kept = Path(json.loads(shop.engine.ask("volume", "inspect", record["quarantine"]["name"]))[0]["Mountpoint"])
    assert (kept / "PG_VERSION").exists()
    assert not (kept / "global").exists()


def test_a_recovery_goes_on_although_its_new_server_has_no_database_left(shop: Application) -> None:
    """As if it had been killed between the removal of what the image made and the next statement."""
    shutil.rmtree(data_of(shop) / "global")
    with started(shop.cluster, "recover", *CONFIRM) as process:
        wait_for_step(shop, "restore")
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    names = "SELECT datname FROM pg_database WHERE NOT datistemplate"
    psql = ("exec", shop.database.name, "psql", "-XAtq", "--username", "shop", "--dbname", "template1", "--command")
    for name in shop.engine.ask(*psql, names).split():
        shop.engine.ask(*psql, f'DROP DATABASE "{name}" WITH (FORCE)')
    unfinished = assess(shop)["unfinished"]
    record = recover(shop)
    assert (record["id"], record["state"]) == (unfinished, "recovered")
    require_whole(shop)


def wait_for_step(shop: Application, step: str) -> None:
    """Until a recovery is at a step."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in (shop.cluster.repository / "recoveries").glob("*.json"):
            if json.loads(path.read_text())["steps"][-1:] and json.loads(path.read_text())["steps"][-1]["name"] == step:
                return
        time.sleep(0.01)
    raise AssertionError(f"never at {step}")


def test_an_interrupted_recovery_can_be_taken_back(shop: Application) -> None:
    shop.query("DELETE FROM orders WHERE id > 10")
    with started(shop.cluster, "recover", *CONFIRM) as process:
        wait_for_step(shop, "restore")
        process.kill()
        process.communicate(timeout=60)
    shop.cluster.holdfast("recover", "--rollback", *CONFIRM, check=True)
    require_whole(shop, 10)
    assert assess(shop)["unfinished"] is None


def test_the_runbook_is_followed_literally(shop: Application, backups: tuple[str, str]) -> None:
    """Its blocks, from top to bottom, as somebody without Holdfast would run them."""
    text = shop.cluster.holdfast("runbook", check=True).stdout
    assert (shop.cluster.repository / "RUNBOOK.md").read_text() == text
    for path in data_of(shop).iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (data_of(shop) / "a note").write_text("left behind")
    script = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert backups[1] in done.stdout
    wait_until_it_answers(shop)
    require_whole(shop)
    aside = data_of(shop).with_name("_data.old")
    assert (aside / "a note").read_text() == "left behind"
    shutil.rmtree(aside)


def test_the_runbook_of_a_host_is_followed_literally(
    distribution_server: Server, cluster: Callable[..., Cluster], another_server: Callable[[Server], Server]
) -> None:
    with tidied(distribution_server):
        drills.load_rich(distribution_server, distribution_server.create_database("shop"))
        here = cluster(distribution_server)
        back_up(here)
        text = (here.repository / "RUNBOOK.md").read_text()
        empty = another_server(distribution_server)
        # The service is not ours to stop here: another server takes the place of the lost one.
        text = text.replace(f"PGHOST={distribution_server.socket_dir}", f"PGHOST={empty.socket_dir}")
        text = text.replace(f"PGPORT={distribution_server.port}", f"PGPORT={empty.port}")
        script = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert empty.query("SELECT count(*) FROM app.orders", "shop") == [(2000,)]
