# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deployment that goes well: on a real project, with a real database, and what is the same afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.application import IMAGE, REFUSED, Application

WORKER = {"image": f"{IMAGE}:1", "command": ["sleep", "infinity"], "init": True, "stop_grace_period": "1s"}


@pytest.fixture(scope="module")
def deployed(project: Application) -> dict[str, Any]:
    """Version 2, which has a migration, was deployed in the place of version 1: what that said."""
    project.reset()
    identity = project.database.identity()
    project.deploy_options(unchanged=["public.ledger"])
    done = project.deploy(*project.image("2"), "--who", "a test", "--note", "release 2")
    assert done.returncode == 0, done.stderr
    assert project.database.identity() == identity
    project.assert_nothing_left()
    return dict(done.json["deployment"])


def test_the_new_version_runs_and_the_old_one_has_gone(project: Application, deployed: dict[str, Any]) -> None:
    assert ([tag for _id, tag in project.running()], project.tags()) == (["2"], ["2"])
    assert project.query("SELECT count(*) FROM orders WHERE channel = 'web'") == [(2000,)]


def test_the_record_lies_beside_the_backups(project: Application, deployed: dict[str, Any]) -> None:
    record = project.record()
    assert {**deployed, "schema": 1} == record
    assert (record["state"], record["who"], record["note"]) == ("succeeded", "a test", "release 2")
    assert (record["from"], record["to"]) == ({"web": [f"{IMAGE}:1"]}, {"web": f"{IMAGE}:2"})
    assert record["services"][0]["gap"] == 0
    assert record["identity"]["before"] == record["identity"]["after"]
    text = (project.cluster.repository / "deployments" / f"{record['id']}.txt").read_text()
    assert f"service web: {IMAGE}:1 → {IMAGE}:2 (rolling, updated; gap 0.0s)" in text
    assert f"--id {record['backup']['id']} --database shop --in-place" in text


def test_the_migrations_were_measured_before_they_met_the_database(deployed: dict[str, Any]) -> None:
    rehearsal = deployed["migration"]["rehearsal"]
    assert (rehearsal["rewritten"], rehearsal["warnings"], rehearsal["statements"]) == ([], [], ["ALTER TABLE"])
    (lock,) = rehearsal["locks"]
    assert (lock["table"], lock["mode"]) == ("shop: public.orders", "AccessExclusiveLock")
    assert lock["blocks"] == "readers and writers"


def test_the_backup_is_proven_by_the_rehearsal(project: Application, deployed: dict[str, Any]) -> None:
    backup = deployed["backup"]
    assert (backup["taken"], backup["state"]) == (True, "proven")
    (listed,) = [one for one in project.cluster.holdfast("list", "--json").json["backups"] if one["id"] == backup["id"]]
    assert (listed["tiers"], listed["state"]) == (["predeploy"], "proven")
    assert listed["proof"]["databases"]["shop"]["by"] == "a rehearsal before a deployment"


def test_tables_that_had_to_stay_were_counted(deployed: dict[str, Any]) -> None:
    told = {"check": "unchanged", "result": "ok", "detail": "1 tables have as many rows as before (500)"}
    assert told in deployed["checks"]


def test_once_more_there_is_nothing_to_do(project: Application, deployed: dict[str, Any]) -> None:
    backups, running = project.cluster.backups, project.running()
    again = project.deploy(*project.image("2"))
    assert (again.returncode, again.json["changed"], again.json["deployment"]) == (0, False, None)
    assert (project.cluster.backups, project.running()) == (backups, running)


def test_compose_by_hand_keeps_what_was_deployed(project: Application, deployed: dict[str, Any]) -> None:
    running = project.running()
    project.run("up", "--detach")
    assert project.running() == running


def test_what_the_compose_file_says_by_now_is_deployed_with_a_backup_that_serves(
    project: Application, deployed: dict[str, Any]
) -> None:
    project.write({"image": f"{IMAGE}:3"})
    backups = project.cluster.backups
    done = project.deploy("--if-older-than", "1h")
    assert done.returncode == 0, done.stderr
    assert (project.tags(), project.override.exists()) == (["3"], False)
    backup = done.json["deployment"]["backup"]
    assert (project.cluster.backups, backup["id"], backup["taken"]) == (backups, deployed["backup"]["id"], False)
    told = project.cluster.holdfast("deployments", "--json").json["deployments"]
    assert [one["to"]["web"] for one in told] == [f"{IMAGE}:3", f"{IMAGE}:2"]
    listed = project.cluster.holdfast("deployments")
    assert [line.split()[1] for line in listed.stdout.splitlines()] == ["STATE", "succeeded", "succeeded"]
    assert f"deployment {told[0]['id']}" in project.cluster.holdfast("deployments", told[0]["id"]).stdout


