"""A server in a stock container is backed up and restored from outside, and never notices."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import containers
from tests.support.containers import IMAGE, LAB, Container, Engine
from tests.support.servers import Server

RUN = f"holdfast-test-{os.getpid()}"
PROJECT = {"project": RUN, "service": "db"}


def labels(project: str) -> tuple[str, ...]:
    """Options that give a container the labels of compose."""
    named = {"project": project, "service": "db"}
    return tuple(part for key, value in named.items() for part in ("--label", f"com.docker.compose.{key}={value}"))


ONLY_SHOP = ("--database", "shop")


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
def container(engine: Engine) -> Iterator[Container]:
    """A server without any port to the outside, as compose would have labelled it."""
    with containers.running(engine, f"{RUN}-db", "--network", "none", *labels(RUN)) as started:
        containers.fill(started.server, "shop")
        yield started


@pytest.fixture(scope="module")
def docker_container(docker: Engine) -> Iterator[Container]:
    """A server on the engine's own network, with a database `shop`."""
    with containers.running(docker, f"{RUN}-net") as started:
        containers.fill(started.server, "shop")
        yield started


@pytest.fixture(scope="module")
def strict_container(docker: Engine) -> Iterator[Container]:
    """A server that wants a password from everybody, over its socket too."""
    strict = ("--env", "POSTGRES_INITDB_ARGS=--auth-local=scram-sha-256 --auth-host=scram-sha-256")
    with containers.running(docker, f"{RUN}-scram", *strict) as started:
        yield started


@pytest.fixture
def nothing_left(docker: Engine) -> Iterator[None]:
    """Whatever happens in the test, it leaves no container, volume or network."""
    before = docker.everything()
    yield
    assert docker.more_than(before) == {}


@pytest.mark.parametrize("named_by", ["name", "compose labels"])
def test_a_database_of_a_container_is_backed_up_and_restored(
    container: Container, tmp_path: Path, named_by: str
) -> None:
    access = PROJECT if named_by == "compose labels" else {}
    cluster = container.cluster(tmp_path, **access)
    before, identity = container.engine.everything(), container.identity()
    cluster.holdfast("init", check=True)

    taken = cluster.holdfast("backup", *ONLY_SHOP, "--json", check=True).json["backup"]
    copied = cluster.holdfast(
        "restore", "--latest", "--database", "shop", "--into", f"copy_{named_by[:4]}", "--json", check=True
    ).json

    assert taken["compression"]["algorithm"] == "zstd:1"
    assert "this pg_dump has it" in taken["compression"]["reason"]
    assert taken["limitations"] == []
    assert copied["verdict"] == "match"
    assert containers.rows(container.server, f"copy_{named_by[:4]}") == 2000
    assert container.identity() == identity
    assert identity["entered"] == []
    assert container.engine.more_than(before) == {}


def test_a_damaged_database_of_a_container_is_replaced_in_place(container: Container, tmp_path: Path) -> None:
    server, cluster = container.server, container.cluster(tmp_path)
    containers.fill(server, "fragile", rows=50)
    cluster.holdfast("init", check=True)
    cluster.holdfast("backup", "--database", "fragile", check=True)
    server.query("TRUNCATE orders", "fragile")
    before, identity = container.engine.everything(), container.identity()

    restored = cluster.holdfast(
        "restore", "--latest", "--database", "fragile", "--in-place", "--confirm", "fragile", "--json", check=True
    ).json

    assert restored["verdict"] == "match"
    assert containers.rows(server, "fragile") == 50
    assert containers.rows(server, restored["databases"][0]["kept_aside_as"]) == 0
    assert container.identity() == identity
    assert container.engine.more_than(before) == {}


def test_the_engine_tells_of_nothing_that_happens_to_the_servers_container(
    docker: Engine, docker_container: Container, tmp_path: Path
) -> None:
    cluster = docker_container.cluster(tmp_path)
    cluster.holdfast("init", check=True)
    began = time.time()
    cluster.holdfast("backup", *ONLY_SHOP, check=True)
    window = ("--since", f"{began:.3f}", "--until", f"{time.time():.3f}")

    events = docker.ask("events", *window, "--filter", f"container={docker_container.name}")

    assert events == ""
    assert docker.ask("events", *window, "--filter", f"label={containers.TOOLS}", "--filter", "event=start") != ""


