"""Reaching a server: passwords, rights, versions; what cannot be read is named, never left out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.backups import (
    ACCESS,
    BACKUP,
    PREFLIGHT,
    back_up,
    ended,
    eventually,
    files_below,
    listed,
    refusal,
    restore_new,
    started,
    tidied,
)
from tests.support.clusters import Cluster
from tests.support.servers import Server

Clusters = Callable[..., Cluster]
OVER_TCP = {"host": "127.0.0.1", "user": "postgres"}


@pytest.fixture(autouse=True)
def tidy(server18: Server) -> Iterator[None]:
    with tidied(server18):
        yield


@pytest.fixture
def shelf(server18: Server, new_database: Callable[..., str]) -> str:
    """A database with one table of two rows."""
    name = new_database(server18)
    server18.psql("CREATE TABLE books AS SELECT n AS id FROM generate_series(1, 2) AS n", name)
    return name


@pytest.fixture
def passfile(server18: Server, tmp_path: Path) -> Path:
    return server18.write_passfile(tmp_path / "passfile")


# --- passwords ---------------------------------------------------------------------------------------


def test_a_passfile_holds_the_password(server18: Server, shelf: str, cluster: Clusters, passfile: Path) -> None:
    shop = cluster(server18, access={**OVER_TCP, "passfile": str(passfile)})
    taken = back_up(shop, "--database", shelf)
    assert restore_new(shop, taken["id"], shelf, "again")["verdict"] == "match"


def test_a_service_file_may_hold_all_there_is_to_know(
    server18: Server, shelf: str, cluster: Clusters, tmp_path: Path
) -> None:
    file = tmp_path / "services"
    password = server18.password
    file.touch(mode=0o600)
    file.write_text(f"[shop]\nhost=127.0.0.1\nport={server18.port}\nuser=postgres\npassword={password}\n")
    access = {"kind": "host", "service": "shop", "service_file": str(file), "bin_dir": str(server18.bin_dir)}
    shop = cluster(server18)
    shop.configure(access=None)
    shop.configure(access=access)
    taken = back_up(shop, "--database", shelf)
    assert restore_new(shop, taken["id"], shelf, "again")["verdict"] == "match"


def test_a_wrong_password_is_an_error_of_access(
    server18: Server, shelf: str, cluster: Clusters, passfile: Path
) -> None:
    passfile.write_text("*:*:*:*:wrong\n", encoding="utf-8")
    shop = cluster(server18, access={**OVER_TCP, "passfile": str(passfile)})
    fields = refusal(shop, ACCESS, "backup")
    assert "password authentication failed" in fields["reason"]
    assert "access.passfile" in fields["next_step"]
    assert shop.backups == []


def test_no_password_at_all_is_an_error_and_never_a_prompt(server18: Server, shelf: str, cluster: Clusters) -> None:
    fields = refusal(cluster(server18, access=OVER_TCP), ACCESS, "backup")
    assert "no password supplied" in fields["reason"]
    assert "access.passfile" in fields["next_step"]


def test_a_server_that_is_not_there_is_an_error_of_access(server18: Server, cluster: Clusters) -> None:
    fields = refusal(cluster(server18, access={"host": "127.0.0.1", "port": 1}), ACCESS, "backup")
    assert "Connection refused" in fields["reason"]
    assert fields["details"]["port"] == 1


def test_a_password_is_in_no_argument_no_environment_and_no_output(
    server18: Server, shelf: str, cluster: Clusters, passfile: Path
) -> None:
    shop = cluster(server18, access={**OVER_TCP, "passfile": str(passfile)})
    server18.psql("CREATE SEQUENCE numbers", shelf)
    with server18.connect(shelf) as holder:
        holder.execute("BEGIN; ALTER SEQUENCE numbers RENAME TO renamed")
        with started(shop, "backup", "--database", shelf) as running:
            eventually(lambda: any("pg_dump" in text for text, _env in _processes()))
            seen = [text + environment for text, environment in _processes()]
            holder.execute("ROLLBACK")
            run = ended(running)
    assert run.returncode == 0, run.stderr
    everything = [*seen, run.stdout, run.stderr, shop.config_file.read_text(encoding="utf-8")]
    everything += [path.read_text("utf-8", "replace") for path in shop.repository.rglob("*.json")]
    for text in everything:
        assert server18.password not in text
        assert json.dumps(server18.password)[1:-1] not in text


# --- rights ------------------------------------------------------------------------------------------


@pytest.fixture
def clerk(server18: Server, shelf: str, cluster: Clusters) -> Cluster:
    """The cluster as an account without any rights reaches it."""
    server18.query("CREATE ROLE clerk LOGIN")
    return cluster(server18, access={"user": "clerk"})


def test_a_table_that_the_account_may_not_read_is_named(clerk: Cluster, shelf: str) -> None:
    clerk.server.psql('CREATE SCHEMA hidden; CREATE TABLE hidden."Not yours" (id integer)', shelf)
    clerk.server.psql("GRANT SELECT ON books TO clerk", shelf)
    fields = refusal(clerk, ACCESS, "backup", "--database", shelf)
    assert fields["details"]["relations"] == ['hidden."Not yours"']
    assert 'hidden."Not yours"' in fields["reason"]
    assert "pg_read_all_data" in fields["next_step"]
    assert clerk.backups == []


def test_a_sequence_that_the_account_may_not_read_is_named(clerk: Cluster, shelf: str) -> None:
    clerk.server.psql("GRANT SELECT ON books TO clerk; CREATE SEQUENCE numbers", shelf)
    assert refusal(clerk, ACCESS, "backup", "--database", shelf)["details"]["relations"] == ["public.numbers"]


def test_rows_that_row_security_hides_are_named(clerk: Cluster, shelf: str) -> None:
    clerk.server.psql(
        "GRANT pg_read_all_data TO clerk; ALTER TABLE books ENABLE ROW LEVEL SECURITY;"
        " CREATE POLICY few ON books FOR SELECT USING (id = 1)",
        shelf,
    )
    fields = refusal(clerk, ACCESS, "backup", "--database", shelf)
    assert fields["details"]["relations"] == ["public.books (row security)"]
    clerk.server.query("ALTER ROLE clerk BYPASSRLS")
    assert back_up(clerk, "--database", shelf)["databases"][0]["rows"] == 2


def test_a_large_object_that_the_account_may_not_read_is_named(clerk: Cluster, shelf: str) -> None:
    clerk.server.psql("GRANT SELECT ON books TO clerk; SELECT lo_from_bytea(7000001, 'hidden')", shelf)
    fields = refusal(clerk, BACKUP, "backup", "--database", shelf)
    assert "permission denied for large object 7000001" in fields["reason"]
    assert clerk.backups == []


def test_an_account_that_may_read_all_data_is_enough(clerk: Cluster, shelf: str) -> None:
    clerk.server.psql("GRANT pg_read_all_data TO clerk; REVOKE ALL ON SCHEMA public FROM PUBLIC", shelf)
    taken = back_up(clerk, "--database", shelf)
    assert taken["databases"][0]["rows"] == 2
    # That role's rights reach even the passwords (PostgreSQL documentation, "Predefined Roles": all tables).
    assert taken["role_passwords"] is True
    # Where the server's files are is a setting, which is no table.
    assert taken["limitations"] == ["configuration files are not in this backup: this account may not read them"]
    clerk.configure(access={"user": "postgres"})
    assert restore_new(clerk, taken["id"], shelf, "again")["verdict"] == "match"


def test_passwords_that_the_account_may_not_read_are_said_to_be_missing(clerk: Cluster, shelf: str) -> None:
    clerk.server.psql("GRANT SELECT ON books TO clerk", shelf)
    taken = back_up(clerk, "--database", shelf)
    assert taken["role_passwords"] is False
    assert any("may not read pg_authid" in said for said in taken["limitations"])


def test_a_restore_that_the_account_may_not_do_is_refused_beforehand(clerk: Cluster, shelf: str) -> None:
    clerk.server.psql("GRANT SELECT ON books TO clerk", shelf)
    taken = back_up(clerk, "--database", shelf)
    fields = refusal(clerk, PREFLIGHT, "restore", "--id", taken["id"], "--database", shelf, "--into", "again")
    assert "clerk is no superuser and may not do this" in fields["reason"]
    assert "again" not in clerk.server.databases()


# --- versions ----------------------------------------------------------------------------------------


def test_tools_older_than_the_server_are_refused_before_anything_is_written(
    server16: Server, server18: Server, cluster: Clusters
) -> None:
    shop = cluster(server18, access={"bin_dir": str(server16.bin_dir)})
    before = files_below(shop.repository)
    for verb in (["backup"], ["backup", "--dry-run"]):
        fields = refusal(shop, ACCESS, *verb)
        assert f"it is older than the server of cluster shop ({server18.version})" in fields["reason"]
        assert "access.bin_dir" in fields["next_step"]
    assert [name for name in files_below(shop.repository) if not name.startswith(".")] == before
    assert listed(shop) == []


def test_tools_newer_than_the_server_back_up_but_do_not_restore(
    server16: Server, server18: Server, cluster: Clusters, new_database: Callable[..., str]
) -> None:
    name = new_database(server16)
    server16.psql("CREATE TABLE t AS SELECT 1 AS id", name)
    with tidied(server16):
        shop = cluster(server16, access={"bin_dir": str(server18.bin_dir)})
        taken = back_up(shop, "--database", name)
        arguments = ["--id", taken["id"], "--database", name, "--into", "again"]
        fields = refusal(shop, PREFLIGHT, "restore", *arguments)
        assert "set access.bin_dir to the programs of PostgreSQL 16" in fields["reason"]


def test_a_directory_without_the_programs_is_an_error_of_access(
    server18: Server, cluster: Clusters, tmp_path: Path
) -> None:
    fields = refusal(cluster(server18, access={"bin_dir": str(tmp_path)}), ACCESS, "backup")
    assert "pg_dump" in fields["msg"]
    assert "access.bin_dir" in fields["next_step"]


def _processes() -> list[tuple[str, str]]:
    """Argument list and environment of every process on this machine."""
    found: list[tuple[str, str]] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                parts: list[Any] = [(entry / name).read_bytes() for name in ("cmdline", "environ")]
            except OSError:
                continue
            found.append((parts[0].decode("utf-8", "replace"), parts[1].decode("utf-8", "replace")))
    return found
