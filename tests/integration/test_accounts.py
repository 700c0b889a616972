"""The accounts that Holdfast makes: exactly the rights of their purpose, or a refusal that says why."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import AccessError, ConfigError
from tests.support.accounts import BACKUP, MONITORING, PASSWORD, log_in, make, planned, refused, roles
from tests.support.backups import back_up, refusal, tidied
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


def attributes(server: Server, name: str) -> dict[str, Any]:
    columns = ("rolcanlogin", "rolreplication", "rolbypassrls", "rolsuper", "rolcreatedb", "rolcreaterole",
               "rolinherit", "rolconnlimit", "rolconfig")  # fmt: skip
    (row,) = server.query(f"SELECT {', '.join(columns)} FROM pg_roles WHERE rolname = '{name}'")
    return dict(zip(columns, row, strict=True))


def member_of(server: Server, name: str) -> list[tuple[Any, ...]]:
    return server.query(
        f"SELECT roleid::regrole::text, admin_option FROM pg_auth_members WHERE member = '{name}'::regrole ORDER BY 1"
    )


# --- what is made ------------------------------------------------------------------------------------


def test_the_backup_account_has_its_rights_and_no_other(shop: Cluster) -> None:
    check = planned(shop)
    assert shop.server.query(f"SELECT 1 FROM pg_roles WHERE rolname = '{BACKUP}'") == []
    made = make(shop)
    assert (made.changed, made.as_dict()) == (True, check.as_dict())
    assert attributes(shop.server, BACKUP) == {
        "rolcanlogin": True, "rolreplication": True, "rolbypassrls": True, "rolsuper": False, "rolcreatedb": False,
        "rolcreaterole": False, "rolinherit": True, "rolconnlimit": -1, "rolconfig": ["lo_compat_privileges=on"],
    }  # fmt: skip
    assert member_of(shop.server, BACKUP) == [("pg_monitor", False), ("pg_read_all_data", False)]
    before = roles(shop.server)
    again = make(shop)
    assert (again.changed, again.as_dict()["steps"]) == (False, [])
    assert again.before == again.after == made.after
    assert roles(shop.server) == before


def test_the_monitoring_account_has_its_rights_and_no_other(shop: Cluster) -> None:
    make(shop, MONITORING, "monitoring")
    assert attributes(shop.server, MONITORING) == {
        "rolcanlogin": True, "rolreplication": False, "rolbypassrls": False, "rolsuper": False, "rolcreatedb": False,
        "rolcreaterole": False, "rolinherit": True, "rolconnlimit": 5, "rolconfig": None,
    }  # fmt: skip
    assert member_of(shop.server, MONITORING) == [("pg_monitor", False)]
    assert not make(shop, MONITORING, "monitoring").changed


def test_an_account_that_drifted_is_put_right_and_keeps_its_own_settings(shop: Cluster) -> None:
    make(shop)
    shop.server.query("CREATE ROLE clerk")
    shop.server.query(f"GRANT clerk TO {BACKUP}; GRANT pg_monitor TO {BACKUP} WITH ADMIN OPTION")
    shop.server.query(f"ALTER ROLE {BACKUP} CREATEDB CREATEROLE NOINHERIT NOBYPASSRLS NOLOGIN CONNECTION LIMIT 1")
    shop.server.query(f"ALTER ROLE {BACKUP} RESET ALL; ALTER ROLE {BACKUP} SET work_mem = '7MB'")
    made = make(shop)
    assert made.before["attributes"] == ["CREATEDB", "CREATEROLE", "REPLICATION"]
    assert "clerk" in made.before["member_of"]
    assert attributes(shop.server, BACKUP) == {
        "rolcanlogin": True, "rolreplication": True, "rolbypassrls": True, "rolsuper": False, "rolcreatedb": False,
        "rolcreaterole": False, "rolinherit": True, "rolconnlimit": -1,
        "rolconfig": ["work_mem=7MB", "lo_compat_privileges=on"],
    }  # fmt: skip
    assert member_of(shop.server, BACKUP) == [("pg_monitor", False), ("pg_read_all_data", False)]
    again = make(shop)
    assert (again.changed, again.before) == (False, made.after)


def test_a_membership_that_is_not_inherited_is_put_right(shop18: Cluster) -> None:
    """From PostgreSQL 16 on a membership has a switch of its own, and several may have granted it."""
    make(shop18)
    shop18.server.query(f"GRANT pg_read_all_data TO {BACKUP} WITH INHERIT FALSE")
    shop18.server.query("CREATE ROLE granter; GRANT pg_monitor TO granter WITH ADMIN OPTION")
    shop18.server.query(f"GRANT pg_monitor TO {BACKUP} WITH INHERIT FALSE GRANTED BY granter")
    assert make(shop18).changed
    assert not make(shop18).changed
    assert member_of(shop18.server, BACKUP) == [("pg_monitor", False), ("pg_read_all_data", False)]
    assert shop18.server.query(f"SELECT pg_has_role('{BACKUP}', 'pg_read_all_data', 'USAGE')") == [(True,)]


@pytest.mark.parametrize("name", ['Odd "quoted" na\'me; DROP ROLE x--', "日本" * 10, "%s {0}"])
def test_any_name_is_a_name(shop18: Cluster, name: str) -> None:
    assert make(shop18, name, password=PASSWORD).changed
    assert not make(shop18, name, password=PASSWORD).changed
    assert log_in(shop18.server, name, PASSWORD) == name


# --- what is refused ---------------------------------------------------------------------------------


def test_a_superuser_keeps_its_rights(shop: Cluster) -> None:
    shop.server.query("CREATE ROLE boss LOGIN SUPERUSER")
    for call in (planned, make):
        error = refused(ConfigError, call, shop, "boss", password="x")
        assert "it is a superuser" in error.reason


def test_an_account_that_owns_something_is_somebody_elses(shop18: Cluster) -> None:
    shop18.server.query("CREATE ROLE app LOGIN CREATEDB")
    shop18.server.query("CREATE DATABASE apps OWNER app")
    assert "it owns 1 objects" in refused(ConfigError, make, shop18, "app").reason


@pytest.mark.parametrize("name", ["", "pg_backup", "public", "x" * 64, "nul\0", "\udcff"])
def test_a_name_that_cannot_be_one_is_refused(shop18: Cluster, name: str) -> None:
    refused(ConfigError, make, shop18, name)


def test_an_account_without_the_rights_to_make_another_is_told_so(shop: Cluster) -> None:
    shop.server.query("CREATE ROLE clerk LOGIN; CREATE ROLE manager LOGIN CREATEROLE")
    for login in ("clerk", "manager"):
        for call in (planned, make):
            error = refused(AccessError, call, shop, login_user=login)
            assert f"{login} may not do it" in error.reason
            assert "superuser as login_user" in error.next_step
    error = refused(AccessError, make, shop, password=PASSWORD, login_user="manager")
    assert "manager may not read pg_authid" in error.reason


def test_a_manager_of_roles_who_may_grant_them_is_enough(shop18: Cluster) -> None:
    shop18.server.query("CREATE ROLE manager LOGIN CREATEROLE")
    shop18.server.query("GRANT pg_monitor TO manager WITH ADMIN OPTION; GRANT pg_read_all_data TO manager")
    wanted: dict[str, Any] = {"password": PASSWORD, "login_user": "manager"}
    assert planned(shop18, MONITORING, "monitoring", **wanted).changed
    assert shop18.server.query(f"SELECT 1 FROM pg_roles WHERE rolname = '{MONITORING}'") == []
    assert make(shop18, MONITORING, "monitoring", **wanted).changed
    assert not make(shop18, MONITORING, "monitoring", **wanted).changed
    assert log_in(shop18.server, MONITORING, PASSWORD) == MONITORING
    shop18.server.query(f"DROP ROLE {MONITORING}")  # before the one that granted its membership


def test_a_server_that_is_set_read_only_is_refused_unless_all_is_well(shop18: Cluster) -> None:
    shop18.server.query("ALTER ROLE postgres SET default_transaction_read_only = on")
    try:
        for call in (planned, make):
            assert "read-only" in refused(AccessError, call, shop18).reason
    finally:
        with shop18.server.connect() as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER ROLE postgres RESET default_transaction_read_only")


def test_a_standby_is_refused_unless_all_is_well(
    another_server: Callable[[Server], Server], server18: Server, cluster: Clusters
) -> None:
    server = another_server(server18)
    shop = cluster(server)
    make(shop, MONITORING, "monitoring")
    data = Path(server.query("SHOW data_directory")[0][0])
    (data / "standby.signal").touch()
    shutil.chown(data / "standby.signal", data.owner(), data.group())
    as_owner = ["setpriv", f"--reuid={data.owner()}", f"--regid={data.group()}", "--clear-groups"]
    restart = [str(server.bin_dir / "pg_ctl"), "restart", f"--pgdata={data}", "--wait", f"--log={data / 'standby.txt'}"]
    subprocess.run([*(as_owner if data.owner() != Path("/proc/self").owner() else []), *restart], check=True, cwd="/")
    assert not make(shop, MONITORING, "monitoring").changed
    error = refused(AccessError, make, shop)
    assert "the server is a standby" in error.reason
    assert "primary" in error.next_step


def test_a_closed_database_is_named_and_stays_closed(shop: Cluster) -> None:
    closed = shop.server.create_database("closed one")
    shop.server.query('REVOKE CONNECT ON DATABASE "closed one" FROM PUBLIC')
    check, made, again = planned(shop), make(shop), make(shop)
    for plan in (check, made, again):
        assert any(f"{BACKUP} may not connect to database '{closed}'" in said for said in plan.warnings)
    assert make(shop, MONITORING, "monitoring").warnings == []
    shop.configure(access={"user": BACKUP})
    fields = refusal(shop, 6, "backup")
    assert "permission denied for database" in fields["reason"]
    shop.server.query(f'GRANT CONNECT ON DATABASE "closed one" TO {BACKUP}')
    assert make(shop, login_user="postgres").warnings == []
    assert back_up(shop)["state"] == "complete"
    shop.server.query(f'REVOKE CONNECT ON DATABASE "closed one" FROM {BACKUP}')


def test_a_password_that_will_end_is_named(shop18: Cluster) -> None:
    make(shop18)
    shop18.server.query(f"ALTER ROLE {BACKUP} VALID UNTIL '2037-01-01 00:00+00'")
    made = make(shop18)
    assert not made.changed
    assert re.search(r"valid until 203[67]", made.warnings[0])
