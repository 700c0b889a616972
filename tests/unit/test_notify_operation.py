# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Telling is no reason for a job to fail: what goes wrong with it is remembered, and the next run tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast import cli
from holdfast.config import ClusterConfig
from holdfast.errors import ConfigError
from holdfast.operations import notify
from holdfast.reporting.notify_event import Ended
from holdfast.system import System

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
TRUE, FALSE = {"kind": "command", "command": ["/bin/true"]}, {"kind": "command", "command": ["/bin/false"]}
Configured = Callable[..., ClusterConfig]


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    """A cluster of whose failures these channels are told."""

    def configure(*channels: dict[str, Any], **more: Any) -> ClusterConfig:
        path = tmp_path / "shop.notify"
        path.write_text(json.dumps({"schema": 1, "channels": channels, **more}))
        path.chmod(0o600)
        raw = {
            "schema": 1,
            "cluster": "shop",
            "repository": "/r",
            "access": {"kind": "host", "host": "/s", "user": "u"},
        }
        return ClusterConfig.from_mapping(raw, "test", tmp_path / "shop.json")

    return configure


def ended(success: bool) -> Ended:
    return Ended("shop", "db1", "backup", success, "" if success else "no room", "Free some.")


def at(hours: float) -> System:
    return System(now=lambda: NOW + timedelta(hours=hours))


def test_a_failure_is_told_and_remembered(configured: Configured) -> None:
    cluster = configured(TRUE)
    state, outcomes = notify.tell(cluster, ended(False), None, at(0))
    assert [one.ok for one in outcomes] == [True]
    state, outcomes = notify.tell(cluster, ended(False), state, at(1))
    assert outcomes == []
    state, outcomes = notify.tell(cluster, ended(True), state, at(2))
    assert ([one.ok for one in outcomes], state) == ([True], {"series": {}})


def test_one_who_hears_is_enough(configured: Configured) -> None:
    cluster = configured(FALSE, TRUE)
    state, outcomes = notify.tell(cluster, ended(False), None, at(0))
    assert [one.ok for one in outcomes] == [False, True]
    assert notify.tell(cluster, ended(False), state, at(1))[1] == []


def test_what_nobody_heard_is_told_again(configured: Configured) -> None:
    state, outcomes = notify.tell(configured(FALSE), ended(False), None, at(0))
    assert [one.ok for one in outcomes] == [False]
    state, outcomes = notify.tell(configured(TRUE), ended(False), state, at(1))
    assert [one.ok for one in outcomes] == [True]
    state, outcomes = notify.tell(configured(FALSE), ended(True), state, at(2))
    state, outcomes = notify.tell(configured(TRUE), ended(True), state, at(3))
    assert ([one.ok for one in outcomes], state) == ([True], {"series": {}})


def test_without_channels_nothing_is_told_and_nothing_fails(configured: Configured) -> None:
    cluster = configured()
    notify.channels_file(cluster).unlink()
    state, outcomes = notify.tell(cluster, ended(False), None, at(0))
    assert (outcomes, list(state["series"])) == ([], ["backup"])
    assert notify.ping(cluster, "success", at(0)) is None


def test_a_file_that_cannot_be_used_is_a_failure_to_tell_and_no_other(configured: Configured) -> None:
    cluster = configured(TRUE)
    notify.channels_file(cluster).chmod(0o644)
    state, outcomes = notify.tell(cluster, ended(False), None, at(0))
    assert [one.ok for one in outcomes] == [False]
    assert "chmod 0600" in outcomes[0].reason
    pinged = notify.ping(cluster, "success", at(0))
    assert pinged is not None
    assert not pinged.ok
    notify.channels_file(cluster).chmod(0o600)
    assert [one.ok for one in notify.tell(cluster, ended(False), state, at(1))[1]] == [True]


def command(cluster: ClusterConfig, *arguments: str) -> tuple[str, int]:
    """What the command prints, and its exit code."""
    parsed = cli.parser().parse_args(["notify", *arguments])
    result = parsed.run(parsed, cluster, at(0), None)
    assert json.loads(json.dumps(result)) == result
    return parsed.show(result), parsed.exit_code(result)


def test_the_command_shows_who_is_told(configured: Configured) -> None:
    cluster = configured(
        TRUE, {"kind": "webhook", "url": "https://hooks.example.org/s3cret"}, ping={"url": "https://hc.example/uu1d"}
    )
    text, code = command(cluster)
    assert (text.splitlines(), code) == (
        [
            "of failures of cluster shop are told:", "  command /bin/true", "  webhook https://hooks.example.org/…",
            "after a success is pinged: https://hc.example/…",
        ],
        0,
    )  # fmt: skip


def test_a_test_says_whom_it_reached(configured: Configured) -> None:
    text, code = command(configured(TRUE), "--test")
    assert ("command /bin/true: told (" in text, code) == (True, 0)
    text, code = command(configured(TRUE, FALSE), "--test")
    assert ("command /bin/false: NOT TOLD: it ended with exit code 1 (" in text, code) == (True, 1)


def test_a_test_that_reaches_nobody_has_failed(configured: Configured) -> None:
    text, code = command(configured(), "--test")
    assert (text.startswith("nobody is told of failures of cluster shop: "), code) == (True, 1)


def test_a_test_of_a_file_that_cannot_be_used_is_refused(configured: Configured) -> None:
    with pytest.raises(ConfigError, match="sms"):
        command(configured({"kind": "email", "to": ["root"], "sms": 1}), "--test")
