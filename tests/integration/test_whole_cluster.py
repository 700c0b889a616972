"""A whole cluster into an empty server: roles, passwords, settings and every database."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support import sample
from tests.support.backups import PREFLIGHT, RESTORE, back_up, refusal, restore
from tests.support.clusters import Cluster
from tests.support.needs import lacking
from tests.support.servers import Server

Clusters = Callable[..., Cluster]
Servers = Callable[[Server], Server]

ROLES = """
CREATE ROLE team; CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'boss''s own' VALID UNTIL '2099-01-01 00:00+00';
CREATE ROLE worker LOGIN PASSWORD 'worker''s own' CONNECTION LIMIT 3;
GRANT team TO worker WITH ADMIN OPTION; GRANT pg_monitor TO team;
ALTER ROLE worker SET work_mem = '7MB'; ALTER ROLE "worker" SET search_path = "A b", public; COMMENT ON ROLE team IS 'all of us';
"""
ASK_ROLES = (
    "SELECT a.rolname, a.rolsuper, a.rolcanlogin, a.rolconnlimit, a.rolvaliduntil, r.rolconfig, a.rolpassword,"
    " shobj_description(a.oid, 'pg_authid') FROM pg_authid a JOIN pg_roles r USING (oid)"
    " WHERE a.rolname NOT LIKE 'pg\\_%' ORDER BY 1"
)
ASK_MEMBERS = "SELECT roleid::regrole::text, member::regrole::text, admin_option FROM pg_auth_members ORDER BY 1, 2"


@pytest.fixture
def move(cluster: Clusters) -> Callable[[Cluster, Server], None]:
    """Points a cluster's configuration at another server: the old one is lost."""

    def to(shop: Cluster, server: Server) -> None:
        shop.configure(access={"host": str(server.socket_dir), "port": server.port, "bin_dir": str(server.bin_dir)})

    return to


def whole(backup_id: str) -> list[str]:
    return ["--id", backup_id, "--whole-cluster", "--confirm", "shop"]


def test_everything_comes_back_on_an_empty_server(
    another_server: Servers, server18: Server, cluster: Clusters, move: Callable[[Cluster, Server], None]
) -> None:
    old, new = another_server(server18), another_server(server18)
    old.psql(ROLES)
    sample.load(old, old.create_database("sample"))
    # Two names that begin alike for longer than a temporary name can be told apart by.
    long_names = ["n" * 62 + last for last in "ab"]
    for name in long_names:
        old.create_database(name)
        old.psql(f"CREATE TABLE t AS SELECT '{name}' AS name", name)
    old.psql("CREATE TABLE in_postgres AS SELECT 1 AS id")
    shop = cluster(old)
    taken = back_up(shop)
    move(shop, new)
    # A role that exists already is no failure, and takes the settings of the backup.
    new.query("CREATE ROLE worker")
    result = restore(shop, *whole(taken["id"]))
    assert result["verdict"] == "match"
    assert result["backup"]["state"] == "proven"
    assert {one["kept_aside_as"] for one in result["databases"]} == {None}
    assert new.databases() == old.databases() == {"postgres", "sample", *long_names}
    for question in (ASK_ROLES, ASK_MEMBERS):
        assert new.query(question) == old.query(question)
    assert [new.query("SELECT name FROM t", name) for name in long_names] == [[(name,)] for name in long_names]
    assert new.query("SELECT id FROM in_postgres") == [(1,)]
    for user, password in (("worker", "worker's own"), ("boss", "boss's own"), ("sample_app", "sample")):
        assert log_in(new, user, password) == user
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        log_in(new, "worker", "another")
    fields = refusal(shop, PREFLIGHT, "restore", *whole(taken["id"]))
    assert "the server is not empty: " in fields["reason"]


def log_in(server: Server, user: str, password: str) -> Any:
    with server.connect("postgres", host="127.0.0.1", user=user, password=password) as connection:
        return (connection.execute("SELECT current_user").fetchone() or [None])[0]


@pytest.fixture
def shared_directory() -> Iterator[Path]:
    """A directory that the server's account may write to as well."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o777)
        yield Path(name)


def test_a_tablespace_without_its_directory_fails_and_leaves_nothing_but_roles(
    another_server: Servers,
    server18: Server,
    cluster: Clusters,
    move: Callable[[Cluster, Server], None],
    shared_directory: Path,
) -> None:
    old, new = another_server(server18), another_server(server18)
    place = shared_directory / "elsewhere"
    old.query(f"COPY (SELECT 1) TO PROGRAM 'mkdir {place}'")
    old.query(f"CREATE TABLESPACE elsewhere LOCATION '{place}'")
    old.query("CREATE ROLE clerk")
    old.query("CREATE DATABASE orders TABLESPACE elsewhere")
    old.psql("CREATE TABLE lines AS SELECT 1 AS id", "orders")
    shop = cluster(old)
    taken = back_up(shop)
    move(shop, new)
    place.rename(place.with_name("gone"))
    fields = refusal(shop, RESTORE, "restore", *whole(taken["id"]))
    assert "elsewhere" in fields["reason"]
    assert "does not exist" in fields["reason"]
    assert new.databases() == {"postgres"}
    assert new.query("SELECT count(*) FROM pg_roles WHERE rolname = 'clerk'") == [(1,)]
    new.query(f"COPY (SELECT 1) TO PROGRAM 'mkdir {place}'")
    assert restore(shop, *whole(taken["id"]))["verdict"] == "match"
    assert new.query(
        "SELECT spcname FROM pg_database d JOIN pg_tablespace s ON s.oid = dattablespace WHERE datname = 'orders'"
    ) == [("elsewhere",)]


@pytest.mark.parametrize("older", ["server16", "distribution_server"])
def test_a_backup_of_an_older_major_version_restores_into_a_newer_one(
    older: str,
    request: pytest.FixtureRequest,
    another_server: Servers,
    server18: Server,
    cluster: Clusters,
    move: Callable[[Cluster, Server], None],
) -> None:
    source: Server = request.getfixturevalue(older)
    if source.major >= 18:
        lacking(f"PostgreSQL {source.version} is not older")
    old, new = another_server(source), another_server(server18)
    sample.load(old, old.create_database("sample"))
    old.query("DROP EXTENSION IF EXISTS hstore", "sample")  # the wheel has none
    shop = cluster(old)
    taken = back_up(shop)
    move(shop, new)
    result = restore(shop, *whole(taken["id"]))
    assert result["verdict"] == "match"
    assert [one["comparison"]["differences"] for one in result["databases"]] == [[], []]
    version = next(check for check in result["plan"]["checks"] if check["check"] == "version")
    assert (version["result"], version["detail"]) == ("warning", f"backup of PostgreSQL {old.major}, server is 18")


def test_a_backup_of_a_newer_major_version_is_refused(
    server16: Server, server18: Server, cluster: Clusters, new_database: Callable[..., str],
    move: Callable[[Cluster, Server], None],
) -> None:  # fmt: skip
    shop, name = cluster(server18), new_database(server18)
    taken = back_up(shop, "--database", name)
    move(shop, server16)
    fields = refusal(shop, PREFLIGHT, "restore", "--id", taken["id"], "--database", name, "--into", "again")
    assert "backup of PostgreSQL 18, server is 16: a dump does not go back" in fields["reason"]
    assert "again" not in server16.databases()
