"""PostgreSQL servers in containers, as a stock image runs them: a named volume, and no published port."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.support.clusters import CHECKOUT, Cluster, create
from tests.support.needs import lacking
from tests.support.servers import Server

IMAGE = "holdfast-lab/postgres:17"
PASSWORD = "container's own"
# `tools/lab.py down` removes whatever has it, should a test be killed.
LAB = "holdfast.lab=1"
TOOLS = "io.holdfast.tools-of"
_CANNOT_HERE = 3
_READY_SECONDS = 60
_CAP_SYS_RESOURCE = 1 << 24


@dataclass(frozen=True)
class Engine:
    """A container engine that can run the image of the lab."""

    name: str
    image: str
    env: Mapping[str, str] = field(default_factory=dict)

    def ask(self, *arguments: str, check: bool = True) -> str:
        """The standard output of one command of the engine."""
        done = subprocess.run(
            [self.name, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name} {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def everything(self) -> dict[str, set[str]]:
        """The tool containers, volumes (anonymous ones too) and networks that this user has."""
        tools = ("--filter", f"label={TOOLS}")
        return {
            "containers": set(self.ask("ps", "--all", "--quiet", "--no-trunc", *tools).split()),
            # What the lab has made for itself meanwhile, such as the volumes of a host, is nobody's leftover.
            "volumes": set(self.ask("volume", "ls", "--quiet").split())
            - set(self.ask("volume", "ls", "--quiet", "--filter", f"label={LAB}").split()),
            "networks": set(self.ask("network", "ls", "--quiet").split()),
        }

    def more_than(self, before: Mapping[str, set[str]]) -> dict[str, set[str]]:
        """What has come since `everything` was called and is still there; nothing is an empty mapping."""
        more = {kind: found - before[kind] for kind, found in self.everything().items()}
        return {kind: found for kind, found in more.items() if found}


@dataclass(frozen=True)
class ContainerServer(Server):
    """A server that may want its password from the test too."""

    def connect(self, dbname: str = "postgres", **parameters: Any) -> psycopg.Connection[Any]:
        return super().connect(dbname, **{"password": self.password, **parameters})


@dataclass(frozen=True)
class Container:
    """A server's container."""

    engine: Engine
    name: str

    def facts(self) -> dict[str, Any]:
        """What the engine says of it."""
        inspected: list[dict[str, Any]] = json.loads(self.engine.ask("container", "inspect", self.name))
        return inspected[0]

    def identity(self) -> dict[str, Any]:
        """What changes when somebody restarts it, replaces it or enters it."""
        facts = self.facts()
        return {
            "id": facts["Id"],
            "started": facts["State"]["StartedAt"],
            "pid": facts["State"]["Pid"],
            "restarts": facts["RestartCount"],
            "entered": facts.get("ExecIDs") or [],
        }

    def tools(self) -> list[str]:
        """The ids of the tool containers that are in this container's network, running or not."""
        found = self.engine.ask("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={TOOLS}").split()
        inspected = json.loads(self.engine.ask("container", "inspect", *found)) if found else []
        network = f"container:{self.facts()['Id']}"
        return [one["Id"] for one in inspected if one["HostConfig"]["NetworkMode"] == network]

    @property
    def server(self) -> Server:
        """The server, by its socket, without entering the container."""
        sockets = Path(f"/proc/{self.facts()['State']['Pid']}/root/run/postgresql")
        return ContainerServer(
            directory=Path("/nonexistent"),
            bin_dir=Path("/nonexistent"),
            socket_dir=sockets,
            port=5432,
            version="17",
            password=PASSWORD,
        )

    def cluster(self, directory: Path, name: str = "shop", **access: str) -> Cluster:
        """A cluster that reaches this container by its name, or as `access` says."""
        cluster = create(self.server, directory, name, initialised=False, backup={"jobs": 2})
        where = access if "project" in access else {"container": self.name, **access}
        config = {**cluster.config(), "access": {"kind": "container", "engine": self.engine.name, **where}}
        cluster.config_file.write_text(json.dumps(config), encoding="utf-8")
        return ContainerCluster(**{**cluster.__dict__, "engine": self.engine})


@dataclass(frozen=True)
class ContainerCluster(Cluster):
    """A cluster whose programs are told where the engine is."""

    engine: Engine = field(kw_only=True)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return super().environment({**self.engine.env, **(extra or {})})


def docker() -> Engine:
    """Docker, with the image; skips the test where none answers, or where the image cannot be had."""
    answer = shutil.which("docker") and subprocess.run(["docker", "version"], capture_output=True, check=False)
    if not answer or answer.returncode != 0:
        lacking("no Docker engine answers (python3 tools/lab.py engine starts one, as root)")
    if os.geteuid() != 0:
        lacking("only root may look into the containers of docker")
    lab = [sys.executable, str(CHECKOUT / "tools" / "lab.py"), "image", "postgres:17"]
    done = subprocess.run(lab, capture_output=True, text=True, check=False)
    if done.returncode == _CANNOT_HERE:
        lacking(f"the image cannot be had: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return Engine("docker", IMAGE)


def compose() -> tuple[str, ...]:
    """Compose as this machine has it; skips the test where there is none."""
    plugin = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True, check=False)
    if re.match(r"v?\d", plugin.stdout):
        return ("docker", "compose")
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    lacking("there is no compose (install docker-compose)")


