"""A role's argument_specs say what its defaults are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path for path in (Path(__file__).resolve().parents[2] / "roles").glob("*") if path.is_dir())

every_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def read(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def entry_points(role: Path) -> dict[str, dict[str, Any]]:
    specs: dict[str, dict[str, Any]] = read(role / "meta" / "argument_specs.yml")["argument_specs"]
    return specs


def options(role: Path) -> dict[str, dict[str, Any]]:
    """Join the options of all entry points: they share one file of defaults."""
    return {name: option for spec in entry_points(role).values() for name, option in spec.get("options", {}).items()}


@every_role
def test_documented_defaults_are_the_defaults(role: Path) -> None:
    documented = {name: option["default"] for name, option in options(role).items() if "default" in option}
    defaults = {name: value for name, value in read(role / "defaults" / "main.yml").items() if "__" not in name}
    assert documented == defaults


@every_role
def test_every_option_has_a_type_and_a_description(role: Path) -> None:
    assert [name for name, option in options(role).items() if not {"type", "description"} <= set(option)] == []


@every_role
def test_every_option_carries_the_name_of_its_role(role: Path) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role.name}_")] == []


@every_role
def test_every_entry_point_has_a_spec_and_a_description(role: Path) -> None:
    specs = entry_points(role)
    assert "main" in specs
    assert [name for name, spec in specs.items() if not spec.get("short_description")] == []
    assert [name for name in specs if not (role / "tasks" / f"{name}.yml").exists()] == []