def test_the_plan_changes_nothing(app: Application) -> None:
    before, backups = app.running(), app.cluster.backups
    done = app.deploy("--dry-run", *app.image("2"))
    assert done.returncode == 0, done.stderr
    plan = done.json["plan"]
    assert plan["feasible"]
    (web,) = [one for one in plan["services"] if one["action"] != "none"]
    assert (web["service"], web["action"], web["from"], web["to"]) == ("web", "rolling", [f"{IMAGE}:1"], f"{IMAGE}:2")
    assert (app.running(), app.cluster.backups, app.override.exists()) == (before, backups, False)


def test_a_service_that_is_named_is_updated_alone_then_a_tag_all_of_them(app: Application) -> None:
    app.write(worker=WORKER)
    app.run("up", "--detach", "--no-deps", "worker")
    app.deploy_options(migrate=None)
    done = app.deploy("--tag", "3", "--service", "worker")
    assert (done.returncode, app.tags("web"), app.tags("worker")) == (0, ["1"], ["3"])
    warned = [one["detail"] for one in done.json["plan"]["checks"] if one["check"] == "healthcheck"]
    assert warned == [
        "service worker has no healthcheck: it counts as up when it has run for 1 s, and may fail requests until it really is"
    ]
    app.run("up", "--detach", "--no-deps", "--no-recreate", "--scale", "web=2", "web")
    assert app.deploy("--tag", "3").returncode == 0
    assert (app.tags("web"), app.tags("worker")) == (["3", "3"], ["3"])


def test_a_fixed_port_is_recreated_and_the_gap_is_measured(app: Application) -> None:
    app.write({"ports": ["127.0.0.1:18089:8000"]})
    app.run("up", "--detach", "--no-deps", "web")
    app.deploy_options(health={"url": "http://127.0.0.1:18089/", "timeout": 5}, migrate=None)
    # One that comes up so slowly that whoever asks has to meet with it.
    done = app.deploy(*app.image("slow"))
    assert done.returncode == 0, done.stderr
    record = app.record()
    assert (app.tags(), record["services"][0]["strategy"]) == (["slow"], "recreate")
    assert 2 < record["services"][0]["gap"] < 20
    assert 1 < record["availability"]["gap"] <= record["services"][0]["gap"] + 1


def test_a_fixed_name_is_recreated(app: Application) -> None:
    app.write({"container_name": f"{app.name}-named"})
    app.run("up", "--detach", "--no-deps", "web")
    sql = {"sql": "SELECT count(*) = 2000 FROM orders", "database": "shop", "timeout": 3}
    app.deploy_options(migrate=None, health=sql)
    done = app.deploy(*app.image("3"))
    assert done.returncode == 0, done.stderr
    assert (app.tags(), app.record()["services"][0]["strategy"]) == (["3"], "recreate")
    (named,) = app.containers("web")
    assert named["Name"] == f"/{app.name}-named"
    assert app.deploy().json["changed"] is False


def test_what_the_migrations_rewrite_is_told_and_a_lock_timeout_that_they_undo(app: Application) -> None:
    rehearsal = app.deploy(*app.image("rewrites")).json["deployment"]["migration"]["rehearsal"]
    assert [one["table"] for one in rehearsal["rewritten"]] == ["shop: public.orders"]
    (warning,) = rehearsal["warnings"]
    assert "ran with a lock_timeout of 0 s, not 2 s" in warning


def test_an_unproven_backup_does_not_serve(app: Application) -> None:
    app.cluster.holdfast("backup", check=True)
    newest = app.cluster.backups[-1]
    app.deploy_options(migrate=None, strategy={"web": "recreate"})
    done = app.deploy(*app.image("3"), "--if-older-than", "1s")
    assert done.json["deployment"]["backup"]["taken"]
    assert app.cluster.backups[-1] != newest
    assert app.record()["services"][0]["strategy"] == "recreate"


def test_a_strategy_that_cannot_be_is_refused(app: Application) -> None:
    app.write({"ports": ["127.0.0.1:18089:8000"]})
    app.deploy_options(strategy={"web": "rolling"})
    done = app.deploy()
    assert done.returncode == REFUSED
    assert "service web cannot be rolling: it publishes a fixed port (18089)" in done.stderr
