"""The password of an account: generated once, kept in a file, told to no server and no log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.accounts import BACKUP, PASSWORD, log_in, make, planned
from tests.support.backups import tidied
from tests.support.clusters import Cluster
from tests.support.servers import Server

Clusters = Callable[..., Cluster]


@pytest.fixture
def shop(server: Server, cluster: Clusters) -> Iterator[Cluster]:
    """A cluster on each server in turn, which has no account of Holdfast's yet."""
    with tidied(server):
        yield cluster(server, backup={"jobs": 2})


@pytest.fixture
def shop18(server18: Server, cluster: Clusters) -> Iterator[Cluster]:
    with tidied(server18):
        yield cluster(server18)


@pytest.mark.parametrize("encryption", ["scram-sha-256", "md5"])
def test_a_password_is_scram_whatever_the_server_would_make_of_it(shop: Cluster, encryption: str) -> None:
    shop.server.query(f"ALTER ROLE postgres SET password_encryption = '{encryption}'")
    try:
        assert make(shop, password=PASSWORD).changed
        assert not make(shop, password=PASSWORD).changed
        shop.server.query(f"ALTER ROLE {BACKUP} PASSWORD 'another'")
        assert planned(shop, password=PASSWORD).before["password"] == "another"
        assert make(shop, password=PASSWORD).as_dict()["steps"] == [f"alter role {BACKUP}: password"]
    finally:
        shop.server.query("ALTER ROLE postgres RESET password_encryption")
    ((verifier,),) = shop.server.query(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{BACKUP}'")
    assert verifier.startswith("SCRAM-SHA-256$")
    assert log_in(shop.server, BACKUP, PASSWORD) == BACKUP
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        log_in(shop.server, BACKUP, "another")


def test_a_password_that_the_server_itself_encrypted_is_recognised(shop: Cluster) -> None:
    make(shop)
    with shop.server.connect() as connection:
        literal = psycopg.sql.Literal(PASSWORD)
        connection.execute(psycopg.sql.SQL(f"ALTER ROLE {BACKUP} PASSWORD {{}}").format(literal))
    assert not make(shop, password=PASSWORD).changed


def test_without_a_password_the_one_that_is_there_is_left(shop18: Cluster) -> None:
    make(shop18, password=PASSWORD)
    assert not make(shop18).changed
    assert log_in(shop18.server, BACKUP, PASSWORD) == BACKUP


def test_a_password_is_generated_once_and_kept(shop: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "backup"
    check = planned(shop, password_file=str(file))
    assert not file.parent.exists()
    made = make(shop, password_file=str(file))
    assert made.as_dict() == check.as_dict()
    assert made.as_dict()["steps"][0] == f"write {file}"
    password = file.read_text().rstrip("\n")
    assert log_in(shop.server, BACKUP, password) == BACKUP
    assert not make(shop, password_file=str(file)).changed
    assert file.read_text().rstrip("\n") == password
    file.unlink()
    assert make(shop, password_file=str(file)).changed
    assert log_in(shop.server, BACKUP, file.read_text().rstrip("\n")) == BACKUP


def test_a_run_that_died_after_the_file_is_finished_by_the_next(shop18: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.touch(mode=0o600)
    file.write_text("from a run that died\n")
    made = make(shop18, password_file=str(file))
    assert made.before == {"exists": False, "password": "none", "password_file": "current"}
    assert log_in(shop18.server, BACKUP, "from a run that died") == BACKUP


def test_no_password_is_in_the_servers_log_or_in_the_plan(
    another_server: Callable[[Server], Server], server18: Server, cluster: Clusters
) -> None:
    server = another_server(server18)
    server.query("ALTER SYSTEM SET log_statement = 'all'")
    server.query("SELECT pg_reload_conf()")
    shop = cluster(server)
    secret = "never-in-any-log"
    plans = [make(shop, password=secret), make(shop, password=secret), make(shop, password=secret + "2")]
    logs = "".join(path.read_text("utf-8", "replace") for path in server.directory.rglob("*log*") if path.is_file())
    assert f'ALTER ROLE "{BACKUP}" WITH PASSWORD' in logs
    assert secret not in logs
    assert [secret in repr(plan) + str(plan.as_dict()) for plan in plans] == [False] * 3
    assert "SCRAM-SHA-256" not in "".join(repr(plan) + str(plan.as_dict()) for plan in plans)
