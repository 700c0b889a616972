"""A monitoring host of a scenario: what its Prometheus knows, and what was notified of."""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.hosts import inventory, inventory_of
from tests.support.playbooks import Inventory

PLAYBOOK = "playbooks/monitoring.yml"
NOTIFICATIONS = "/var/lib/recorder/notifications"
_GET = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())"


@dataclass(frozen=True)
class Watch:
    """The host.

    :param host: testinfra's connection to it.
    """

    host: Any

    def ask(self, path: str, **parameters: str) -> Any:
        """What Prometheus' interface answers."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        answer = self.host.run("python3 -c %s %s", _GET, f"http://127.0.0.1:9090/api/v1/{path}{query}")
        assert answer.rc == 0, f"{path} {parameters}: {answer.stderr[-300:]}"
        return json.loads(answer.stdout)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        result: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return result

    def value(self, expression: str) -> float | None:
        """The value of an expression that has one sample, or None."""
        samples = self.query(expression)
        return float(samples[0]["value"][1]) if samples else None

    def notifications(self, since: float = 0.0) -> list[dict[str, Any]]:
        """Every alert that arrived at the receiver, with its status, in order; the watchdog's calls are not among them."""
        lines = self.host.check_output("cat %s 2>/dev/null || true", NOTIFICATIONS).splitlines()
        calls = [json.loads(line) for line in lines]
        return [
            {**alert, "time": call["time"]}
            for call in calls
            if call["path"] == "/hook" and call["time"] >= since
            for alert in call["content"]["alerts"]
        ]

    def alive(self) -> list[float]:
        """When the dead man's switch was called."""
        lines = self.host.check_output("cat %s 2>/dev/null || true", NOTIFICATIONS).splitlines()
        return [call["time"] for call in map(json.loads, lines) if call["path"] == "/alive"]

    def now(self) -> float:
        """The time there."""
        return float(self.host.check_output("date +%s.%N"))

    def arrived(self, alert: str, status: str, since: float, severity: str | None = None) -> list[dict[str, Any]]:
        """Notifications of one alert."""
        return [
            found
            for found in self.notifications(since)
            if found["labels"]["alertname"] == alert
            and found["status"] == status
            and severity in (None, found["labels"]["severity"])
        ]

    def wait_for(self, alert: str, status: str, since: float, seconds: float = 120) -> list[dict[str, Any]]:
        """The notifications of an alert, as soon as there is one."""

        def said() -> str:
            names = sorted({(one["labels"]["alertname"], one["status"]) for one in self.notifications(since)})
            return f"no notification that {alert} is {status}; there were {names}"

        found: list[dict[str, Any]] = until(lambda: self.arrived(alert, status, since), said, seconds)
        return found


def until(found: Callable[[], Any], said: Callable[[], str], seconds: float) -> Any:
    """What `found` returns, as soon as that is something.

    :param said: what to say if the time is over.
    """
    ends = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < ends, said()
        time.sleep(1)
    return value


def watched_as(directory: Path, **watch: Any) -> Inventory:
    """The hosts of the scenario, the watching one with other variables."""
    hosts = inventory_of("monitoring")
    hosts["watch"].update(watch)
    written = inventory(directory, hosts)
    content = yaml.safe_load(written.path.read_text(encoding="utf-8"))
    content["all"]["children"] = {"monitoring": {"hosts": {"watch": None}}}
    written.path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return written
