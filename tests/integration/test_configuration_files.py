# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup holds the configuration of its server, as far as it may be read, and never fails for want of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.repository.manifest import render
from tests.support import containers
from tests.support.backups import back_up, restore_new
from tests.support.clusters import Cluster
from tests.support.containers import Container
from tests.support.drills import passed
from tests.support.servers import Server
from tools.embedded_cluster import free_port

RUN = f"holdfast-conf-{os.getpid()}"
SECRET = "ldap's own secret"
OWN = ["pg_hba.conf", "pg_ident.conf", "postgresql.auto.conf", "postgresql.conf"]
NOT_READABLE = "configuration files are not in this backup: this account may not read them"
ONLY = ("--database", "postgres")


@pytest.fixture
def own_server(server: Server, another_server: Callable[[Server], Server]) -> Server:
    """A server of this test alone, of each release, that includes files and has a secret in one."""
    found = another_server(server)
    data = Path(found.query("SHOW data_directory")[0][0])
    _write(data / "conf.d" / "20 late.conf", "work_mem = '5MB'\n")
    _write(data / "conf.d" / "ignored.txt", "nonsense\n")
    _write(data / "conf.d" / "10-early.conf", "work_mem = '3MB'\ninclude_if_exists 'further/deep.conf'\n")
    _write(data / "conf.d" / "further" / "deep.conf", "# nothing but a comment\nmaintenance_work_mem = '32MB'\n")
    _append(data / "postgresql.conf", "include_dir = 'conf.d'\ninclude_if_exists = 'missing.conf'\n")
    _append(data / "pg_hba.conf", f'host x y 192.0.2.0/24 ldap ldapserver=l ldapbinddn=b ldapbindpasswd="{SECRET}"\n')
    if found.major >= 16:
        _write(data / "hba.d" / "more.conf", "host x z 192.0.2.0/24 reject\n")
        _append(data / "pg_hba.conf", "include_dir hba.d\n")
    found.query("ALTER SYSTEM SET log_min_duration_statement = '7s'")
    found.query("SELECT pg_reload_conf()")
    return found


def kept(cluster: Cluster, backup_id: str) -> dict[str, bytes]:
    """What the newest backup holds, by where the server has it."""
    path = cluster.repository / "backups" / backup_id
    listed = manifest_of(cluster, backup_id)["configuration"]
    assert listed["path"] == "configuration"
    found = {one["source"]: (path / "configuration" / one["name"]).read_bytes() for one in listed["files"]}
    below = {one for one in (path / "configuration").rglob("*") if one.is_file()}
    assert len(found) == len(listed["files"]) == len(below)
    sums = (path / "checksums.sha256").read_text(encoding="utf-8")
    for one in listed["files"]:
        file = path / "configuration" / one["name"]
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        assert f"  configuration/{one['name']}\n" in sums
    return found


def manifest_of(cluster: Cluster, backup_id: str) -> dict[str, Any]:
    path = cluster.repository / "backups" / backup_id / "manifest.json"
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    return manifest


def settings_of(found: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in json.loads(found["pg_settings"])}


def require_all(server: Server, found: dict[str, bytes]) -> None:
    """Every file that the server has read is there, byte for byte, and no other."""
    data = server.query("SHOW data_directory")[0][0]
    names = [*OWN, "conf.d/10-early.conf", "conf.d/20 late.conf", "conf.d/further/deep.conf", "embedded.conf"]
    names += ["hba.d/more.conf"] if server.major >= 16 else []
    assert sorted(found) == sorted([*(f"{data}/{name}" for name in names), "pg_settings"])
    for path, content in found.items():
        if path != "pg_settings":
            assert content == Path(path).read_bytes()


