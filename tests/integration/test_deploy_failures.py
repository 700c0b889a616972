# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deployment that fails: nothing is lost, the old version serves, and what is said tells what to do."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.application import DEPLOY_FAILED, IMAGE, REFUSED, Application
from tests.support.containers import wait_until_it_answers
from tests.support.disks import fill, mounted
from tests.support.processes import started, until

CONFIG, ACCESS, BUSY, INTERRUPTED = 2, 3, 5, 130


@pytest.fixture(scope="module")
def fresh(project: Application) -> Application:
    """The project with version 1."""
    project.reset()
    return project


@pytest.fixture
def usual(fresh: Application) -> Iterator[Application]:
    """The project with version 1, for all that is refused before anything is done."""
    running, backups = fresh.running(), fresh.cluster.backups
    yield fresh
    assert (fresh.running(), fresh.cluster.backups, fresh.override.exists()) == (running, backups, False)
    assert not list((fresh.cluster.repository / "deployments").glob("*"))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--service", "db"], CONFIG, "service db: it is the database's own"),
        (["--service", "wep"], CONFIG, "it is none of those that may be deployed: web"),
        (["--image", "elsewhere/app:2"], CONFIG, f"no service uses another tag of it (web: {IMAGE}:1)"),
        (["--image", "holdfast-lab/postgres:18"], CONFIG, "no service uses another tag of it"),
        (["--image", f"{IMAGE}:none"], ACCESS, f"Cannot pull image {IMAGE}:none"),
        (["--tag", "a b"], CONFIG, "that cannot be the name of an image"),
        (["--if-older-than", "soon"], CONFIG, "it is not a number with a unit"),
    ],
)
def test_what_cannot_be_is_refused(usual: Application, arguments: list[str], code: int, said: str) -> None:
    done = usual.deploy(*arguments)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_a_plan_with_an_image_that_is_not_here_says_that_it_is_pulled(usual: Application) -> None:
    planned = usual.deploy("--dry-run", "--image", f"{IMAGE}:none").json["plan"]
    assert planned["steps"][0] == f"pull {IMAGE}:none"


def test_a_compose_file_with_an_error(usual: Application) -> None:
    good = usual.file.read_text()
    usual.file.write_text(good.replace("healthcheck:", "healthchek:"))
    done = usual.deploy("--tag", "3")
    usual.file.write_text(good)
    assert (done.returncode, "Cannot read the compose files of project" in done.stderr) == (CONFIG, True)


def test_migrations_of_a_service_that_is_not_there(usual: Application) -> None:
    usual.deploy_options(migrate={"service": "wep"})
    done = usual.deploy("--tag", "3")
    usual.deploy_options()
    assert (done.returncode, "the project has no service wep, only: web" in done.stderr) == (REFUSED, True)