def test_tools_come_from_the_image_that_runs_not_from_its_tag(docker: Engine, tmp_path: Path) -> None:
    tag = f"holdfast-lab/moving:{os.getpid()}"
    docker.ask("tag", IMAGE, tag)
    with containers.running(Engine("docker", tag), f"{RUN}-moving") as container:
        runs = container.facts()["Image"]
        empty = subprocess.run(["tar", "-cf", "-", "-T", "/dev/null"], capture_output=True, check=True).stdout
        imported = ["docker", "import", "--change", f"LABEL {LAB}", "-", tag]
        subprocess.run(imported, input=empty, capture_output=True, check=True)
        try:
            cluster = container.cluster(tmp_path)
            cluster.holdfast("init", check=True)
            taken = cluster.holdfast("backup", "--json", check=True).json["backup"]
        finally:
            docker.ask("rmi", tag)

    manifest = json.loads((cluster.backups[0] / "manifest.json").read_text(encoding="utf-8"))
    assert taken["state"] == "complete"
    assert manifest["server"]["access"]["image_digest"] == runs
    assert manifest["server"]["access"]["image"] == tag


@pytest.mark.usefixtures("nothing_left")
def test_a_backup_that_fails_leaves_nothing_behind(docker_container: Container, tmp_path: Path) -> None:
    cluster = docker_container.cluster(tmp_path)
    cluster.configure(backup={"lock_timeout": 1})
    cluster.holdfast("init", check=True)

    with containers.locked(docker_container.server, "shop"):
        failed = cluster.holdfast("backup", *ONLY_SHOP, "--json")

    assert failed.returncode == 6
    assert "lock" in failed.json["reason"]
    assert cluster.backups == []


@pytest.mark.usefixtures("nothing_left")
def test_an_interrupted_backup_ends_its_tool_at_once(docker_container: Container, tmp_path: Path) -> None:
    cluster = docker_container.cluster(tmp_path)
    cluster.holdfast("init", check=True)

    with containers.backup_that_hangs(cluster, docker_container.server, "shop") as process:
        process.terminate()
        _, said = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "interrupted" in said
    assert cluster.backups == []


@pytest.mark.usefixtures("nothing_left")
def test_what_a_killed_backup_left_running_goes_with_the_next_one(
    docker: Engine, docker_container: Container, tmp_path: Path
) -> None:
    cluster = docker_container.cluster(tmp_path)
    cluster.holdfast("init", check=True)

    with containers.backup_that_hangs(cluster, docker_container.server, "shop") as process:
        os.killpg(process.pid, signal.SIGKILL)  # the engine's client too, which could end the tool
        process.wait()
        orphans = docker_container.tools()
        docker.ask("pause", *orphans)  # else it would end by itself now and then
    taken = cluster.holdfast("backup", *ONLY_SHOP, "--json", check=True).json
    pruned = cluster.holdfast("prune", "--json", check=True).json

    assert len(orphans) == 1
    assert docker_container.tools() == []
    assert taken["backup"]["state"] == "complete"
    assert len(pruned["stale_removed"]) == 1
    assert [path.name for path in cluster.backups] == [taken["backup"]["id"]]


