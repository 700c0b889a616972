# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard finds what the data of a container really lie on, whatever they were meant to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import containers
from tests.support.containers import LAB, Container, Engine
from tests.support.guarded import guarded

RUN = f"holdfast-test-guard-{os.getpid()}"
VOLUME = f"{RUN}-db-data"
DATA = "/var/lib/postgresql/data"
SAFE = ("postgres",)
WITH_CHECKSUMS = ("--env", "POSTGRES_INITDB_ARGS=--data-checksums")


@pytest.fixture(scope="module")
def docker() -> Engine:
    return containers.docker()


@pytest.fixture(scope="module", params=["docker", "podman"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Each engine in turn."""
    if request.param == "docker":
        found: Engine = request.getfixturevalue("docker")
        return found
    return containers.podman(tmp_path_factory.mktemp("podman") / "bin")


@pytest.fixture(scope="module")
def sound(engine: Engine) -> Iterator[Container]:
    """A server as it should be."""
    lasting = ("--network", "none", "--restart", "unless-stopped", *WITH_CHECKSUMS)
    with containers.running(engine, f"{RUN}-db", *lasting, arguments=SAFE) as started:
        yield started


@pytest.fixture(scope="module")
def shop(docker: Engine) -> Iterator[Container]:
    """Another one, on docker, for the tests that change it."""
    with containers.running(docker, f"{RUN}-shop", arguments=SAFE) as started:
        yield started


def test_a_server_as_it_should_be_is_vouched_for(sound: Container, tmp_path: Path) -> None:
    cluster = sound.cluster(tmp_path)
    cluster.configure(guard={"volume": VOLUME})
    before = sound.identity()

    found = guarded(cluster)

    assert found.result["verdict"] == "ok", found.result["checks"]
    assert found.check("data") == ("ok", f"the data directory {DATA} lies on volume {VOLUME}")
    assert found.check("version") == ("ok", "data and image are of PostgreSQL 17")
    assert found.result["server"]["running"]
    assert found.result["server"]["superuser"] == "postgres"
    assert found.result["volume"]["pg_version"] == 17
    assert found.result["volume"]["used_by"] == []
    assert Path(found.result["volume"]["data_path"], "PG_VERSION").exists()
    identity = found.result["identity"]
    assert identity["container"] == before["id"]
    assert identity["volume"] == VOLUME
    assert identity["system_identifier"] == str(
        sound.server.query("SELECT system_identifier FROM pg_control_system()")[0][0]
    )
    assert found.result["memory_mb"] > 100
    assert sound.identity() == before, "the guard has touched it"


def test_each_check_is_a_line_for_people(sound: Container, tmp_path: Path) -> None:
    cluster = sound.cluster(tmp_path)
    cluster.configure(guard={"volume": "misspelt"})

    done = cluster.holdfast("guard")

    assert done.returncode == 12
    lines = done.stdout.splitlines()
    assert "ok       fsync: fsync is on" in lines
    assert (
        f"error    data: the data directory {DATA} lies on volume {VOLUME}, not on misspelt as guard.volume says"
        in lines
    )
    assert lines[-1] == "cluster shop: error"
    assert done.stderr.startswith("holdfast: Cannot vouch for cluster shop: data: ")


def test_a_restart_is_noticed_and_nothing_else_is(shop: Container, tmp_path: Path) -> None:
    cluster = shop.cluster(tmp_path)
    taken = cluster.holdfast("guard", "--json", check=True).stdout
    file = tmp_path / "identity.json"
    file.write_text(taken)

    assert guarded(cluster, "--identity", str(file)).check("identity")[0] == "ok"
    shop.engine.ask("restart", shop.name)
    containers.wait_until_it_answers(shop)
    restarted = guarded(cluster, "--identity", str(file))

    assert restarted.errors == {"identity"}
    assert "started_at was" in restarted.check("identity")[1]
    assert "system_identifier" not in restarted.check("identity")[1]


def test_a_stopped_server_is_an_error_and_its_volume_is_judged_all_the_same(shop: Container, tmp_path: Path) -> None:
    cluster = shop.cluster(tmp_path)
    cluster.configure(guard={"volume": "misspelt"})
    file = tmp_path / "identity.json"
    file.write_text(json.dumps(guarded(cluster).result))
    shop.engine.ask("stop", shop.name)
    try:
        found = guarded(cluster, "--identity", str(file))
    finally:
        shop.engine.ask("start", shop.name)
        containers.wait_until_it_answers(shop)

    assert found.errors == {"server", "data", "identity"}
    assert f"docker start {shop.name}" in found.said
    assert found.check("version")[0] == "ok"
    assert found.result["identity"]["system_identifier"] is not None


def test_a_container_that_does_not_exist_is_an_error_and_its_volume_is_judged(shop: Container, tmp_path: Path) -> None:
    cluster = shop.cluster(tmp_path, project=f"{RUN}-none", service="db")
    cluster.configure(guard={"volume": f"{shop.name}-data"})

    found = guarded(cluster)

    assert found.errors == {"server", "users"}
    assert found.result["volume"]["used_by"] == [shop.name]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ((), "lies on an anonymous volume"),
        (("--env", "PGDATA=/srv/pg"), "lies in the container's own layer"),
        (("--env", "PGDATA=/data2/pg", "--volume", "VOLUME:/data"), "lies in the container's own layer"),
        (("--tmpfs", DATA), "lies in memory"),
        (("--volume", f"DIRECTORY:{DATA}"), "lies on the host's directory"),
        (
            ("--mount", f"type=volume,source=MEMORY,target={DATA},volume-opt=type=tmpfs,volume-opt=device=x"),
            "in memory",
        ),
    ],
)
def test_data_in_a_place_that_does_not_last_are_found(
    docker: Engine, tmp_path: Path, data: tuple[str, ...], kind: str
) -> None:
    volumes = {"VOLUME": f"{RUN}-other", "MEMORY": f"{RUN}-memory"}
    (tmp_path / "host").mkdir()
    for name, real in {**volumes, "DIRECTORY": str(tmp_path / "host")}.items():
        data = tuple(part.replace(name, real) for part in data)
    try:
        with containers.running(docker, f"{RUN}-bad", arguments=SAFE, data=data) as started:
            cluster = started.cluster(tmp_path)
            cluster.configure(guard={"volume": VOLUME})
            found = guarded(cluster)
    finally:
        docker.ask("volume", "rm", "--force", *volumes.values(), check=False)

    assert found.errors == {"data"}
    assert kind in found.check("data")[1]


def test_a_directory_of_the_host_that_was_meant_is_no_error(docker: Engine, tmp_path: Path) -> None:
    place = tmp_path / "host"
    place.mkdir()
    (tmp_path / "link").symlink_to(place)
    with containers.running(
        docker, f"{RUN}-bind", arguments=SAFE, data=("--volume", f"{tmp_path}/link:{DATA}")
    ) as started:
        cluster = started.cluster(tmp_path)
        verdicts = {}
        for expected in (str(place), str(tmp_path / "link"), str(tmp_path), str(tmp_path / "other"), "a_volume", None):
            cluster.configure(guard={"volume": expected})
            verdicts[expected] = guarded(cluster).check("data")[0]

    assert list(verdicts.values()) == ["ok", "ok", "ok", "error", "error", "ok"]


def test_wal_and_tablespaces_in_the_containers_layer_are_found(docker: Engine, tmp_path: Path) -> None:
    wal = ("--env", "POSTGRES_INITDB_ARGS=--waldir=/tmp/wal")
    with containers.running(docker, f"{RUN}-wal", *wal, arguments=SAFE) as started:
        docker.ask("exec", "--user", "postgres", started.name, "mkdir", "/tmp/space")
        started.server.query("CREATE TABLESPACE fast LOCATION '/tmp/space'")
        cluster = started.cluster(tmp_path)
        running = guarded(cluster)
        docker.ask("stop", started.name)
        stopped = guarded(cluster)

    assert running.errors == {"wal", "tablespaces"}
    assert "the WAL directory /tmp/wal lies in the container's own layer" in running.check("wal")[1]
    assert " /tmp/space lies in the container's own layer" in running.check("tablespaces")[1]
    assert stopped.errors == {"server", "wal", "tablespaces"}


def test_links_inside_the_container_are_followed(docker: Engine, tmp_path: Path) -> None:
    """The volume is mounted on a link; PGDATA goes through another link, which would be this host's own elsewhere."""
    name = f"{RUN}-links"
    script = "mkdir -p /real/pg && ln -s /etc/../real/pg /pg && exec docker-entrypoint.sh postgres"
    options = ("--env", "PGDATA=/pg", "--entrypoint", "bash")
    with containers.running(
        docker, name, *options, data=("--volume", f"{name}-data:/real"), arguments=("-c", script)
    ) as started:
        cluster = started.cluster(tmp_path)
        cluster.configure(guard={"volume": f"{name}-data"})
        found = guarded(cluster)

    assert found.check("data") == ("ok", f"the data directory /real/pg lies on volume {name}-data")
    assert found.result["identity"]["data_directory"] == "/pg"
    assert found.result["volume"]["data_path"].endswith(f"{name}-data/_data/pg")


def test_a_volume_of_another_cluster_is_refused(docker: Engine, tmp_path: Path) -> None:
    name = f"{RUN}-foreign"
    docker.ask("volume", "create", "--label", LAB, "--label", "io.holdfast.cluster=billing", f"{name}-own")
    try:
        with containers.running(docker, name, arguments=SAFE, data=("--volume", f"{name}-own:{DATA}")) as started:
            foreign = guarded(started.cluster(tmp_path / "1"))
            own = guarded(started.cluster(tmp_path / "2", name="billing"))
    finally:
        docker.ask("volume", "rm", "--force", f"{name}-own")

    assert foreign.errors == {"volume"}
    assert "labelled for cluster billing" in foreign.check("volume")[1]
    assert own.check("volume") == ("ok", f"{name}-own is labelled for this cluster")


def test_another_container_that_may_write_to_the_volume_is_found(shop: Container, tmp_path: Path) -> None:
    cluster, name = shop.cluster(tmp_path), f"{RUN}-other"
    verdicts = {}
    for how in ("ro", "rw"):
        mount = ("--volume", f"{shop.name}-data:/mnt:{how}")
        shop.engine.ask(
            "run", "--detach", "--rm", "--name", name, "--label", LAB, *mount, "--tmpfs", DATA,
            "--entrypoint", "sleep", shop.engine.image, "600",
        )  # fmt: skip
        try:
            verdicts[how] = guarded(cluster)
        finally:
            shop.engine.ask("rm", "--force", "--volumes", name)

    assert verdicts["ro"].errors == set()
    assert verdicts["rw"].errors == {"users"}
    assert name in verdicts["rw"].check("users")[1]


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_settings_that_risk_the_data_weigh_what_the_policy_says(shop: Container, tmp_path: Path, setting: str) -> None:
    cluster = shop.cluster(tmp_path)
    shop.server.query(f"ALTER SYSTEM SET {setting} = off")
    shop.server.query("SELECT pg_reload_conf(), pg_sleep(0.5)")
    verdicts = []
    try:
        for level in ("error", "warning", "ignore"):
            cluster.configure(guard={setting: level})
            verdicts.append(guarded(cluster).check(setting))
    finally:
        shop.server.query(f"ALTER SYSTEM RESET {setting}")
        shop.server.query("SELECT pg_reload_conf(), pg_sleep(0.5)")

    assert [result for result, _detail in verdicts] == ["error", "warning", "ok"]
    assert f"{setting} is off" in verdicts[-1][1]


def test_checksums_that_are_off_are_a_warning_unless_the_policy_is_stricter(shop: Container, tmp_path: Path) -> None:
    cluster = shop.cluster(tmp_path)
    assert guarded(cluster).check("checksums")[0] == "warning"
    cluster.configure(guard={"checksums": "error"})
    assert guarded(cluster).errors == {"checksums"}


def test_indexes_that_were_built_by_other_rules_of_sorting_are_found(shop: Container, tmp_path: Path) -> None:
    cluster = shop.cluster(tmp_path)
    shop.server.create_database("sorted")
    shop.server.query('CREATE TABLE names (name text COLLATE "en_US.utf8" PRIMARY KEY)', "sorted")
    was = shop.server.query("SELECT datcollversion FROM pg_database WHERE datname = 'sorted'")[0][0]
    shop.server.query("UPDATE pg_database SET datcollversion = '0.1' WHERE datname = 'sorted'")
    shop.server.query("UPDATE pg_collation SET collversion = '0.2' WHERE collname = 'en_US.utf8'", "sorted")
    try:
        found = guarded(cluster)
        cluster.configure(guard={"collation": "warning"})
        by_policy = guarded(cluster)
    finally:
        shop.server.drop_database("sorted")

    assert found.errors == {"collation"}
    detail = found.check("collation")[1]
    assert f"database sorted (0.1 → {was})" in detail
    assert f"collation en_US.utf8 (0.2 → {was}) of database sorted" in detail
    assert "REINDEX DATABASE" in found.said
    assert by_policy.check("collation")[0] == "warning"


def test_an_account_that_does_not_exist_yet_hides_nothing_that_the_engine_knows(
    shop: Container, tmp_path: Path
) -> None:
    cluster = shop.cluster(tmp_path, user="holdfast_absent")
    found = guarded(cluster)
    assert found.errors == {"server"}
    assert 'role "holdfast_absent" does not exist' in found.check("server")[1]
    assert found.check("data")[0] == "ok"
    assert found.result["identity"]["system_identifier"] is not None


def test_an_account_that_may_ask_for_no_settings_is_enough(shop: Container, tmp_path: Path) -> None:
    shop.server.query("CREATE ROLE holdfast_least LOGIN")
    try:
        found = guarded(shop.cluster(tmp_path, user="holdfast_least"))
    finally:
        shop.server.query("DROP ROLE holdfast_least")
    assert found.errors == set()
    assert found.check("data")[0] == "ok"


def test_a_container_that_nobody_starts_after_a_reboot_is_a_warning(shop: Container, tmp_path: Path) -> None:
    result, detail = guarded(shop.cluster(tmp_path)).check("restart")
    assert result == "warning"
    assert "restart policy is 'no'" in detail


def test_settings_that_wait_for_a_restart_are_a_warning(shop: Container, tmp_path: Path) -> None:
    shop.server.query("ALTER SYSTEM SET max_connections = 123")
    shop.server.query("SELECT pg_reload_conf(), pg_sleep(0.5)")
    try:
        result, detail = guarded(shop.cluster(tmp_path)).check("settings")
        assert result == "warning"
        assert "max_connections: changed" in detail
    finally:
        shop.server.query("ALTER SYSTEM RESET max_connections")
        shop.server.query("SELECT pg_reload_conf(), pg_sleep(0.5)")


def test_an_engine_that_does_not_answer_is_said_to(shop: Container, tmp_path: Path) -> None:
    cluster = shop.cluster(tmp_path)
    done = cluster.holdfast("guard", env={"DOCKER_HOST": f"unix://{tmp_path}/none"})
    assert done.returncode == 3
    assert "See that the engine runs" in done.stderr
