"""The hosts of a Molecule scenario: what its assertions ask of them, and playbooks that run against them."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import testinfra
import yaml

from tests.support.clusters import CHECKOUT
from tests.support.playbooks import Inventory

SSH_CONFIG = CHECKOUT / ".cache" / "lab" / "ssh_config"


class Vaulted(str):
    """What `ansible-vault` wrote, for an inventory."""


yaml.SafeDumper.add_representer(Vaulted, lambda dumper, text: dumper.represent_scalar("!vault", str(text), style="|"))


@dataclass(frozen=True)
class Cluster:
    """A cluster in a compose project on a host.

    :param host: testinfra's connection to the machine.
    """

    host: Any
    name: str
    machine: str
    project: str
    major: int

    @classmethod
    def of(cls, host: Any) -> Cluster:
        """What the inventory says of the host that testinfra is at."""
        known = host.ansible.get_variables()
        image = known.get("holdfast_image", ":0")
        return cls(
            host,
            known["inventory_hostname"],
            known["ansible_host"],
            known["holdfast_project"],
            int(image.rpartition(":")[2].partition("-")[0].partition(".")[0]),
        )

    @property
    def container(self) -> str:
        """The id of the database's container; there must be exactly one, running or not."""
        labels = {"project": self.project, "service": "db"}
        filters = " ".join(f"--filter label=com.docker.compose.{key}={value}" for key, value in labels.items())
        (found,) = self.host.check_output(f"docker ps --all --quiet --no-trunc {filters}").split()
        return str(found)

    def facts(self) -> dict[str, Any]:
        """What the engine says of the container."""
        (found,) = json.loads(self.host.check_output("docker container inspect %s", self.container))
        return dict(found)

    def identity(self) -> tuple[str, str]:
        """What changes when somebody restarts or replaces the container."""
        facts = self.facts()
        return facts["Id"], facts["State"]["StartedAt"]

    def volumes(self) -> list[str]:
        """All volumes of the machine's engine."""
        return sorted(self.host.check_output("docker volume ls --quiet").split())

    def query(self, sql: str, database: str = "postgres") -> str:
        """The answer of the server, unaligned, by its own psql; waits until it takes connections."""
        psql = shlex.join(["psql", "-XAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-c", sql])
        wait = "until pg_isready -q -h 127.0.0.1; do sleep 0.2; done"
        script = f"timeout 60 sh -c {shlex.quote(wait)} && {psql}"
        return str(self.host.check_output("docker exec -u postgres %s sh -c %s", self.container, script)).strip()

    def holdfast(self, *arguments: str) -> Any:
        """The program, as cron runs it. Returns what testinfra says of the run."""
        return _program(self.host, "root", self.name, arguments)

    def compose(self, *arguments: str) -> str:
        """Compose of the machine, in the project's directory, as a person would call it."""
        found = self.host.run("docker compose version").rc == 0
        program = ["docker", "compose"] if found else ["docker-compose"]
        return str(self.host.check_output(f"cd /srv/{self.project} && {shlex.join([*program, *arguments])}"))


@dataclass(frozen=True)
class Server:
    """A server that Holdfast has not put into a container: an adopted one, or one of the distribution's packages.

    :param account: whose backups they are.
    :param psql: the command by which a person reaches it.
    """

    host: Any
    name: str
    machine: str
    account: str
    psql: str

    @classmethod
    def of(cls, host: Any) -> Server:
        """What the inventory says of the host that testinfra is at."""
        known = host.ansible.get_variables()
        usual = "postgres" if known.get("holdfast_access", {}).get("kind") == "host" else "root"
        account = known.get("holdfast_account", usual)
        return cls(host, known["inventory_hostname"], known["ansible_host"], account, known["lab_psql"])

    def query(self, sql: str, database: str = "postgres") -> str:
        """The answer of the server, unaligned."""
        words = [*shlex.split(self.psql), "-XAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]
        return str(self.host.check_output(f"cd / && {shlex.join(words)}")).strip()

    def holdfast(self, *arguments: str) -> Any:
        """The program, as cron runs it. Returns what testinfra says of the run."""
        return _program(self.host, self.account, self.name, arguments)

    def reported(self, *arguments: str) -> dict[str, Any]:
        """What the program says as JSON, if it succeeds."""
        done = self.holdfast(*arguments, "--json", "--quiet")
        assert done.rc == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout))


def _program(host: Any, account: str, cluster: str, arguments: Sequence[str]) -> Any:
    """Runs the program with an empty environment, as an account of the host that is not logged in."""
    words = ["runuser", "-u", account, "--", "env", "-i", "/usr/local/bin/holdfast"]
    return host.run(shlex.join([*words, arguments[0], "--cluster", cluster, *arguments[1:]]))


def host_of(scenario: str, name: str) -> Any:
    """Testinfra's connection to one host of a scenario, for tests that are not about all of them."""
    known = CHECKOUT / "molecule" / scenario / "inventory" / "hosts.yml"
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=str(known), ssh_config=str(SSH_CONFIG))


def inventory_of(scenario: str) -> dict[str, dict[str, Any]]:
    """The hosts of a scenario's inventory with all their variables, for a test to change."""
    path = CHECKOUT / "molecule" / scenario / "inventory" / "hosts.yml"
    asked = subprocess.run(
        [sys.executable, "-m", "ansible", "inventory", "--inventory", str(path), "--list"],
        capture_output=True,
        check=True,
        cwd=CHECKOUT,
    )
    hosts: dict[str, dict[str, Any]] = json.loads(asked.stdout)["_meta"]["hostvars"]
    return hosts


def inventory(directory: Path, hosts: Mapping[str, Any]) -> Inventory:
    """Writes an inventory of the lab's hosts."""
    path = directory / "hosts.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": dict(hosts)}}), encoding="utf-8")
    return Inventory(path, directory, {"ANSIBLE_SSH_COMMON_ARGS": f"-F {SSH_CONFIG}"})


def lab(*arguments: str) -> str:
    """One command of the lab, such as `lab("host", "default-trixie", "--reboot")`."""
    command: Sequence[str] = [sys.executable, str(CHECKOUT / "tools" / "lab.py"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
