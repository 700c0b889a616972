"""The command line imports what a verb needs, and nothing else: a host compiles at each start what is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import cli
from tools.completion import subparsers

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ROOT / "module_utils" / "holdfast" / "commands"


def test_every_verb_is_in_the_file_that_the_table_says() -> None:
    files: dict[str, str] = {}
    for name in sorted(path.stem for path in COMMANDS.glob("[!_]*.py")):
        a_verb = next((verb for verb, file in cli.VERBS.items() if file == name), None)
        assert a_verb is not None, f"{name}.py has no verb in the table"
        files |= dict.fromkeys(subparsers(cli.parser(a_verb)), name)
    assert files == cli.VERBS


def test_the_help_has_every_verb_in_the_order_of_the_table() -> None:
    assert list(subparsers(cli.parser())) == list(cli.VERBS)


@pytest.mark.parametrize(
    ("verb", "needed", "idle"),
    [
        ("metrics", "operations.measure", "operations.backup"),
        ("run", "operations.run", "operations.recover"),
        ("backup", "operations.dump", "operations.verify"),
    ],
)
def test_a_verb_imports_no_other(verb: str, needed: str, idle: str) -> None:
    program = f"import sys, holdfast.cli; holdfast.cli.parser({verb!r}); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT / "module_utils"
    )
    imported = done.stdout.split()
    assert f"holdfast.{needed}" in imported
    assert f"holdfast.{idle}" not in imported
