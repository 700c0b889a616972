"""The program that hosts get is one file, the same bytes every time, and it says when it failed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def build(target: Path, root: Path = ROOT, **settings: Any) -> bytes:
    """Build with the builder that lies below `root`, and return the bytes."""
    subprocess.run([sys.executable, str(root / "tools" / "build_zipapp.py"), str(target)], check=True, **settings)
    return target.read_bytes()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist") / "holdfast"
    build(target)
    return target


@pytest.fixture
def other_checkout(tmp_path: Path) -> Path:
    """The same sources elsewhere, with other times, other modes and leftovers of a run."""
    checkout = tmp_path / "another place"
    for part in ("tools", "module_utils"):
        shutil.copytree(ROOT / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__"))
    for number, path in enumerate(sorted(checkout.rglob("*.py"))):
        path.chmod(0o600)
        os.utime(path, (number, number))
    cache = checkout / "module_utils" / "holdfast" / "__pycache__"
    cache.mkdir()
    (cache / "cli.cpython-311.pyc").write_bytes(b"stale")
    return checkout


def test_two_builds_give_the_same_bytes(program: Path, tmp_path: Path) -> None:
    assert build(tmp_path / "again") == program.read_bytes()


def test_neither_directory_nor_times_nor_umask_change_the_bytes(
    program: Path, other_checkout: Path, tmp_path: Path
) -> None:
    built = build(tmp_path / "elsewhere", other_checkout, cwd=tmp_path, umask=0o077)
    assert built == program.read_bytes()


def test_the_date_of_the_source_is_the_date_of_the_files(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    assert build(tmp_path / "dated") != program.read_bytes()


def test_it_runs_by_itself_in_an_empty_environment(program: Path) -> None:
    asked = subprocess.run([sys.executable, str(program), "--help"], env={}, cwd="/", capture_output=True, text=True)
    assert asked.returncode == 0, asked.stderr
    assert "usage: holdfast" in asked.stdout


def test_anyone_may_execute_it(program: Path) -> None:
    assert program.stat().st_mode & 0o777 == 0o755
    assert program.read_bytes().startswith(b"#!/usr/bin/env python3\n")


def test_a_failing_command_keeps_its_exit_code(program: Path, tmp_path: Path) -> None:
    nothing_configured = ["--config-dir", str(tmp_path), "list", "--cluster", "nowhere"]
    failed = subprocess.run([sys.executable, str(program), *nothing_configured], env={}, capture_output=True)
    assert failed.returncode != 0
    assert b"Traceback" not in failed.stderr
    misused = subprocess.run([sys.executable, str(program), "no-such-command"], env={}, capture_output=True)
    assert misused.returncode == 2
