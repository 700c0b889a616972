"""A run that is to be complete leaves nothing out in silence."""

from __future__ import annotations

import pytest

from tests.support.needs import COMPLETE, lacking


def test_what_a_machine_lacks_leaves_a_test_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(COMPLETE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no engine"):
        lacking("no engine answers")


def test_in_a_complete_run_it_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMPLETE, "1")
    with pytest.raises(pytest.fail.Exception, match="no engine answers, and HOLDFAST_COMPLETE is set"):
        lacking("no engine answers")
