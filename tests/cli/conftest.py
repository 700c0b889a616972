"""What the tests of the command line share: the built program, and a cluster that has one small database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.clusters import CHECKOUT, Cluster, Run
from tests.support.servers import Server

CRON = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one file that hosts get."""
    target = tmp_path_factory.mktemp("dist") / "holdfast"
    builder = CHECKOUT / "tools" / "build_zipapp.py"
    subprocess.run([sys.executable, str(builder), str(target)], check=True, capture_output=True)
    return target


@pytest.fixture
def shop(server18: Server, cluster: Callable[..., Cluster], new_database: Callable[..., str]) -> Cluster:
    """A cluster of which one small database is backed up."""
    name = new_database(server18)
    server18.query("CREATE TABLE orders AS SELECT i AS id, md5(i::text) AS item FROM generate_series(1, 500) i", name)
    return cluster(server18, backup={"databases": [name], "jobs": 1})


@pytest.fixture
def database(shop: Cluster) -> str:
    """The name of that database."""
    name: str = shop.config()["backup"]["databases"][0]
    return name


@pytest.fixture
def holdfast(program: Path, shop: Cluster) -> Callable[..., Run]:
    """Runs the built program as cron does: no HOME, no terminal, next to no PATH."""

    def run(*arguments: str, env: Mapping[str, str] | None = None, check: bool = False) -> Run:
        done = subprocess.run(
            [sys.executable, str(program), *arguments],
            env={**CRON, "HOLDFAST_CONFIG_DIR": str(shop.config_dir), **(env or {})},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return Run(done.returncode, done.stdout, done.stderr)

    return run
