# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sample application on a host: its containers, its customers, and deployments of it by the playbook."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.hosts import Server, inventory, inventory_of
from tests.support.playbooks import Inventory, Play

PLAYBOOK = "playbooks/deploy.yml"
#: A load never runs longer, whatever becomes of the test.
LONGEST_LOAD = 300


@dataclass
class Load:
    """What the customers saw: filled in when they have gone."""

    seen: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Shop:
    """A shop on a machine of the scenario."""

    server: Server
    directory: str
    compose: str
    hosts: Inventory

    @property
    def host(self) -> Any:
        return self.server.host

    @property
    def file(self) -> str:
        return f"{self.directory}/compose.yml"

    def containers(self, service: str) -> list[dict[str, Any]]:
        """What the engine says of a service's containers, running or not, without those of `compose run`."""
        labels = {"project": "shop", "service": service, "oneoff": "False"}
        filters = " ".join(f"--filter label=com.docker.compose.{key}={value}" for key, value in labels.items())
        found = self.host.check_output(f"docker ps --all --quiet --no-trunc {filters}").split()
        return list(json.loads(self.host.check_output(f"docker container inspect {' '.join(found)}"))) if found else []

    def web(self) -> list[tuple[str, str, bool]]:
        """Id, tag and whether it runs, of each container of the application."""
        facts = self.containers("web")
        return sorted((one["Id"], one["Config"]["Image"].rpartition(":")[2], one["State"]["Running"]) for one in facts)

    def tags(self) -> list[str]:
        """The tags of the application's containers; all of them must run."""
        found = self.web()
        assert all(running for _id, _tag, running in found), found
        return [tag for _id, tag, _running in found]

    def identity(self) -> tuple[str, str, int, str]:
        """What changes when somebody restarts or replaces the database, or gives it another volume."""
        (facts,) = self.containers("db")
        return facts["Id"], facts["State"]["StartedAt"], facts["RestartCount"], json.dumps(facts["Mounts"])

    def deploy(self, *arguments: str, **variables: Any) -> Play:
        """Runs playbooks/deploy.yml for this shop alone."""
        return self.hosts.play(PLAYBOOK, "--limit", self.server.name, *arguments, **variables)

    @contextmanager
    def deploying(self, **variables: Any) -> Iterator[subprocess.Popen[str]]:
        """The same in the background, in a session of its own."""
        settings = self.hosts.process(PLAYBOOK, ["--limit", self.server.name], variables)
        command = settings.pop("args")
        with subprocess.Popen(command, text=True, start_new_session=True, **settings) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def records(self) -> list[dict[str, Any]]:
        """The records of deployments, newest first."""
        return list(self.server.reported("deployments")["deployments"])

    def wait_for(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 120) -> dict[str, Any]:
        """Waits until the newest record is as a test wants it."""
        until = time.monotonic() + seconds
        while True:
            records = self.records()
            if records and condition(records[0]):
                return records[0]
            assert time.monotonic() < until, records[:1]
            time.sleep(0.3)

    @contextmanager
    def customers(self, rate: int = 40) -> Iterator[Load]:
        """Constant reads and writes through the proxy, from the machine itself; bounded, and ended with the block."""
        report, stop, log = "/root/load.json", "/root/load.stop", "/root/load.log"
        load = f"load.py --seconds {LONGEST_LOAD} --rate {rate} --report {report} --stop-file {stop}"
        self.host.check_output(f"rm -f {report} {stop}; nohup setsid python3 /usr/local/bin/{load} >{log} 2>&1 &")
        time.sleep(2)
        seen = Load()
        try:
            yield seen
            time.sleep(2)
        finally:
            self.host.check_output(f"touch {stop}; timeout 30 sh -c 'until test -e {report}; do sleep 0.2; done'")
            seen.seen = json.loads(self.host.check_output(f"cat {report}"))

    def require_nothing_lost(self, load: Load, least: int = 300) -> None:
        """No request failed, and every order that was confirmed is in the database."""
        assert (load.seen["failed"], load.seen["failures"]) == (0, [])
        self.require_orders_kept(load, least)

    def require_orders_kept(self, load: Load, least: int = 300) -> None:
        """Every order that was confirmed is in the database."""
        seen = load.seen
        print({key: value for key, value in seen.items() if key != "acknowledged"}, len(seen["acknowledged"]))
        assert seen["requests"] >= least
        kept = set(self.server.query("SELECT key FROM orders WHERE key NOT LIKE 'yesterday-%'", "shop").split())
        assert set(seen["acknowledged"]) <= kept
        assert len(seen["acknowledged"]) > least / 3

    def require_nothing_left(self) -> None:
        """Nothing of a rehearsal, a migration or a tool is on the machine."""
        for label in ("io.holdfast.throwaway", "io.holdfast.migration-of", "io.holdfast.tools-of"):
            for kind in ("ps --all", "volume ls"):
                assert self.host.check_output(f"docker {kind} --quiet --filter label={label}") == ""

    @contextmanager
    def edited(self, old: str, new: str) -> Iterator[None]:
        """The compose file with one word changed."""
        self.host.check_output(f"cp -p {self.file} /root/compose.yml && sed -i 's|{old}|{new}|' {self.file}")
        try:
            yield
        finally:
            self.host.check_output(f"mv /root/compose.yml {self.file}")


def shop_of(host: Any, directory: Path, scenario: str = "deploy", **changed: Any) -> Shop:
    known: Mapping[str, Any] = inventory_of(scenario)
    server = Server.of(host)
    facts = known[server.name]
    return Shop(server, facts["lab_directory"], facts["lab_compose"], inventory(directory, {**known, **changed}))
