"""The dashboards are ones that Grafana shows, and ask for nothing that nobody exports."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.reporting.metrics import HELP
from tests.support.clusters import CHECKOUT

FILES = sorted((CHECKOUT / "roles" / "monitoring" / "files" / "dashboards").glob("*.json"))
RULES = CHECKOUT / "roles" / "alerting" / "files" / "rules.yml"
UNITS = {"s", "bytes", "percentunit", "short", "ops", "bool_yes_no", "bool_on_off"}
WIDTH = 24

every_dashboard = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def expressions(path: Path) -> list[str]:
    return [target["expr"] for panel in read(path)["panels"] for target in panel.get("targets", [])]


def all_expressions() -> list[str]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    rules = [rule["expr"] for group in groups for rule in group["rules"]]
    return rules + [expression for path in FILES for expression in expressions(path)]


def test_there_is_one_for_a_cluster_and_one_for_the_fleet() -> None:
    assert [path.stem for path in FILES] == ["cluster", "fleet"]


@every_dashboard
def test_a_dashboard_can_be_provisioned(path: Path) -> None:
    dashboard = read(path)
    assert dashboard["uid"] == f"holdfast-{path.stem}"
    assert "id" not in dashboard
    assert dashboard["description"]
    (source, *_others) = dashboard["templating"]["list"]
    assert (source["name"], source["type"]) == ("datasource", "datasource")


@every_dashboard
def test_every_panel_says_what_it_shows_and_in_which_unit(path: Path) -> None:
    panels = read(path)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        if panel["type"] == "row":
            continue
        assert panel["type"] in {"stat", "timeseries", "table"}
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["targets"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@every_dashboard
def test_no_panel_covers_another(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in read(path)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= WIDTH
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells


@every_dashboard
def test_promtool_reads_every_expression(path: Path, promtool: str, tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$cluster", "shop")}
        for number, expression in enumerate(expressions(path))
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_metric_of_holdfast_is_one_that_it_writes() -> None:
    exported = {f"holdfast_{name}" for name in HELP} | {"holdfast_expected_cluster"}
    # The account of the backups is no metric.
    asked = {name for text in all_expressions() for name in re.findall(r"\bholdfast_\w+", text)} - {"holdfast_backup"}
    assert asked - exported == set()


def test_every_metric_that_holdfast_writes_is_shown_or_alarmed() -> None:
    asked = {name for text in all_expressions() for name in re.findall(r"\bholdfast_(\w+)", text)}
    # Which Holdfast wrote them; and instants whose distance to another one is shown already.
    unseen = {
        "build_info", "run_last_timestamp_seconds", "schedule_due_timestamp_seconds", "drill_last_timestamp_seconds",
        "last_proven_backup_timestamp_seconds",
    }  # fmt: skip
    assert set(HELP) - asked == unseen


def test_every_recorded_series_is_one_of_the_rules() -> None:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    recorded = {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}
    asked = {name for text in all_expressions() for name in re.findall(r"\bholdfast:[\w:]+", text)}
    assert asked == recorded
