# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drills of a server in a container: in a container of the same image, which has no network and is always removed."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import AccessError
from holdfast.postgres import throwaway_container
from holdfast.postgres.access import ContainerAccess
from holdfast.postgres.throwaway_container import LABEL, initdb_arguments, remove_all
from holdfast.system import System
from tests.support import containers, drills
from tests.support.application import Application
from tests.support.backups import CONFIG, back_up, refusal, started
from tests.support.containers import Container, Engine

RUN = f"holdfast-test-drill-{os.getpid()}"


@pytest.fixture(scope="module", params=["docker", "podman"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Each engine in turn."""
    return (
        containers.docker()
        if request.param == "docker"
        else containers.podman(tmp_path_factory.mktemp("podman") / "bin")
    )


@pytest.fixture(scope="module")
def container(engine: Engine) -> Iterator[Container]:
    """A server that asks everybody for a password, with a database `shop`."""
    strict = ("--env", "POSTGRES_INITDB_ARGS=--data-checksums --auth-local=scram-sha-256 --auth-host=scram-sha-256")
    with containers.running(engine, f"{RUN}-db", "--network", "none", *strict) as running:
        containers.fill(running.server, "shop")
        yield running


@pytest.fixture
def shop(container: Container, tmp_path: Path) -> Iterator[Any]:
    """The cluster; whatever happens in a test, the server is the same container, and nothing is left."""
    identity, before, others = container.identity(), container.engine.everything(), throwaways(container.engine)
    passfile = tmp_path / "passfile"
    passfile.touch(mode=0o600)
    passfile.write_text(f"*:*:*:postgres:{containers.PASSWORD}\n")
    cluster = container.cluster(tmp_path, passfile=str(passfile))
    cluster.holdfast("init", check=True)
    yield cluster
    assert set(throwaways(container.engine)) <= set(others)
    assert container.engine.more_than(before) == {}
    assert container.identity() == identity


def throwaways(engine: Engine) -> list[str]:
    """Ids of the throwaways' containers."""
    return engine.ask("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}").split()


def test_a_drill_in_a_container_proves_a_backup(container: Container, shop: Any) -> None:
    backup = back_up(shop)["id"]
    evidence = drills.passed(shop)
    assert evidence["proven"]
    assert evidence["backup"]["id"] == backup
    assert container.facts()["Image"] in evidence["server"]["image"]
    assert set(drills.verdicts(evidence).values()) <= {"passed", "skipped"}
    assert drills.verdicts(evidence)["amcheck"] == "passed"
    # Start and removal may add so much to a restore at most.
    print(f"{container.engine.name}: start {evidence['seconds']['start']} s, removal {evidence['seconds']['remove']} s")


def test_the_throwaway_has_no_network_and_its_limits(container: Container, shop: Any, tmp_path: Path) -> None:
    back_up(shop)
    others = throwaways(container.engine)
    seen: list[dict[str, Any]] = []
    shop.configure(verify={"memory": 700, "cpus": 1.5, "smoke": {"command": ["sleep", "2"]}})
    with started(shop, "verify") as process:
        while process.poll() is None and not seen:
            for one in set(throwaways(container.engine)) - set(others):
                found = json.loads(container.engine.ask("container", "inspect", one, check=False) or "[]")
                seen += [facts for facts in found if facts["State"]["Running"]]
        _said, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    host = seen[0]["HostConfig"]
    assert (host["NetworkMode"], host["Memory"], host["NanoCpus"]) == ("none", 700 << 20, 1_500_000_000)
    assert seen[0]["Image"] == container.facts()["Image"]


def test_what_a_killed_drill_left_is_swept_by_the_next_and_nothing_else(container: Container, shop: Any) -> None:
    back_up(shop)
    others = set(throwaways(container.engine))
    foreign = container.engine.ask(
        "volume", "create", "--label", f"{LABEL}=another-drill", "--label", containers.LAB
    ).strip()
    volumes = ("volume", "ls", "--quiet", "--filter", f"label={LABEL}")
    before = set(container.engine.ask(*volumes).split())
    try:
        shop.configure(verify={"smoke": {"command": ["sleep", "60"]}})
        with started(shop, "verify") as process:
            while set(throwaways(container.engine)) <= others:
                time.sleep(0.05)
            time.sleep(1)
            process.kill()
            process.communicate(timeout=30)
        assert not set(throwaways(container.engine)) <= others
        shop.configure(verify={"smoke": {}})
        assert drills.passed(shop)["proven"]
        assert foreign in (left := set(container.engine.ask(*volumes).split()))
        assert left <= before
    finally:
        container.engine.ask("volume", "rm", foreign)


def test_the_smoke_command_runs_on_the_host(container: Container, shop: Any, tmp_path: Path) -> None:
    script = tmp_path / "smoke.py"
    script.write_text(
        "import psycopg\nwith psycopg.connect() as c: print(c.execute('SELECT 1 / count(*) FROM pg_class').fetchone())\n"
    )
    shop.configure(verify={"smoke": {"command": [sys.executable, str(script)]}})
    back_up(shop)
    assert drills.verdicts(drills.passed(shop))["smoke"] == "passed"


def test_the_smoke_command_runs_as_the_application_does(app: Application) -> None:
    """Its own health check, in its own image and environment, finds the restored data under the database's own name."""
    app.cluster.configure(
        verify={"smoke": {"service": "web", "command": ["psql", "-XAtc", "SELECT 1 / count(*) FROM ledger"]}}
    )
    back_up(app.cluster)
    evidence = drills.passed(app.cluster)
    assert drills.verdicts(evidence)["smoke"] == "passed"
    for wrong in ({"service": "nobody", "command": ["true"]}, {"service": "web", "command": ["/nowhere/program"]}):
        app.cluster.configure(verify={"smoke": wrong})
        assert "It says nothing" in refusal(app.cluster, CONFIG, "verify", evidence["backup"]["id"])["next_step"]
    app.cluster.configure(verify={"smoke": {}})
    assert app.cluster.holdfast("list", "--json").json["latest_proven"] == evidence["backup"]["id"]


@contextmanager
def volume_in_use(label: str, seconds: int) -> Iterator[str]:
    """The volume of a throwaway that somebody else's container uses for so long."""
    docker = containers.docker()
    lab = ("--label", containers.LAB)
    volume = docker.ask("volume", "create", *lab, "--label", f"{LABEL}={label}").strip()
    mount = f"type=volume,source={volume},target=/data"
    other = docker.ask(
        "run", "--detach", "--rm", *lab, "--network", "none", "--mount", mount, docker.image, "sleep", str(seconds)
    ).strip()
    try:
        yield volume
    finally:
        docker.ask("rm", "--force", other, check=False)
        docker.ask("volume", "rm", "--force", volume)


def test_what_cannot_be_removed_at_once_is_removed_soon() -> None:
    with volume_in_use(f"{RUN}-soon", 2):
        remove_all(ContainerAccess("docker"), System(), f"{RUN}-soon")
        assert containers.docker().ask("volume", "ls", "--quiet", "--filter", f"label={LABEL}={RUN}-soon") == ""


def test_a_copy_of_the_data_that_cannot_be_removed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throwaway_container, "REMOVE_SECONDS", 1)
    with volume_in_use(f"{RUN}-never", 60) as volume, pytest.raises(AccessError, match="volume is in use") as raised:
        remove_all(ContainerAccess("docker"), System(), f"{RUN}-never")
    assert volume in raised.value.reason
    assert f"label={LABEL}={RUN}-never" in raised.value.next_step


def test_who_is_let_in_is_no_matter_for_a_throwaway() -> None:
    assert initdb_arguments("") == "--no-sync"
    assert (
        initdb_arguments("--data-checksums -A scram-sha-256 --auth-host md5 --wal-segsize=4")
        == "--data-checksums --wal-segsize=4 --no-sync"
    )
    assert (
        initdb_arguments("--locale-provider=icu --icu-locale='de DE'")
        == "--locale-provider=icu '--icu-locale=de DE' --no-sync"
    )