def test_a_superusers_backup_holds_every_file_that_the_server_has_read(
    own_server: Server, cluster: Callable[..., Cluster]
) -> None:
    shop = cluster(own_server)
    run = shop.holdfast("backup", *ONLY, "--json", check=True)
    taken = run.json["backup"]
    found = kept(shop, taken["id"])
    require_all(own_server, found)
    assert taken["limitations"] == []
    names = {one["name"] for one in manifest_of(shop, taken["id"])["configuration"]["files"]}
    assert set(taken["configuration"]) == names
    assert "configuration files, in configuration/: 'included/" in shop.holdfast("show", taken["id"], check=True).stdout
    assert names >= {*OWN, "settings.json"}
    assert all(name in (*OWN, "settings.json") or name.startswith("included/") for name in names)
    settings = settings_of(found)
    assert settings["work_mem"] == {
        "name": "work_mem", "setting": "5120", "unit": "kB", "source": "configuration file", "pending_restart": False,
    }  # fmt: skip
    assert settings["log_min_duration_statement"]["setting"] == "7000"
    # What Holdfast's own session has is not the server's configuration.
    assert not {"application_name", "client_encoding", "statement_timeout"} & settings.keys()
    # The secret is in that one file and nowhere else: not in the manifest, the RUNBOOK or what was said.
    shown = shop.holdfast("show", taken["id"], "--json", check=True).stdout
    assert SECRET not in run.stdout + run.stderr + shown
    holding = [path for path in shop.repository.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert [path.name for path in holding] == ["pg_hba.conf"]
    assert "/configuration" in (shop.repository / "RUNBOOK.md").read_text(encoding="utf-8")
    assert shop.holdfast("check", "--json", check=True).json["checked"] == {taken["id"]: []}


def test_an_account_that_may_read_all_settings_has_the_files_read_from_this_host(
    own_server: Server, cluster: Callable[..., Cluster]
) -> None:
    own_server.query("CREATE ROLE reader LOGIN IN ROLE pg_read_all_data, pg_read_all_settings")
    shop = cluster(own_server, access={"user": "reader"})
    taken = back_up(shop, *ONLY)
    require_all(own_server, kept(shop, taken["id"]))
    assert taken["limitations"] == []


def test_an_account_without_rights_keeps_the_settings_and_says_that_the_files_are_missing(
    own_server: Server, cluster: Callable[..., Cluster]
) -> None:
    own_server.query("CREATE ROLE clerk LOGIN IN ROLE pg_read_all_data")
    shop = cluster(own_server, access={"user": "clerk"})
    taken = back_up(shop, *ONLY)
    found = kept(shop, taken["id"])
    assert list(found) == ["pg_settings"]
    assert settings_of(found)["work_mem"]["setting"] == "5120"
    assert taken["limitations"] == [NOT_READABLE]


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_there(
    own_server: Server, cluster: Callable[..., Cluster]
) -> None:
    data = Path(own_server.query("SHOW data_directory")[0][0])
    _append(data / "postgresql.conf", "include_if_exists = '/dev/null'\n")
    (data / "pg_ident.conf").unlink()
    own_server.query("CREATE ROLE reader LOGIN IN ROLE pg_read_all_data, pg_read_all_settings")
    shop = cluster(own_server, access={"user": "reader"})
    taken = back_up(shop, *ONLY)
    found = kept(shop, taken["id"])
    assert f"{data}/postgresql.conf" in found
    assert f"{data}/pg_ident.conf" not in found
    assert taken["limitations"] == ["configuration file '/dev/null' is not in this backup: it cannot be read"]


def test_it_can_be_left_out(server18: Server, cluster: Callable[..., Cluster]) -> None:
    shop = cluster(server18, backup={"configuration": False})
    taken = back_up(shop, *ONLY)
    assert manifest_of(shop, taken["id"])["configuration"] == {"path": "configuration", "files": []}
    assert not (shop.repository / "backups" / taken["id"] / "configuration").exists()
    assert taken["limitations"] == ["configuration files are not in this backup, as configured"]


def test_a_backup_from_before_there_was_such_a_thing_stays_good(
    server18: Server, cluster: Callable[..., Cluster], new_database: Callable[..., str]
) -> None:
    database = new_database(server18)
    server18.psql("CREATE TABLE books AS SELECT 1 AS id", database)
    shop = cluster(server18, backup={"configuration": False, "databases": [database]})
    taken = back_up(shop)
    facts = {key: value for key, value in manifest_of(shop, taken["id"]).items() if key != "checksum"}
    del facts["configuration"], facts["rate_limit"]
    (shop.repository / "backups" / taken["id"] / "manifest.json").write_bytes(render(facts))
    assert shop.holdfast("check", "--json", check=True).json["checked"] == {taken["id"]: []}
    assert shop.holdfast("show", taken["id"], "--json", check=True).json["configuration"] == []
    assert restore_new(shop, taken["id"], database, f"{database}_again")["verdict"] == "match"
    assert passed(shop)["backup"]["id"] == taken["id"]


# --- a server in a container ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def container() -> Iterator[Container]:
    """A server whose configuration includes a file by a link that leads elsewhere on this host than in the container."""
    with containers.running(containers.docker(), RUN) as running:
        data = "/var/lib/postgresql/data"
        script = (
            f"mkdir -p {LINKED.parent} && echo \"work_mem = '5MB'\" > {LINKED} && ln -s {LINKED} {data}/linked.conf"
            f" && echo \"include 'linked.conf'\" >> {data}/postgresql.conf"
        )
        running.engine.ask("exec", "--user", "0", running.name, "sh", "-c", script)
        running.server.query("SELECT pg_reload_conf()")
        running.server.query("CREATE ROLE reader LOGIN IN ROLE pg_read_all_data, pg_read_all_settings")
        yield running


LINKED = Path(f"/tmp/{RUN}/linked.conf")


@pytest.mark.parametrize("user", ["postgres", "reader"])
def test_a_container_has_its_own_files_read_and_no_others(container: Container, tmp_path: Path, user: str) -> None:
    LINKED.parent.mkdir(exist_ok=True)
    LINKED.write_text("the host's own, which is nobody's business\n", encoding="utf-8")
    shop = container.cluster(tmp_path, user=user)
    shop.holdfast("init", check=True)
    try:
        taken = back_up(shop, *ONLY)
    finally:
        LINKED.unlink()
        LINKED.parent.rmdir()
    found = kept(shop, taken["id"])
    linked = next(content for path, content in found.items() if path.endswith("linked.conf"))
    assert linked == b"work_mem = '5MB'\n"
    assert {Path(path).name for path in found} >= set(OWN)
    assert taken["limitations"] == []
    hba = container.engine.ask("exec", container.name, "cat", "/var/lib/postgresql/data/pg_hba.conf")
    assert found["/var/lib/postgresql/data/pg_hba.conf"] == hba.encode()


@pytest.mark.parametrize("function", [True, False])
def test_a_server_elsewhere_reads_them_itself_if_the_account_may_have_it_do_so(
    container: Container, server18: Server, cluster: Callable[..., Cluster], tmp_path: Path, function: bool
) -> None:
    """To be a member of pg_read_server_files alone does not do: that is asked of the function itself."""
    server, name = container.server, f"remote_{function}".lower()
    server.query(f"CREATE ROLE {name} LOGIN PASSWORD 'p' IN ROLE pg_read_all_data, pg_read_all_settings")
    server.query(f"GRANT pg_read_server_files TO {name}")
    if function:
        server.query(f"GRANT EXECUTE ON FUNCTION pg_read_binary_file(text), pg_show_all_file_settings() TO {name}")
    passfile = tmp_path / "passfile"
    passfile.touch(mode=0o600)
    passfile.write_text(f"*:*:*:{name}:p\n", encoding="utf-8")
    address = next(iter(container.facts()["NetworkSettings"]["Networks"].values()))["IPAddress"]
    shop = cluster(server18, access={"host": address, "port": 5432, "user": name, "passfile": str(passfile)})
    taken = back_up(shop, *ONLY)
    found = {Path(path).name for path in kept(shop, taken["id"])}
    assert found == ({*OWN, "linked.conf", "pg_settings"} if function else {"pg_settings"})
    assert taken["limitations"] == ([] if function else [NOT_READABLE])


def test_another_clusters_files_under_the_same_path_are_not_taken_for_this_ones(
    server18: Server, cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    """As where a port of another host is forwarded to this one: what lies here is another server's."""
    name, port, data = f"{RUN}-elsewhere", free_port(0), tmp_path / "data"
    place = ("--env", f"PGDATA={data}", "--volume", f"{name}-data:{data}", "--network", "host")
    others = Path(server18.query("SHOW data_directory")[0][0])
    (data / "global").mkdir(parents=True)
    for file in ("global/pg_control", "postgresql.conf", "pg_hba.conf"):
        shutil.copy(others / file, data / file)
    command = ("postgres", "-c", f"port={port}", "-c", "listen_addresses=127.0.0.1")
    with containers.running(containers.docker(), name, arguments=command, data=place):
        with server18.connect(host="127.0.0.1", port=port) as connection:
            connection.execute("CREATE ROLE reader LOGIN IN ROLE pg_read_all_data, pg_read_all_settings")
        shop = cluster(server18, access={"user": "reader", "host": "127.0.0.1", "port": port})
        taken = back_up(shop, *ONLY)
    assert settings_of(kept(shop, taken["id"]))["data_directory"]["setting"] == str(data)
    assert list(kept(shop, taken["id"])) == ["pg_settings"]
    assert taken["limitations"] == [NOT_READABLE]


def _write(path: Path, text: str) -> None:
    """Writes a file that belongs to whom the directory above belongs to, with the directories that it takes."""
    missing = [one for one in path.parents if not one.exists()]
    owner = next(one for one in path.parents if one.exists()).stat()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    for one in (path, *missing):
        os.chown(one, owner.st_uid, owner.st_gid)


def _append(path: Path, text: str) -> None:
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(text)
