"""After backups, drills, runs and load: there is something to see in every panel, and rules look at nothing that is not there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.support.clusters import CHECKOUT
from tests.support.watch import Watch


def expressions() -> list[tuple[str, str]]:
    """Every expression of every panel, with the name of the panel."""
    found = []
    for path in sorted((CHECKOUT / "roles" / "monitoring" / "files" / "dashboards").glob("*.json")):
        for panel in json.loads(Path(path).read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", []):
                found.append((f"{path.stem}: {panel['title']}", target["expr"].replace("$cluster", "shop")))
    return found


#: What is empty where nothing is wrong, and why.
MAY_BE_EMPTY = {
    "cluster: What is wrong now": "nothing is",
    "fleet: What is wrong now": "nothing is",
}


def test_prometheus_has_data_for_every_panel(watch: Watch) -> None:
    empty = {title for title, expression in expressions() if not watch.query(expression)}
    assert empty - set(MAY_BE_EMPTY) == set()
    assert set(MAY_BE_EMPTY) <= {title for title, _ in expressions()}


def test_prometheus_knows_every_metric_of_every_rule(watch: Watch) -> None:
    """An alert's own expression is empty where nothing is wrong; the metrics it looks at are there nevertheless."""
    known = set(watch.ask("label/__name__/values"))
    rules: list[dict[str, Any]] = [rule for group in watch.ask("rules")["groups"] for rule in group["rules"]]
    asked: set[str] = set()
    for rule in rules:
        watch.query(rule["query"])
        # What stands in quotes or names labels is no metric.
        bare = re.sub(r'"[^"]*"|\b(?:by|on) \([^)]*\)', "", rule["query"])
        asked |= set(re.findall(r"\b(?:up|(?:holdfast|pg|node|prometheus|alertmanager)_\w+)\b", bare))
    assert {"up", "pg_up", "holdfast_schedule_missed", "node_textfile_scrape_error"} <= asked
    assert asked - known <= set(ONLY_SOMETIMES)


#: What is not there after all that, and why.
ONLY_SOMETIMES = {
    "holdfast_run_started_timestamp_seconds": "no run goes on",
    "holdfast_notification_success": "the agent itself notifies nobody here",
}