def test_a_compose_file_that_would_recreate_the_database(usual: Application) -> None:
    usual.write(db={"environment": {"POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "another"}})
    done = usual.deploy("--tag", "3")
    usual.write()
    assert done.returncode == REFUSED
    assert "would recreate the database's container: its configuration differs" in done.stderr
    assert "--recreate-database shop" in done.stderr


def test_a_compose_file_that_would_give_the_database_another_volume(usual: Application) -> None:
    usual.write(db={"volumes": ["other_data:/var/lib/postgresql/data"]})
    usual.file.write_text(usual.file.read_text() + "  other_data: {}\n")
    done = usual.deploy("--tag", "3", "--recreate-database", "shop")
    usual.write()
    assert (done.returncode, "an empty database" in done.stderr) == (REFUSED, True)


def test_two_at_once(usual: Application) -> None:
    import fcntl

    with (usual.cluster.repository / ".deploy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = usual.deploy("--tag", "3")
    assert (done.returncode, "another process holds .deploy.lock" in done.stderr) == (BUSY, True)


@contextmanager
def on_a_small_disk(app: Application, directory: Path) -> Iterator[Application]:
    """The same application, with its repository on a disk that can be filled."""
    with mounted(directory / "small", "16m") as small:
        cluster = replace(app.cluster, name="small", repository=small)
        config = {**app.cluster.config(), "cluster": "small", "repository": str(small)}
        cluster.config_file.write_text(json.dumps(config))
        cluster.holdfast("init", check=True)
        yield replace(app, cluster=cluster)
        for path in app.cluster.config_dir.glob("small.*"):
            path.unlink()


def test_no_room_for_the_backup(usual: Application, tmp_path: Path) -> None:
    with on_a_small_disk(usual, tmp_path) as small:
        fill(small.cluster.repository, 1 << 20)
        done = small.deploy("--tag", "3")
    assert done.returncode == REFUSED
    assert "space: backup: " in done.stderr
    assert f"are missing in {small.cluster.repository}" in done.stderr


def test_a_disk_that_is_full_in_the_middle(app: Application, tmp_path: Path) -> None:
    """Nothing can be written down any more: the old container is put back all the same."""
    before = app.running()
    app.deploy_options(migrate=None, settle=5)
    with on_a_small_disk(app, tmp_path) as small:
        with started(small.cluster, "deploy", *app.image("3")) as process:
            wait_for(small, "services", "the proxy has 5 s")
            fill(small.cluster.repository, 0)
            _said, told = process.communicate(timeout=90)
        assert process.returncode == DEPLOY_FAILED
        assert "No space left on device" in told
    assert (app.running(), app.tags(), app.override.exists()) == (before, ["1"], False)


@pytest.mark.parametrize(
    ("tag", "said"),
    [("crashes", "error: cannot start, a setting is missing"), ("unhealthy", "it is unhealthy")],
)
def test_an_image_that_does_not_come_up(app: Application, tag: str, said: str) -> None:
    before = app.running()
    app.deploy_options(migrate=None)
    done = app.deploy(*app.image(tag))
    assert done.returncode == DEPLOY_FAILED
    assert said in done.stderr
    assert f"{IMAGE}:1 was put back, and serves." in done.stderr
    assert (app.running(), app.tags(), app.override.exists()) == (before, ["1"], False)
    assert (app.record()["state"], app.record()["services"][0]["state"]) == ("rolled_back", "as before")
    assert all(one["State"]["Running"] for one in app.containers("web"))


def test_an_image_that_answers_wrongly_with_a_fixed_port(app: Application) -> None:
    app.write({"ports": ["127.0.0.1:18089:8000"]})
    app.run("up", "--detach", "--no-deps", "web")
    before = app.running()
    app.deploy_options(health={"url": "http://127.0.0.1:18089/", "timeout": 2})
    done = app.deploy(*app.image("sick"))
    assert done.returncode == DEPLOY_FAILED
    assert "health: it answered 500, not 200" in done.stderr
    assert (app.running(), app.tags(), app.record()["state"]) == (before, ["1"], "rolled_back")
    # The migrations had been run by then: how to undo them is said, and nobody has done it.
    assert f"--id {app.record()['backup']['id']} --database shop --in-place" in done.stderr


def test_an_image_that_does_not_come_up_with_a_fixed_name(app: Application) -> None:
    app.write({"container_name": f"{app.name}-named"})
    app.run("up", "--detach", "--no-deps", "web")
    app.deploy_options(migrate=None)
    done = app.deploy(*app.image("crashes"))
    assert done.returncode == DEPLOY_FAILED
    assert ([tag for _id, tag in app.running()], app.record()["state"]) == (["1"], "rolled_back")


def test_migrations_that_fail_in_the_rehearsal(app: Application) -> None:
    before = app.running()
    done = app.deploy(*app.image("bad-migration"))
    assert done.returncode == DEPLOY_FAILED
    assert "rehearsal: exit code" in done.stderr
    assert 'check constraint "orders_id_check" of relation "orders" is violated' in done.stderr
    assert (app.running(), app.tags(), app.override.exists()) == (before, ["1"], False)
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders' AND column_name = 'gone'"
    assert app.query(columns) == [(0,)]
    record = app.record()
    assert (record["state"], record["backup"]["state"]) == ("failed", "proven")
    assert record["next_steps"][0] == "Nothing was changed."


def test_migrations_that_wait_for_a_lock_give_up(app: Application) -> None:
    app.deploy_options(migrate=None)
    assert app.deploy(*app.image("3")).returncode == 0
    app.deploy_options()
    before = app.running()
    with app.server.connect("shop") as holder, holder.transaction():
        # A reader: the dump gets past it, ALTER TABLE does not.
        holder.execute("SELECT count(*) FROM orders")
        done = app.deploy(*app.image("2"))
    assert done.returncode == DEPLOY_FAILED
    assert "migrations: exit code" in done.stderr
    assert "canceling statement due to lock timeout" in done.stderr
    assert (app.running(), app.record()["state"]) == (before, "failed")
    assert json.loads("".join(app.override.read_text().splitlines()[2:]))["services"]["web"]["image"] == f"{IMAGE}:3"


def test_a_table_that_had_to_stay_and_did_not(app: Application) -> None:
    before = app.running()
    app.deploy_options(unchanged=["public.ledger"])
    done = app.deploy(*app.image("deletes"))
    app.query("INSERT INTO ledger SELECT i, i * 2 FROM generate_series(1, 500) i")
    assert done.returncode == DEPLOY_FAILED
    assert "identity: shop public.ledger had 500 rows and has 0" in done.stderr
    assert (app.running(), app.record()["state"]) == (before, "rolled_back")


def at_step(app: Application, name: str, event: str = "") -> bool:
    """Whether a deployment has come so far."""
    try:
        record = app.record()
    except (IndexError, ValueError, OSError):
        return False
    return bool(record["steps"]) and record["steps"][-1]["name"] == name and event in str(record["events"])


def wait_for(app: Application, name: str, event: str = "") -> None:
    until(lambda: at_step(app, name, event), f"{name} {event}", 60)


@pytest.fixture
def killed(app: Application) -> Application:
    """A deployment was killed when the new container ran, and the old one too."""
    app.deploy_options(migrate=None, settle=8)
    with started(app.cluster, "deploy", *app.image("3")) as process:
        wait_for(app, "services", "the proxy has 8 s")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert app.tags() == ["1", "3"]
    app.deploy_options(migrate=None)
    return app


def test_the_next_run_says_where_a_killed_one_stood_and_goes_on(killed: Application) -> None:
    planned = killed.deploy("--dry-run", *killed.image("3")).json["plan"]
    (told,) = [one for one in planned["checks"] if one["check"] == "interrupted"]
    assert "it was at step 'services'" in told["detail"]
    assert "holdfast deploy --rollback" in told["next_step"]
    done = killed.deploy(*killed.image("3"))
    assert done.returncode == 0, done.stderr
    assert killed.tags() == ["3"]
    assert [killed.record(number)["state"] for number in (0, 1)] == ["abandoned", "succeeded"]


def test_what_a_killed_one_left_is_put_back_when_asked(killed: Application) -> None:
    planned = killed.deploy("--rollback", "--dry-run")
    assert len(planned.json["rollback"]["steps"]) == 1
    done = killed.deploy("--rollback")
    assert done.returncode == 0, done.stderr
    assert (killed.tags(), killed.override.exists(), killed.record()["state"]) == (["1"], False, "rolled_back")
    again = killed.deploy("--rollback")
    assert (again.returncode, "no deployment was interrupted" in again.stderr) == (9, True)


def test_whoever_is_interrupted_says_how_to_go_on(app: Application) -> None:
    with started(app.cluster, "deploy", *app.image("2")) as process:
        wait_for(app, "rehearsal")
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _said, told = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert "'holdfast deploy --rollback' puts the old containers back" in told
    assert (app.record()["state"], app.tags()) == ("interrupted", ["1"])


@pytest.mark.parametrize("event", ["stopped ", "started "])
def test_whoever_is_interrupted_leaves_no_service_down(app: Application, event: str) -> None:
    # A minute goes by before it is found to be unhealthy: long enough to be interrupted.
    patient = {"test": ["CMD", "test", "-e", "/tmp/healthy"], "interval": "1s", "retries": 60}
    app.write({"ports": ["127.0.0.1:18089:8000"], "healthcheck": patient})
    app.run("up", "--detach", "--no-deps", "web")
    before = app.running()
    app.deploy_options(migrate=None, start_timeout=60)
    with started(app.cluster, "deploy", *app.image("unhealthy")) as process:
        wait_for(app, "services", event)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    # Either its old container was started again, or the new one had been started by then (and has the port).
    assert app.running()
    back = app.cluster.holdfast("deploy", "--rollback")
    assert back.returncode == 0, back.stderr
    assert (app.running(), app.record()["state"]) == (before, "rolled_back")


@pytest.mark.parametrize(("step", "event"), [("rehearsal", ""), ("services", "the proxy has")])
def test_a_database_that_dies_meanwhile(project: Application, step: str, event: str) -> None:
    project.reset()
    before = project.running()
    project.deploy_options(settle=4)
    with started(project.cluster, "deploy", *project.image("2"), "--json") as process:
        wait_for(project, step, event)
        name = project.database.facts()["Name"].lstrip("/")
        project.engine.ask("kill", name)
        said, told = process.communicate(timeout=120)
    project.engine.ask("start", name)
    wait_until_it_answers(project)
    assert process.returncode == DEPLOY_FAILED, told
    failed: dict[str, Any] = json.loads(said)
    assert f"the database's container {name} is not running (exit code 137)" in failed["msg"]
    assert (project.running(), project.tags()) == (before, ["1"])
    project.assert_nothing_left()


def test_a_database_is_recreated_when_that_is_asked_for_by_name(project: Application) -> None:
    project.reset()
    before = project.database.facts()
    rows = project.query("SELECT count(*), sum(amount) FROM ledger")
    project.write(db={"environment": {"POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "x", "MORE": "1"}})
    done = project.deploy("--recreate-database", "shop")
    assert done.returncode == 0, done.stderr
    after = project.database.facts()
    assert (after["Id"] != before["Id"], after["Mounts"]) == (True, before["Mounts"])
    assert project.query("SELECT count(*), sum(amount) FROM ledger") == rows
    assert done.json["deployment"]["backup"]["state"] == "proven"
    project.write()
    assert project.deploy("--recreate-database", "shop").returncode == 0
    project.assert_nothing_left()
