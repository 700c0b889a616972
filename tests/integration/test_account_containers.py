"""A server in a container that wants a password from everybody: one account backs it up, another restores."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import containers
from tests.support.accounts import BACKUP, PASSWORD, make
from tests.support.backups import back_up, restore_in_place
from tests.support.containers import Container


@pytest.fixture
def strict_container() -> Iterator[Container]:
    strict = ("--env", "POSTGRES_INITDB_ARGS=--auth-local=scram-sha-256 --auth-host=scram-sha-256")
    with containers.running(containers.docker(), f"holdfast-test-{os.getpid()}-account", *strict) as started:
        containers.fill(started.server, "shop")
        yield started


def test_two_accounts_with_passwords_back_a_container_up_and_restore_it(
    strict_container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passfile, temporary = tmp_path / "passfile", tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    passfile.touch(mode=0o600)
    passwords = {"postgres": containers.PASSWORD, BACKUP: PASSWORD}
    lines = (f"*:*:*:{user}:" + re.sub(r"([\\:])", r"\\\1", password) for user, password in passwords.items())
    passfile.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    shop = strict_container.cluster(tmp_path, passfile=str(passfile))

    made, again = make(shop, password=PASSWORD), make(shop, password=PASSWORD)
    shop.configure(access={"user": BACKUP, "restore_user": "postgres"})
    shop.holdfast("init", check=True)
    taken = back_up(shop)
    strict_container.server.query("TRUNCATE orders", "shop")
    result = restore_in_place(shop, taken["id"], "shop")

    assert (made.changed, again.changed) == (True, False)
    assert (taken["warnings"], taken["role_passwords"]) == ([], True)
    assert (result["verdict"], containers.rows(strict_container.server, "shop")) == ("match", 2000)
    assert result["safety_backup"] is not None
    assert list(temporary.iterdir()) == [], "a copy of the passfile is left"