def podman(directory: Path) -> Engine:
    """Podman (rootless, where the tests run as an ordinary user), with the image; skips where there is none."""
    program = shutil.which("podman")
    if program is None:
        lacking("podman is not installed")
    env = {}
    if os.geteuid() != 0:  # where rootless podman keeps what is the user's
        env = {name: os.environ[name] for name in ("HOME", "XDG_RUNTIME_DIR") if name in os.environ}
    elif not _may_raise_limits():
        env["PATH"] = f"{_podman_with_lower_limits(directory, program)}:/usr/bin:/bin"
    engine = Engine("podman", f"localhost/{IMAGE}", env)
    _sweep_groups(engine)
    if not engine.ask("images", "--quiet", engine.image):
        saved = subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        loaded = subprocess.run(
            [program, "load"], stdin=saved.stdout, env={**os.environ, **env}, capture_output=True, check=False
        )
        if saved.wait() != 0 or loaded.returncode != 0:
            lacking(f"podman has no {engine.image}, and docker has none to give")
    return engine


def _sweep_groups(engine: Engine) -> None:
    """Remove what podman leaves of its containers where a controller is no mount but a directory in memory.

    Such a file system has a thousand inodes, and six of them stay of each container. Source: cgroups(7), "Cgroups version 1".
    """
    root = Path("/sys/fs/cgroup")
    alive = set(engine.ask("ps", "--all", "--quiet", "--no-trunc", check=False).split())
    for path in root.glob("*/libpod_parent/libpod-*"):
        known = path.name.removeprefix("libpod-").removeprefix("conmon-")
        if path.stat().st_dev == root.stat().st_dev and known not in alive:
            # rmdir of a group ends it; the kernel's own files in it cannot be removed, and go with it.
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def running(
    engine: Engine, name: str, *options: str, arguments: tuple[str, ...] = (), data: tuple[str, ...] | None = None
) -> Iterator[Container]:
    """Runs a new server in a container with a named volume; both are gone afterwards.

    `data` are the options that say where its data lie, instead of that volume.
    """
    volume = f"{name}-data"
    container = Container(engine, name)
    engine.ask("volume", "create", "--label", LAB, volume)
    try:
        engine.ask(
            "run", "--detach", "--name", name, "--label", LAB, "--env", f"POSTGRES_PASSWORD={PASSWORD}",
            *(("--volume", f"{volume}:/var/lib/postgresql/data") if data is None else data), *options, engine.image,
            *(arguments or ("postgres", "-c", "fsync=off")),
        )  # fmt: skip
        wait_until_ready(container)
        yield container
    finally:
        engine.ask("rm", "--force", "--volumes", name, check=False)
        engine.ask("volume", "rm", "--force", volume, check=False)


def wait_until_ready(container: Container) -> None:
    """Waits for the line that the server writes when it is up for good; before that it starts once in private."""
    deadline = time.monotonic() + _READY_SECONDS
    process = ["logs", container.name]
    while True:
        done = subprocess.run(
            [container.engine.name, *process],
            capture_output=True,
            text=True,
            env={**os.environ, **container.engine.env},
            check=False,
        )
        log = done.stdout + done.stderr
        _, initialised, since = log.rpartition("init process complete")
        if initialised and "ready to accept connections" in since:
            return
        assert time.monotonic() < deadline, log
        time.sleep(0.1)


def wait_until_it_answers(container: Container | Any) -> None:
    """Waits for a server that was started again.

    `container` is whatever has a `server`: it lies elsewhere after each start.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            container.server.query("SELECT 1")
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def fill(server: Server, database: str, rows: int = 2000) -> None:
    """Creates a database with a table, its rows, a sequence and a large object."""
    server.create_database(database)
    with server.connect(database) as connection:
        connection.execute(
            "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item text, raw bytea)"
        )
        connection.execute(
            "INSERT INTO orders (item, raw) SELECT md5(i::text), decode(md5(i::text), 'hex')"
            " FROM generate_series(1, %s) i", [rows],
        )  # fmt: skip
        connection.execute("SELECT lo_from_bytea(0, 'a large object')")


def rows(server: Server, database: str) -> int:
    """How many rows the table of `fill` has."""
    return int(server.query("SELECT count(*) FROM orders", database)[0][0])


@contextmanager
def locked(server: Server, database: str, table: str = "orders") -> Iterator[None]:
    """Holds a lock on a table that no other session gets past."""
    with server.connect(database, options="-c lock_timeout=10s") as connection, connection.transaction():
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


@contextmanager
def backup_that_hangs(cluster: Cluster, server: Server, database: str) -> Iterator[subprocess.Popen[str]]:
    """A backup whose pg_dump has begun and waits; it goes on when the block ends, and has ended after that."""
    # Only pg_dump looks into this table, so all that comes before a dump has been done.
    with locked(server, database, "pg_catalog.pg_transform"):
        process = subprocess.Popen(
            cluster.command("backup", "--database", database),
            env=cluster.environment(),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            _wait_until_it_hangs(server, process)
            yield process
        except BaseException:
            process.terminate()
            raise
    process.communicate(timeout=60)


def _wait_until_it_hangs(server: Server, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump' AND wait_event_type = 'Lock'"
    while server.query(waiting)[0][0] == 0:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no dump waits for the lock"
        time.sleep(0.1)


def _may_raise_limits() -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    capabilities = next(line for line in status.splitlines() if line.startswith("CapEff"))
    return bool(int(capabilities.split()[1], 16) & _CAP_SYS_RESOURCE)


def _podman_with_lower_limits(directory: Path, program: str) -> Path:
    """A directory with a podman that asks for no more files and processes than this machine may have."""
    directory.mkdir()
    settings = directory / "containers.conf"
    settings.write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=8192:8192"]\n')
    wrapper = directory / "podman"
    wrapper.write_text(f'#!/bin/sh\nCONTAINERS_CONF={settings} exec {program} "$@"\n')
    wrapper.chmod(0o755)
    return directory
