# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard says what compose would do to the database, before anybody lets it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.config import load
from holdfast.errors import GuardError
from holdfast.operations.guard import guard
from holdfast.operations.guard_survey import Candidate, GuardRequest
from holdfast.system import System
from tests.support import containers
from tests.support.clusters import Cluster, create
from tests.support.containers import IMAGE, LAB, PASSWORD, Container, Engine
from tests.support.guarded import Guarded, guarded
from tests.support.servers import Server

RUN = f"holdfast-test-compose-{os.getpid()}"
DATA = "/var/lib/postgresql/data"
OURS = "io.holdfast.cluster"
NOWHERE = Server(Path("/nonexistent"), Path("/nonexistent"), Path("/nonexistent"), 5432, "17")


def compose_file(name: str, volume: str | None = None, cluster: str | None = "shop", **service: Any) -> dict[str, Any]:
    """A compose file as a user would write it; its secret's file does not have to exist to be judged."""
    labels = {"holdfast.lab": "1", **({OURS: cluster} if cluster else {})}
    return {
        "services": {
            "db": {
                "image": IMAGE,
                "container_name": name,
                "network_mode": "none",
                "labels": labels,
                "environment": {"POSTGRES_PASSWORD": PASSWORD},
                "volumes": [f"postgres_data:{DATA}"],
                **service,
            }
        },
        "volumes": {"postgres_data": {"name": volume or f"{name}-data", "external": True}},
    }


