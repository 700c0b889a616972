"""Words for tests of the accounts that Holdfast makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from holdfast.config import load
from holdfast.errors import HoldfastError
from holdfast.operations import accounts
from holdfast.operations.accounts import AccountPlan, AccountRequest
from holdfast.system import System
from tests.support.clusters import Cluster
from tests.support.servers import Server

BACKUP, MONITORING = "holdfast_backup", "holdfast_monitoring"
PASSWORD = "it's a \\ pass:word, \u2168 日本"


def make(shop: Cluster, name: str = BACKUP, purpose: str = "backup", **more: Any) -> AccountPlan:
    """Makes an account, and returns what was done."""
    config = load(shop.name, str(shop.config_dir))
    return accounts.ensure(config, AccountRequest(name, purpose, **more), System())


def planned(shop: Cluster, name: str = BACKUP, purpose: str = "backup", **more: Any) -> AccountPlan:
    """What a check mode says."""
    config = load(shop.name, str(shop.config_dir))
    return accounts.plan(config, AccountRequest(name, purpose, **more), System())


def refused(kind: type[HoldfastError], call: Callable[..., AccountPlan], *arguments: Any, **more: Any) -> HoldfastError:
    """The error of a run; the server's roles are what they were."""
    shop: Cluster = arguments[0]
    before = roles(shop.server)
    with pytest.raises(kind) as caught:
        call(*arguments, **more)
    assert roles(shop.server) == before
    return caught.value


def roles(server: Server) -> list[tuple[Any, ...]]:
    """Everything about every role and membership."""
    return [
        *server.query("SELECT a.*, r.rolconfig FROM pg_authid a JOIN pg_roles r USING (oid) ORDER BY a.oid"),
        *server.query("SELECT m::text FROM pg_auth_members m ORDER BY 1"),
    ]


def log_in(server: Server, user: str, password: str) -> Any:
    """Who somebody is who logs in with a password."""
    with server.connect(host="127.0.0.1", user=user, password=password) as connection:
        return (connection.execute("SELECT current_user").fetchone() or [None])[0]
