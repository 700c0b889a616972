"""A cluster as Holdfast sees it: its configuration file, its repository, and the program to run."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.config import load
from holdfast.operations.context import initialise
from holdfast.system import System
from tests.support.servers import Server

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """How one run of the program ended."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The standard output of a run with `--json`."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise AssertionError(f"no JSON ({error}): {self.stdout!r}, {self.stderr!r}") from error


@dataclass(frozen=True)
class Cluster:
    """One configured cluster in a directory of its own."""

    name: str
    server: Server
    config_dir: Path
    repository: Path
    home: Path

    @property
    def config_file(self) -> Path:
        """The file that modules and the command line both read."""
        return self.config_dir / f"{self.name}.json"

    @property
    def backups(self) -> list[Path]:
        """The directories below `backups/`, oldest name first; partial ones too."""
        root = self.repository / "backups"
        return sorted(root.iterdir()) if root.exists() else []

    def config(self) -> dict[str, Any]:
        """The configuration as it is on disk."""
        loaded: dict[str, Any] = json.loads(self.config_file.read_text(encoding="utf-8"))
        return loaded

    def configure(self, **sections: Any) -> None:
        """Changes the configuration: a mapping is merged into its section, anything else replaces it."""
        changed = copy.deepcopy(self.config()) if self.config_file.exists() else {}
        for section, value in sections.items():
            if isinstance(value, Mapping) and isinstance(changed.get(section), dict):
                changed[section].update(value)
            else:
                changed[section] = value
        self.config_file.write_text(json.dumps(changed, indent=2), encoding="utf-8")

    def command(self, verb: str, *arguments: str) -> list[str]:
        """The argument list for one run: the zipapp that HOLDFAST_ZIPAPP names, or the checkout's core."""
        zipapp = os.environ.get("HOLDFAST_ZIPAPP")
        program = [zipapp] if zipapp else ["-m", "holdfast"]
        where = ["--cluster", self.name, "--config-dir", str(self.config_dir)]
        return [sys.executable, *program, verb, *where, *arguments]

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """What cron gives a job, which is next to nothing."""
        base = {"PATH": "/usr/bin:/bin", "HOME": str(self.home)}
        if not os.environ.get("HOLDFAST_ZIPAPP"):
            base["PYTHONPATH"] = str(CHECKOUT / "module_utils")
        return {**base, **(extra or {})}

    def holdfast(self, verb: str, *arguments: str, env: Mapping[str, str] | None = None, check: bool = False) -> Run:
        """Runs `holdfast VERB --cluster NAME …` as cron would; `check` demands that it succeeds."""
        done = subprocess.run(
            self.command(verb, *arguments),
            cwd="/",
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"holdfast {verb} ended with {done.returncode}: {done.stderr}{done.stdout}")
        return Run(done.returncode, done.stdout, done.stderr)


def create(server: Server, directory: Path, name: str = "shop", initialised: bool = True, **sections: Any) -> Cluster:
    """Writes the configuration of a cluster for `server` below `directory`, and makes its repository.

    `sections` change it as `Cluster.configure` does, for example ``backup={"jobs": 1}``. With
    `initialised` False there is no repository yet, as before the first run of the agent role.
    """
    cluster = Cluster(
        name=name,
        server=server,
        config_dir=directory / "config",
        repository=directory / "repository" / name,
        home=directory / "home",
    )
    for path in (cluster.config_dir, cluster.home, cluster.repository.parent):
        path.mkdir(parents=True, exist_ok=True)
    cluster.configure(
        schema=1,
        cluster=name,
        repository=str(cluster.repository),
        state_dir=str(directory / "state"),
        access={
            "kind": "host",
            "host": str(server.socket_dir),
            "port": server.port,
            "user": server.user,
            "bin_dir": str(server.bin_dir),
            "database": "postgres",
        },
    )
    cluster.configure(**sections)
    if initialised:
        initialise(load(name, str(cluster.config_dir)), System())
    return cluster
