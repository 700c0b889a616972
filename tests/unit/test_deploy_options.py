# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How services are deployed, as a configuration says it: what is wrong is named, with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.config import ClusterConfig
from holdfast.errors import ConfigError
from holdfast.services.options import DeployOptions

WHOLE = {
    "project": "shop",
    "directory": "/opt/shop",
    "files": ["compose.yml"],
    "services": ["web", "worker"],
    "strategy": {"worker": "recreate"},
    "migrate": {"service": "web", "command": ["alembic", "upgrade", "head"], "lock_timeout": 3, "timeout": 60},
    "health": {"url": "http://127.0.0.1:8080/health", "status": [200, 204], "sql": "SELECT true", "timeout": 5},
    "start_timeout": 60,
    "settle": 2,
    "drain_command": ["touch", "/tmp/draining"],
    "drain": 3,
    "unchanged": ["public.ledger*"],
}


def test_nothing_said_is_the_usual() -> None:
    options = DeployOptions.from_config({}, "test")
    assert (options.migrate, options.services, options.health.url) == (None, (), None)
    assert (options.start_timeout, options.settle, options.health.status) == (120, 5, (200,))


def test_everything_that_is_said_is_read() -> None:
    options = DeployOptions.from_config(WHOLE, "test")
    assert options.migrate is not None
    assert options.migrate.command == ("alembic", "upgrade", "head")
    assert options.health.status == (200, 204)
    assert options.strategy == {"worker": "recreate"}
    assert options.drain_command == ("touch", "/tmp/draining")


def test_one_status_needs_no_list() -> None:
    assert DeployOptions.from_config({"health": {"status": 302}}, "test").health.status == (302,)


def test_a_configuration_has_them() -> None:
    raw = {"schema": 1, "cluster": "shop", "repository": "/r", "access": {"kind": "container", "container": "db"}}
    assert ClusterConfig.from_mapping({**raw, "deploy": WHOLE}, "test").deploy.project == "shop"
    with pytest.raises(ConfigError, match="deploy is 'all'"):
        ClusterConfig.from_mapping({**raw, "deploy": "all"}, "test")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"service": "web"}, r"deploy has unknown keys \['service'\]"),
        ({"directory": "opt/shop"}, "deploy.directory is 'opt/shop'"),
        ({"project": ""}, "deploy.project is ''"),
        ({"services": "web"}, "deploy.services is 'web'"),
        ({"services": [""]}, "deploy.services"),
        ({"strategy": {"web": "bluegreen"}}, "Give one of rolling, recreate for service web"),
        ({"migrate": {"command": ["x"]}}, "deploy.migrate.service is None"),
        ({"migrate": {"service": "web", "command": "alembic upgrade head"}}, "deploy.migrate.command"),
        ({"migrate": {"service": "web", "lock_timeout": 0}}, "deploy.migrate.lock_timeout is 0"),
        ({"migrate": []}, "deploy.migrate is"),
        ({"health": {"url": "127.0.0.1:8080"}}, "deploy.health.url is"),
        ({"health": {"url": "file:///etc/passwd"}}, "Give an address that begins with http"),
        ({"health": {"status": "ok"}}, "deploy.health.status is 'ok'"),
        ({"health": {"status": [True]}}, "deploy.health.status"),
        ({"settle": -1}, "deploy.settle is -1"),
        ({"settle": 1.5}, "deploy.settle is 1.5"),
        ({"start_timeout": 90000}, "deploy.start_timeout is 90000"),
        ({"drain": True}, "deploy.drain is True"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        DeployOptions.from_config(wrong, "test")


def test_the_address_of_a_health_check_may_hold_a_password_and_is_not_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        DeployOptions.from_config({"health": {"url": "ftp://user:hunter2@shop/"}}, "test")
    assert "hunter2" not in str(refused.value)
