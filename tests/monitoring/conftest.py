"""The rules and what defines them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import playbooks
from tests.support.clusters import CHECKOUT
from tests.support.promtool import program


@pytest.fixture(scope="session")
def promtool() -> str:
    """Prometheus' own program to check and test rules."""
    return program("promtool")


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory, promtool: str) -> Path:
    """The file that Prometheus would read, written by the role with its defaults."""
    directory = tmp_path_factory.mktemp("rules")
    here = playbooks.inventory(directory, {"here": None})
    variables = {
        "alerting_rules_directory": str(directory / "rules"),
        "alerting_promtool": promtool,
        "alerting_prometheus_service": "",
    }
    here.play("tests/monitoring/rules.yml", **variables).require_success()
    return directory / "rules" / "holdfast.yml"


@pytest.fixture(scope="session")
def written(rules: Path) -> list[dict[str, Any]]:
    """Every alert of the file, one for each severity."""
    groups = yaml.safe_load(rules.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def defined() -> dict[str, dict[str, Any]]:
    """Every alert of the role, by its name."""
    text = (CHECKOUT / "roles" / "alerting" / "files" / "rules.yml").read_text(encoding="utf-8")
    return {
        rule["alert"]: rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"] if "alert" in rule
    }