@pytest.mark.usefixtures("nothing_left")
def test_a_repository_of_an_unprivileged_account_stays_that_accounts_own(
    docker_container: Container, tmp_path: Path
) -> None:
    cluster, account = docker_container.cluster(tmp_path), pwd.getpwnam("nobody")
    cluster.repository.mkdir(mode=0o700)
    os.chown(cluster.repository, account.pw_uid, account.pw_gid)
    cluster.holdfast("init", check=True)

    with containers.backup_that_hangs(cluster, docker_container.server, "shop") as process:
        (tool,) = docker_container.tools()
        pid = Container(docker_container.engine, tool).facts()["State"]["Pid"]
        owner_of_tool = Path(f"/proc/{pid}").stat().st_uid

    assert process.returncode == 0
    assert owner_of_tool == account.pw_uid
    written = [path for path in cluster.repository.rglob("*") if not path.name.startswith(".")]
    assert {path.stat().st_uid for path in written} == {account.pw_uid}
    assert {path.stat().st_mode & 0o777 for path in written} == {0o700, 0o600}


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "*", f"{RUN}-scram"])
def test_a_passfile_opens_a_server_that_wants_a_password(
    strict_container: Container, tmp_path: Path, host: str
) -> None:
    passfile = tmp_path / "passfile"
    passfile.touch(mode=0o600)
    passfile.write_text(f"{host}:5432:*:postgres:{containers.PASSWORD}\n")
    cluster = strict_container.cluster(tmp_path, passfile=str(passfile))
    temporary = {"TMPDIR": str(tmp_path)}
    cluster.holdfast("init", check=True)
    before = sorted(tmp_path.iterdir())

    planned = cluster.holdfast("backup", "--dry-run", env=temporary)
    assert planned.returncode == 0, planned.stderr
    if host == "localhost":
        taken = cluster.holdfast("backup", "--json", env=temporary)
        assert taken.json["backup"]["state"] == "complete"
        restored = cluster.holdfast(
            "restore", "--latest", "--database", "postgres", "--into", "copy", "--json", env=temporary
        )
        assert restored.json["verdict"] == "match"

    assert sorted(tmp_path.iterdir()) == before, "a copy of the passfile is left"


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("line", "mode", "reason"),
    [
        ("*:*:*:*:wrong", 0o600, "password authentication failed"),
        ("elsewhere:*:*:*:unused", 0o600, "no password supplied"),
        ("*:*:*:*:unused", 0o644, "others than its owner may read it"),
    ],
)
def test_a_passfile_that_does_not_fit_is_refused_before_anything_is_written(
    strict_container: Container, tmp_path: Path, line: str, mode: int, reason: str
) -> None:
    passfile = tmp_path / "passfile"
    passfile.write_text(line + "\n")
    passfile.chmod(mode)
    cluster = strict_container.cluster(tmp_path, passfile=str(passfile))
    cluster.holdfast("init", check=True)

    failed = cluster.holdfast("backup", "--json")

    assert failed.returncode == 3
    assert reason in failed.json["reason"]
    assert "passfile" in failed.json["next_step"] + failed.json["msg"]
    assert cluster.backups == []


def test_a_password_shows_in_no_process_and_in_no_container(strict_container: Container, tmp_path: Path) -> None:
    passfile = tmp_path / "passfile"
    passfile.touch(mode=0o600)
    passfile.write_text(f"localhost:*:*:*:{containers.PASSWORD}\n")
    cluster = strict_container.cluster(tmp_path, passfile=str(passfile))
    cluster.holdfast("init", check=True)

    with containers.backup_that_hangs(cluster, strict_container.server, "postgres") as process:
        (tool,) = strict_container.tools()
        inspected = strict_container.engine.ask("container", "inspect", tool)
        everybody = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout

    assert process.returncode == 0
    assert containers.PASSWORD not in inspected
    assert containers.PASSWORD not in everybody


def test_a_service_is_one_container_and_those_of_compose_run_do_not_count(docker: Engine, tmp_path: Path) -> None:
    project = f"{RUN}-twice"
    others = [f"{RUN}-oneoff", f"{RUN}-second"]
    sleeping = ("--label", LAB, *labels(project), "--entrypoint", "sleep", IMAGE, "600")
    with containers.running(docker, f"{RUN}-first", *labels(project)) as container:
        cluster = container.cluster(tmp_path, project=project, service="db")
        cluster.holdfast("init", check=True)
        try:
            oneoff = ("--label", "com.docker.compose.oneoff=True")
            docker.ask("run", "--detach", "--name", others[0], *oneoff, *sleeping)
            planned = cluster.holdfast("backup", "--dry-run")
            docker.ask("run", "--detach", "--name", others[1], *sleeping)
            refused = cluster.holdfast("backup", "--json")
        finally:
            docker.ask("rm", "--force", "--volumes", *others, check=False)

    assert planned.returncode == 0, planned.stderr
    assert refused.returncode == 3
    assert f"2 running containers are meant ({container.name}, {others[1]})" in refused.json["reason"]


