"""Small promises of the project to those who work on it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FRAGMENTS = sorted((ROOT / "changelogs" / "fragments").glob("*.yml"))


def test_ci_runs_what_a_developer_runs() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make test"
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)


def test_pre_commit_runs_what_a_developer_runs() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [hook["entry"] for hook in repository["hooks"]] == ["make lint"]


def test_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {name for line in re.findall(r"^\.PHONY: ([a-z -]*)$", makefile, re.MULTILINE) for name in line.split()}
    parts = {name for name in targets if name.startswith("lint-")}
    assert targets - parts == set(re.findall(r"^([a-z-]+):.* ## ", makefile, re.MULTILINE))


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_of_the_changelog_has_sections_that_the_changelog_knows(path: Path) -> None:
    config = yaml.safe_load((ROOT / "changelogs" / "config.yaml").read_text())
    known = {name for name, _title in config["sections"]} | {config["trivial_section_name"]}
    fragment = yaml.safe_load(path.read_text())
    assert set(fragment) <= known
    assert all(isinstance(entry, str) for entries in fragment.values() for entry in entries)
