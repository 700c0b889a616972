# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every error says what was attempted, why it failed and what to do next, and has an exit code of its own."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator

import pytest

from holdfast import cli, errors
from holdfast.errors import HoldfastError


def subclasses(root: type[HoldfastError]) -> Iterator[type[HoldfastError]]:
    for one in root.__subclasses__():
        yield one
        yield from subclasses(one)


CLASSES = sorted(set(subclasses(HoldfastError)), key=lambda one: one.exit_code)


def test_every_error_has_an_exit_code_of_its_own() -> None:
    codes = [HoldfastError.exit_code, *(one.exit_code for one in CLASSES)]
    assert codes == sorted(set(codes))
    assert not set(codes) & {0, cli.INTERRUPTED}


def test_there_are_no_errors_but_those_of_the_one_tree() -> None:
    defined = [one for _name, one in inspect.getmembers(errors, inspect.isclass) if one.__module__ == errors.__name__]
    assert set(defined) == {HoldfastError, *CLASSES}
    assert {one.__module__ for one in CLASSES} == {"holdfast.errors"}


@pytest.mark.parametrize("kind", CLASSES)
def test_every_exit_code_is_in_the_programs_help(kind: type[HoldfastError]) -> None:
    assert re.search(rf"\b{kind.exit_code} \w", cli.parser().format_help())


@pytest.mark.parametrize("kind", [HoldfastError, *CLASSES])
def test_a_message_has_one_form(kind: type[HoldfastError]) -> None:
    error = kind("back up", "cluster shop", "the disk is full. ", " Free some space. ", path="/x", errno=28)
    assert str(error) == "Cannot back up cluster shop: the disk is full. Free some space."
    assert error.as_fields() == {
        "error": kind.__name__,
        "msg": str(error),
        "reason": "the disk is full",
        "next_step": "Free some space.",
        "exit_code": kind.exit_code,
        "details": {"path": "/x", "errno": 28},
    }
    assert json.loads(json.dumps(error.as_fields())) == error.as_fields()


def test_an_error_says_what_was_added_to_its_next_step() -> None:
    error = errors.BackupError("back up", "shop", "no", "Wait.")
    error.next_step += " Or do not."
    assert str(error) == "Cannot back up shop: no. Wait. Or do not."