@dataclass(frozen=True)
class Project:
    """A compose project with a volume that is not its own."""

    engine: Engine
    compose: tuple[str, ...]
    name: str
    directory: Path

    @property
    def container(self) -> Container:
        return Container(self.engine, self.name)

    @property
    def file(self) -> Path:
        return self.directory / "compose.yml"

    def write(self, content: dict[str, Any]) -> None:
        self.file.write_text(yaml.safe_dump(content))

    def run(self, *arguments: str) -> None:
        where = ("--project-name", self.name, "--file", str(self.file))
        done = subprocess.run([*self.compose, *where, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def cluster(self, directory: Path, name: str = "shop", **guard_policy: Any) -> Cluster:
        """A cluster that means this project, whether it exists or not."""
        cluster = create(NOWHERE, directory, name, initialised=False, guard=guard_policy)
        access = {"kind": "container", "project": self.name, "service": "db"}
        cluster.config_file.write_text(json.dumps({**cluster.config(), "access": access}))
        return cluster

    def candidate(self, content: dict[str, Any] | str, **more: Any) -> Candidate:
        """A file for this project, as YAML or as what it says."""
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        return replace(Candidate(text, self.name, "db", str(self.directory), f"{self.name}-data"), **more)


@pytest.fixture(scope="module")
def docker() -> Engine:
    return containers.docker()


@pytest.fixture(scope="module")
def compose(docker: Engine) -> tuple[str, ...]:
    """Compose as this machine has it."""
    return containers.compose()


@contextmanager
def volume(docker: Engine, name: str, *labels: str) -> Iterator[Path]:
    """A volume; its place on this machine."""
    options = [part for label in (LAB, *labels) for part in ("--label", label)]
    docker.ask("volume", "create", *options, name)
    try:
        yield Path(docker.ask("volume", "inspect", "--format", "{{.Mountpoint}}", name).strip())
    finally:
        docker.ask("volume", "rm", "--force", name)


@contextmanager
def project(docker: Engine, compose: tuple[str, ...], directory: Path, name: str, **content: Any) -> Iterator[Project]:
    """A running project."""
    with volume(docker, f"{name}-data", *([f"{OURS}=shop"] if content.get("cluster", "shop") else [])):
        started = Project(docker, compose, name, directory)
        started.write(compose_file(name, **content))
        try:
            started.run("up", "--detach")
            containers.wait_until_ready(started.container)
            yield started
        finally:
            docker.ask("rm", "--force", "--volumes", name, check=False)


@pytest.fixture(scope="module")
def managed(docker: Engine, compose: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that Holdfast has made, for cluster shop."""
    with project(docker, compose, tmp_path_factory.mktemp("managed"), f"{RUN}-shop") as started:
        yield started


@pytest.fixture(scope="module")
def adopted(docker: Engine, compose: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that somebody else has made."""
    with project(docker, compose, tmp_path_factory.mktemp("adopted"), f"{RUN}-own", cluster=None) as started:
        yield started


@pytest.fixture
def fresh(docker: Engine, compose: tuple[str, ...], tmp_path: Path) -> Project:
    """A project that does not exist yet, nor does its directory."""
    return Project(docker, compose, f"{RUN}-new", tmp_path / "not" / "yet")


@pytest.fixture(autouse=True)
def untouched(docker: Engine) -> Iterator[None]:
    """Whatever is judged, nothing of these projects comes or goes."""

    def everything() -> list[str]:
        kinds = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        return [docker.ask(*kind, "--quiet", "--filter", f"name={RUN}") for kind in kinds]

    before = everything()
    yield
    assert everything() == before


def judged(cluster: Cluster, candidate: Candidate) -> Guarded:
    """What the guard says of a file that is not in place yet."""
    try:
        found = guard(load(cluster.name, str(cluster.config_dir)), GuardRequest(candidate), System())
    except GuardError as error:
        return Guarded(error.details, error.exit_code, str(error))
    return Guarded(found, 0, "")


def test_files_that_say_what_runs_would_change_nothing(managed: Project, tmp_path: Path) -> None:
    found = guarded(managed.cluster(tmp_path))
    assert found.errors == set()
    assert found.result["compose"] == {
        "action": "none",
        "reasons": [],
        "moves_data": False,
        "adopted": False,
        "managed": True,
    }


@pytest.mark.parametrize(("level", "result"), [("error", "error"), ("warning", "warning"), ("ignore", "ok")])
def test_files_that_would_recreate_the_database_weigh_what_the_policy_says(
    adopted: Project, tmp_path: Path, level: str, result: str
) -> None:
    kept = adopted.file.read_text()
    adopted.write(compose_file(adopted.name, cluster=None, shm_size="96m"))
    try:
        found = guarded(adopted.cluster(tmp_path, compose=level))
    finally:
        adopted.file.write_text(kept)

    assert found.check("compose")[0] == result
    assert "'up' would recreate the database's container" in found.check("compose")[1]
    assert found.result["compose"]["action"] == "recreate"
    assert found.result["compose"]["adopted"]


def test_files_that_name_another_volume_would_give_an_empty_database(adopted: Project, tmp_path: Path) -> None:
    other = tmp_path / "other.yml"
    other.write_text(yaml.safe_dump(compose_file(adopted.name, volume=f"{RUN}-elsewhere", cluster=None)))
    cluster = adopted.cluster(tmp_path)

    found = guarded(cluster, "--compose-file", str(other))

    assert found.errors == {"compose"}
    assert f"volume {RUN}-elsewhere instead of volume {adopted.name}-data: an empty database" in found.said
    assert guarded(cluster).errors == set()


def test_files_that_are_gone_are_a_warning(adopted: Project, tmp_path: Path) -> None:
    moved = adopted.file.rename(adopted.file.with_suffix(".moved"))
    try:
        found = guarded(adopted.cluster(tmp_path))
    finally:
        moved.rename(adopted.file)
    assert found.check("compose")[0] == "warning"
    assert f"{adopted.file} is not there" in found.check("compose")[1]


def test_a_candidate_that_is_what_runs_changes_nothing(managed: Project, tmp_path: Path) -> None:
    found = judged(managed.cluster(tmp_path), managed.candidate(compose_file(managed.name)))
    assert found.errors == set()
    assert found.result["compose"]["action"] == "none"
    assert found.check("target")[0] == "ok"


def test_a_candidate_that_would_recreate_the_database_needs_to_be_allowed(managed: Project, tmp_path: Path) -> None:
    changed = compose_file(managed.name, shm_size="96m")
    cluster = managed.cluster(tmp_path)

    refused = judged(cluster, managed.candidate(changed))
    allowed = judged(cluster, managed.candidate(changed, recreate=True))

    assert refused.errors == {"compose"}
    assert "which nobody has allowed" in refused.said
    assert allowed.errors == set()
    assert allowed.result["compose"]["action"] == refused.result["compose"]["action"] == "recreate"


def test_a_candidate_with_another_image_says_so(managed: Project, docker: Engine, tmp_path: Path) -> None:
    changed = compose_file(managed.name, image="postgres:17.999")
    found = judged(managed.cluster(tmp_path), managed.candidate(changed))
    assert found.errors == {"compose"}
    assert "image postgres:17.999 is not on this host" in found.said


def test_a_candidate_of_another_major_version_does_not_fit_the_volume(managed: Project, tmp_path: Path) -> None:
    changed = compose_file(managed.name, image="postgres:16")
    found = judged(managed.cluster(tmp_path), managed.candidate(changed, recreate=True))
    assert found.errors == {"version"}
    assert "holds data of PostgreSQL 17, the image is of 16" in found.said


def test_a_candidate_with_another_volume_is_refused_even_if_it_may_recreate(
    managed: Project, docker: Engine, tmp_path: Path
) -> None:
    with volume(docker, f"{RUN}-empty"):
        changed = compose_file(managed.name, volume=f"{RUN}-empty")
        candidate = managed.candidate(changed, recreate=True, volume=f"{RUN}-empty")
        found = judged(managed.cluster(tmp_path), candidate)

    assert found.errors == {"compose", "volume"}
    assert f"it would put the data on volume {RUN}-empty, but they are on volume {managed.name}-data" in found.said


def test_a_stopped_database_would_be_started(managed: Project, tmp_path: Path) -> None:
    managed.engine.ask("stop", managed.name)
    try:
        found = judged(managed.cluster(tmp_path), managed.candidate(compose_file(managed.name)))
    finally:
        managed.engine.ask("start", managed.name)
        containers.wait_until_it_answers(managed.container)
    assert found.errors == set()
    assert found.check("server")[0] == "warning"
    assert found.result["compose"]["action"] == "start"


def test_a_candidate_is_not_for_a_container_that_somebody_else_has_made(adopted: Project, tmp_path: Path) -> None:
    candidate = adopted.candidate(compose_file(adopted.name, volume="another", shm_size="96m"), volume="another")
    found = judged(adopted.cluster(tmp_path), candidate)
    assert found.errors == set()
    assert found.result["compose"] == {
        "action": "none",
        "reasons": [],
        "moves_data": False,
        "adopted": True,
        "managed": False,
    }
    assert found.result["volume"]["name"] == f"{adopted.name}-data"


def test_a_container_of_another_cluster_is_refused(managed: Project, tmp_path: Path) -> None:
    cluster = managed.cluster(tmp_path, "billing")
    candidate = managed.candidate(compose_file(managed.name, cluster="billing"))
    found = judged(cluster, candidate)
    assert {"container", "volume"} <= found.errors
    assert "labelled for cluster shop" in found.said


def test_a_new_database_would_be_created(fresh: Project, tmp_path: Path) -> None:
    content = compose_file(fresh.name, secrets=["password"])
    content["secrets"] = {"password": {"file": "/nonexistent/password"}}
    found = judged(fresh.cluster(tmp_path, "new", volume=None), fresh.candidate(content))
    assert found.errors == set()
    assert found.result["compose"]["action"] == "create"
    assert not found.result["volume"]["exists"]
    assert not fresh.directory.exists()


def test_a_misspelt_volume_is_refused_where_the_cluster_has_one(
    managed: Project, fresh: Project, docker: Engine, tmp_path: Path
) -> None:
    typo = f"{managed.name}-dtaa"
    candidate = fresh.candidate(compose_file(fresh.name, volume=typo), volume=typo)
    missing = judged(fresh.cluster(tmp_path), candidate)
    with volume(docker, typo):
        empty = judged(fresh.cluster(tmp_path), candidate)

    assert missing.errors == empty.errors == {"volume"}
    assert f"volume {typo} does not exist, but {managed.name}-data is labelled for cluster shop" in missing.said
    assert f"Did you mean {managed.name}-data?" in missing.said
    assert f"volume {typo} is empty" in empty.said


def test_a_volume_other_than_the_one_that_the_host_is_configured_for_is_refused(fresh: Project, tmp_path: Path) -> None:
    found = judged(fresh.cluster(tmp_path, "new", volume="the_old_one"), fresh.candidate(compose_file(fresh.name)))
    assert "compose" in found.errors
    assert "is configured for the_old_one" in found.said


def test_a_volume_that_another_container_uses_is_refused(managed: Project, fresh: Project, tmp_path: Path) -> None:
    name = f"{managed.name}-data"
    found = judged(fresh.cluster(tmp_path), fresh.candidate(compose_file(fresh.name, volume=name), volume=name))
    assert found.errors == {"users"}
    assert managed.name in found.check("users")[1]


@pytest.mark.parametrize(
    ("service", "where"),
    [
        ({"environment": {"PGDATA": "/srv/pg"}}, "the container's own layer"),
        ({"environment": {"PGDATA": f"{DATA}2/pg"}}, "the container's own layer"),
        ({"volumes": []}, "a new, anonymous volume"),
        ({"volumes": [DATA]}, "a new, anonymous volume"),
        ({"volumes": ["postgres_data:/var/lib/postgresql"]}, "a new, anonymous volume"),
        ({"volumes": [f"/srv/pg:{DATA}"]}, "/srv/pg"),
        ({"tmpfs": [f"{DATA}:size=64m"], "volumes": []}, "a tmpfs"),
        ({"image": "postgres:18"}, "a new, anonymous volume"),
    ],
)
def test_a_candidate_whose_data_would_miss_the_volume_is_refused(
    fresh: Project, docker: Engine, tmp_path: Path, service: dict[str, Any], where: str
) -> None:
    with volume(docker, f"{fresh.name}-data", f"{OURS}=new"):
        found = judged(fresh.cluster(tmp_path, "new"), fresh.candidate(compose_file(fresh.name, **service)))
    assert found.errors == {"target"}
    assert f"would lie on {where}, not on {fresh.name}-data" in found.said


def test_a_volume_in_memory_is_refused(fresh: Project, docker: Engine, tmp_path: Path) -> None:
    content = compose_file(fresh.name)
    content["volumes"]["postgres_data"] = {
        "name": f"{fresh.name}-data", "driver_opts": {"type": "tmpfs", "device": "tmpfs"},
    }  # fmt: skip
    found = judged(fresh.cluster(tmp_path, "new"), fresh.candidate(content))
    assert "target" in found.errors
    assert "would lie on a tmpfs" in found.said


@pytest.mark.parametrize(
    ("place", "service", "errors"),
    [
        (".", {}, set()),
        (".", {"environment": {"PGDATA": f"{DATA}/pg"}}, {"target"}),
        ("pg", {}, {"target"}),
        ("pg", {"environment": {"PGDATA": f"{DATA}/pg"}}, set()),
        (".", {"image": "postgres:18", "volumes": ["postgres_data:/var/lib/postgresql"]}, {"target"}),
    ],
)
def test_a_volume_whose_data_the_server_would_not_find_is_refused(
    fresh: Project, docker: Engine, tmp_path: Path, place: str, service: dict[str, Any], errors: set[str]
) -> None:
    with volume(docker, f"{fresh.name}-data", f"{OURS}=new") as mountpoint:
        (mountpoint / place / "global").mkdir(parents=True)
        (mountpoint / place / "PG_VERSION").write_text("17\n")
        found = judged(fresh.cluster(tmp_path, "new"), fresh.candidate(compose_file(fresh.name, **service)))
    assert found.errors == errors


@pytest.mark.parametrize(
    ("content", "told"),
    [("services: [", "compose"), ("services: {web: {image: x}}", "it has no service db, only: web")],
)
def test_a_candidate_that_compose_does_not_take_is_refused(
    fresh: Project, tmp_path: Path, content: str, told: str
) -> None:
    found = judged(fresh.cluster(tmp_path, "new"), fresh.candidate(content))
    assert found.errors == {"compose"}
    assert told in found.said


def test_many_volumes_of_one_cluster_do_not_confuse_it(managed: Project, docker: Engine, tmp_path: Path) -> None:
    with ExitStack() as stack:
        for number in range(2):
            stack.enter_context(volume(docker, f"{RUN}-aside-{number}", f"{OURS}=shop"))
        found = judged(managed.cluster(tmp_path), managed.candidate(compose_file(managed.name)))
    assert found.errors == set()
