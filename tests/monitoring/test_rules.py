"""Every alert fires when it should, and not before: promtool says so, of the rules as the role writes them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.cases import CASES, Series
from tests.monitoring.conftest import defined
from tests.support.clusters import CHECKOUT

#: They are about the monitoring itself.
WITHOUT_A_PLACE = {"HoldfastWatchdog", "HoldfastRulesFail", "HoldfastAlertsUndelivered"}


def wanted(alert: str, severity: str) -> list[str]:
    """The severities that fire together: what is critical has passed the warning's threshold too."""
    rule = defined()[alert]
    side = rule.get("above") or rule.get("below") or {}
    return ["critical", "warning"] if severity == "critical" and len(side) == 2 else [severity]


def unit(alert: str, series: Series, at: str, interval: str, expected: list[str]) -> dict[str, Any]:
    """One test as promtool reads it."""
    samples = [{"labels": f'{{severity="{severity}"}}', "value": 1} for severity in expected]
    firing = f'ALERTS{{alertname="{alert}",alertstate="firing"}}'
    checks = [{"expr": f"count by (severity) ({firing})", "eval_time": at, "exp_samples": samples}]
    if expected and alert not in WITHOUT_A_PLACE:
        placed = f'count(ALERTS{{alertname="{alert}",alertstate="firing",machine="db1"}})'
        checks.append({"expr": placed, "eval_time": at, "exp_samples": [{"labels": "{}", "value": len(expected)}]})
    given = [{"series": name, "values": values} for name, values in series.items()]
    return {"name": f"{alert} {at}", "interval": interval, "input_series": given, "promql_expr_test": checks}


def run(promtool: str, rules: Path, tests: list[dict[str, Any]], directory: Path) -> str:
    """What promtool says, if anything failed. The rules are evaluated as often as the series have values.

    In the order of the file: where that is once an hour, what is recorded for an alert would else be too old for it.
    """
    order = [group["name"] for group in yaml.safe_load(rules.read_text(encoding="utf-8"))["groups"]]
    path = directory / "test.yml"
    content = {"rule_files": [str(rules)], "evaluation_interval": tests[0]["interval"], "group_eval_order": order}
    content["tests"] = tests
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    done = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def severities(rule: dict[str, Any]) -> set[str]:
    side = rule.get("above") or rule.get("below")
    return set(side) if side else {rule["severity"]}


@pytest.mark.parametrize("alert", defined())
def test_an_alert_fires(alert: str, promtool: str, rules: Path, tmp_path: Path) -> None:
    case = CASES[alert]
    assert set(case.fires) == severities(defined()[alert])
    tests = [
        unit(alert, series, at, case.interval, wanted(alert, severity)) for severity, (series, at) in case.fires.items()
    ]
    assert run(promtool, rules, tests, tmp_path) == ""


@pytest.mark.parametrize("alert", [alert for alert in defined() if alert != "HoldfastWatchdog"])
def test_an_alert_does_not_fire(alert: str, promtool: str, rules: Path, tmp_path: Path) -> None:
    case = CASES[alert]
    assert case.quiet
    tests = [unit(alert, series, at, case.interval, []) for series, at in case.quiet]
    assert run(promtool, rules, tests, tmp_path) == ""


def test_a_test_that_expects_something_else_fails(promtool: str, rules: Path, tmp_path: Path) -> None:
    series, at = CASES["HoldfastNodeDown"].fires["critical"]
    assert "HoldfastNodeDown" in run(promtool, rules, [unit("HoldfastNodeDown", series, at, "1m", [])], tmp_path)


def test_every_alert_tells_how_bad_it_is_and_where_to_read_on(written: list[dict[str, Any]]) -> None:
    page = (CHECKOUT / "docs" / "how-to" / "alerts.md").read_text(encoding="utf-8")
    headings = {line[3:].strip().lower() for line in page.splitlines() if line.startswith("## ")}
    assert {rule["labels"]["severity"] for rule in written} == {"none", "warning", "critical"}
    for rule in written:
        address, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert address.endswith("docs/how-to/alerts.md")
        assert anchor == rule["alert"].lower()
        assert anchor in headings, f"docs/how-to/alerts.md has no heading {rule['alert']}"
        assert rule["annotations"]["summary"].endswith(".")


def test_the_page_knows_no_alert_that_does_not_exist() -> None:
    page = (CHECKOUT / "docs" / "how-to" / "alerts.md").read_text(encoding="utf-8")
    told = {line[3:].strip() for line in page.splitlines() if line.startswith("## Holdfast")}
    assert told == set(defined()) == set(CASES)


def test_two_severities_of_an_alert_share_all_but_the_threshold(written: list[dict[str, Any]]) -> None:
    by_name: dict[str, list[dict[str, Any]]] = {}
    for rule in written:
        by_name.setdefault(rule["alert"], []).append(rule)
    for rules in by_name.values():
        assert len({rule["for"] for rule in rules}) == 1
        assert len({rule["expr"].rpartition(" ")[0] for rule in rules}) == 1 or len(rules) == 1
