"""Real runs of ansible-playbook against an inventory of this machine alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.clusters import CHECKOUT


@dataclass(frozen=True)
class Play:
    """How a run ended, and all that it said."""

    returncode: int
    said: str

    def require_success(self) -> Play:
        """The run itself, if it succeeded; else everything it said is shown."""
        assert self.returncode == 0, self.said
        return self

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """The last lines, by host: {"shop": {"ok": 3, "changed": 1, …}}."""
        lines = self.said.rpartition("PLAY RECAP")[2].splitlines()[1:]
        parts = (line.split(":", 1) for line in lines if ":" in line)
        return {
            host.strip(): {key: int(value) for key, value in (pair.split("=") for pair in counts.split())}
            for host, counts in parts
        }


@dataclass(frozen=True)
class Inventory:
    """An inventory file.

    :param home: where the run may keep what Ansible remembers of a user.
    :param environment: what the run is told besides the checkout's own settings.
    """

    path: Path
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def play(self, playbook: str | Path, *arguments: str, **variables: Any) -> Play:
        """Runs a playbook, named from the top of the checkout, with the checkout's own settings."""
        done = subprocess.run(**self.process(playbook, arguments, variables), text=True, check=False)
        return Play(done.returncode, done.stdout)

    def kill(self, seconds: float, playbook: str | Path, *arguments: str, **variables: Any) -> bool:
        """Runs a playbook and kills it after that time; whether it was still running."""
        try:
            subprocess.run(**self.process(playbook, arguments, variables), timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return True
        return False

    def process(self, playbook: str | Path, arguments: Sequence[str], variables: Mapping[str, Any]) -> dict[str, Any]:
        """What `subprocess` is told to run a playbook."""
        command = [sys.executable, "-m", "ansible", "playbook", "--inventory", str(self.path)]
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.home),
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
            **self.environment,
        }
        return {
            "args": [*command, str(CHECKOUT / playbook), "--extra-vars", json.dumps(variables), *arguments],
            "cwd": CHECKOUT,
            "env": environment,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
        }


def inventory(directory: Path, hosts: Mapping[str, Any], **variables: Any) -> Inventory:
    """Writes an inventory whose hosts are all this machine."""
    common = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "holdfast_become": False,
        "holdfast_install_packages": False,
        "holdfast_install_program": False,
    }
    path = directory / "hosts.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": dict(hosts), "vars": {**common, **variables}}}), encoding="utf-8")
    return Inventory(path, directory)
