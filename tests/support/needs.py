"""What a test needs of the machine that runs it."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

COMPLETE = "HOLDFAST_COMPLETE"


def lacking(what: str) -> NoReturn:
    """Leaves a test out and says why: this machine, or whoever runs the tests, cannot have what it needs.

    That is for people who try a change on their own machine, as an ordinary user or without an engine. Where
    HOLDFAST_COMPLETE is set, as CI does, everything must be there, and what is left out is a failure.
    """
    if os.environ.get(COMPLETE):
        pytest.fail(f"{what}, and {COMPLETE} is set: nothing may be left out")
    # Without HOLDFAST_COMPLETE: somebody tries a change where not everything can be had, and is told what was left out.
    pytest.skip(what)
