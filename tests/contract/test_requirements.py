"""The locks pin what they say, and say nothing about where it comes from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
LOCKS = ("demo.txt", "dev.txt")


def entries(lock: str) -> dict[str, set[str]]:
    """Read a lock: each requirement, with its marker, and its hashes."""
    text = (REQUIREMENTS / lock).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    return {line.split(" --hash")[0].strip(): set(re.findall(r"--hash=(\S+)", line)) for line in lines}


def pins(lock: str) -> set[str]:
    """Read a lock: each name with its version, without extras and markers."""
    return {re.sub(r"\[.*?\]", "", entry.split(";")[0]).strip() for entry in entries(lock)}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place(lock: str) -> None:
    text = (REQUIREMENTS / lock).read_text()
    assert re.findall(r"\S*(?:://|index-url|find-links|trusted-host)\S*", text) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_of_a_lock_has_one_version_and_hashes(lock: str) -> None:
    for entry, hashes in entries(lock).items():
        assert re.match(r"[a-z0-9-]+==[\w.]+", entry), entry
        assert hashes, entry
        assert all(value.startswith("sha256:") for value in hashes), entry


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_everything_that_was_asked_for(lock: str) -> None:
    asked = (REQUIREMENTS / lock).with_suffix(".in").read_text().splitlines()
    wanted = {re.split(r"[\[<>=~! ]", line)[0].lower() for line in asked if line[:1].isalpha()}
    assert wanted <= {pin.split("==")[0] for pin in pins(lock)}


def test_the_demo_runs_on_a_part_of_what_the_tests_run_on() -> None:
    assert pins("demo.txt") <= pins("dev.txt")