@pytest.mark.parametrize(
    ("access", "env", "reason"),
    [
        ({"container": "no-such-container"}, {}, "docker knows no such container"),
        ({"container": "--help"}, {}, "docker knows no such container"),
        ({**PROJECT, "service": "nope"}, {}, f"no container is service nope of project {RUN}"),
        ({}, {"PATH": "/nowhere"}, "there is no docker on this host"),
        ({}, {"DOCKER_HOST": "unix:///nowhere.sock"}, "Cannot connect to the Docker daemon"),
        (PROJECT, {"DOCKER_HOST": "unix:///nowhere.sock"}, "Cannot connect to the Docker daemon"),
    ],
)  # fmt: skip
def test_a_container_that_cannot_be_found_is_a_clear_error(
    docker_container: Container, tmp_path: Path, access: dict[str, str], env: dict[str, str], reason: str
) -> None:
    cluster = docker_container.cluster(tmp_path, **access)
    cluster.holdfast("init", check=True)

    failed = cluster.holdfast("backup", "--json", env=env)

    assert failed.returncode == 3
    assert reason in failed.json["reason"]
    assert failed.json["next_step"]
    assert "Traceback" not in failed.stderr


def test_a_stopped_container_is_named_and_not_started(docker: Engine, tmp_path: Path) -> None:
    name = f"{RUN}-stopped"
    docker.ask("create", "--name", name, "--label", LAB, *labels(name), IMAGE)
    try:
        refused = []
        for way, access in enumerate(({"container": name}, {"project": name, "service": "db"})):
            cluster = Container(docker, name).cluster(tmp_path / str(way), **access)
            cluster.holdfast("init", check=True)
            refused.append(cluster.holdfast("backup"))
        state = Container(docker, name).facts()["State"]["Status"]
    finally:
        docker.ask("rm", "--force", "--volumes", name)

    assert [one.returncode for one in refused] == [3, 3]
    assert all(f"docker start {name}" in one.stderr for one in refused)
    assert state == "created"


def test_the_hosts_own_server_is_never_taken_for_the_containers(
    docker: Engine, server18: Server, tmp_path: Path
) -> None:
    """In the image `/var/run` is an absolute link to `/run`: followed by the kernel it leads to the host's."""
    folder = Path("/run/postgresql")
    made = not folder.exists()
    folder.mkdir(exist_ok=True)
    socket = folder / f".s.PGSQL.{server18.port}"
    socket.symlink_to(server18.socket_dir / socket.name)
    command = ("postgres", "-c", f"port={server18.port}", "-c", "unix_socket_directories=")
    try:
        with containers.running(docker, f"{RUN}-no-socket", arguments=command) as container:
            cluster = container.cluster(tmp_path)
            config = cluster.config()
            passfile = tmp_path / "passfile"
            passfile.touch(mode=0o600)
            passfile.write_text(f"{container.name}:*:*:*:{containers.PASSWORD}\n")
            config["access"].update(port=server18.port, passfile=str(passfile))
            cluster.config_file.write_text(json.dumps(config))
            cluster.holdfast("init", check=True)

            over_its_address = cluster.holdfast("backup", "--json")
            docker.ask("network", "disconnect", "bridge", container.name)
            not_at_all = cluster.holdfast("backup", "--json")
    finally:
        socket.unlink()
        if made:
            folder.rmdir()

    assert over_its_address.returncode == 0, over_its_address.stderr
    assert "Debian" in over_its_address.json["backup"]["server_version"]
    assert not_at_all.returncode == 3
    assert "neither its socket nor its address" in not_at_all.json["reason"]
