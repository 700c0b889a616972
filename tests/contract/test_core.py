"""The core keeps to its rooms: no Ansible, relative imports, nothing newer than Python 3.9."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[2] / "module_utils" / "holdfast"
FILES = sorted(CORE.rglob("*.py"))
HEADER = (
    "# -*- coding: utf-8 -*-\n"
    "# Copyright: (c) 2026, Holdfast contributors\n"
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)\n"
    "# SPDX-License-Identifier: GPL-3.0-or-later\n"
)
# Who may not know whom: an operation joins the two, and what reports is told and never asks.
SEPARATE = [
    ("postgres", {"repository", "services", "operations", "reporting"}),
    ("repository", {"postgres", "services", "operations", "reporting"}),
    ("services", {"repository", "operations", "reporting"}),
    ("reporting", {"operations"}),
    ("operations", {"cli", "commands"}),
    ("commands", {"cli"}),
]


def names(path: Path) -> str:
    return path.relative_to(CORE).as_posix()


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every imported module and its level (0 is absolute), wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, 0
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level


def rooms(path: Path) -> Iterator[str]:
    """Yield the first part below the core of every module that a file of the core imports from it."""
    package = path.relative_to(CORE).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                yield (*base, *module, alias.name)[0]


@pytest.mark.parametrize("path", FILES, ids=names)
def test_a_file_of_the_core_imports_no_ansible(path: Path) -> None:
    assert [name for name, _level in imports(path) if name.split(".")[0].startswith("ansible")] == []


@pytest.mark.parametrize("path", FILES, ids=names)
def test_a_file_of_the_core_imports_the_core_relatively(path: Path) -> None:
    assert [name for name, level in imports(path) if not level and name.split(".")[0] == "holdfast"] == []


@pytest.mark.parametrize(("room", "strangers"), SEPARATE, ids=[room for room, _strangers in SEPARATE])
def test_a_room_does_not_know_what_is_not_its_business(room: str, strangers: set[str]) -> None:
    met = {names(path): strangers & set(rooms(path)) for path in (CORE / room).rglob("*.py")}
    assert {name: known for name, known in met.items() if known} == {}


@pytest.mark.parametrize("path", FILES, ids=names)
def test_a_file_of_the_core_has_the_syntax_of_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 9))


def pythons() -> list[str]:
    """This Python, and those of the machine that a host may have."""
    found = (shutil.which(f"python3.{minor}") for minor in range(9, 15))
    # pyenv leaves programs on the PATH that only say that they are not active.
    works = (
        one for one in found if one and subprocess.run([one, "-V"], capture_output=True, check=False).returncode == 0
    )
    return [sys.executable, *works]


@pytest.mark.parametrize("python", pythons())
def test_every_python_of_the_machine_compiles_the_core(python: str) -> None:
    check = "import sys\nfor path in sys.argv[1:]: compile(open(path, 'rb').read(), path, 'exec')"
    subprocess.run([python, "-c", check, *map(str, FILES)], check=True)


@pytest.mark.parametrize("path", FILES, ids=names)
def test_a_file_of_the_core_says_whose_it_is(path: Path) -> None:
    assert path.read_text().startswith(HEADER)
