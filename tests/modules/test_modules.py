"""The modules and playbooks, run by ansible-playbook against real servers."""

from __future__ import annotations

import json
import os
import pwd
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import playbooks
from tests.support.clusters import Cluster
from tests.support.servers import Server


def access_to(server: Server) -> dict[str, Any]:
    """What an inventory says of a server."""
    return {
        "kind": "host",
        "host": str(server.socket_dir),
        "port": server.port,
        "user": server.user,
        "bin_dir": str(server.bin_dir),
    }


@pytest.fixture
def database(server18: Server, new_database: Callable[..., str]) -> str:
    """A small database on `server18`."""
    name = new_database(server18)
    server18.query("CREATE TABLE orders AS SELECT generate_series(1, 300) AS id", name)
    return name


def test_the_modules_say_what_they_do_and_do_what_they_say(
    tmp_path: Path, server18: Server, database: str, cluster: Callable[..., Cluster]
) -> None:
    shop = cluster(server18, initialised=False, backup={"databases": [database], "jobs": 1})
    hosts = playbooks.inventory(tmp_path, {"shop": None})

    hosts.play(
        "tests/modules/modules.yml",
        cluster="shop",
        config_dir=str(shop.config_dir),
        repository=str(shop.repository),
        database=database,
    ).require_success()

    server18.drop_database(f"{database}_copy")


def test_no_password_is_in_the_most_verbose_output(
    tmp_path: Path, server18: Server, database: str, cluster: Callable[..., Cluster]
) -> None:
    passfile = server18.write_passfile(tmp_path / "passfile")
    by_password = {"host": "127.0.0.1", "passfile": str(passfile)}
    shop = cluster(server18, access=by_password, backup={"databases": [database]})
    hosts = playbooks.inventory(tmp_path, {"shop": {"holdfast_config_dir": str(shop.config_dir)}})

    taken = hosts.play("playbooks/backup.yml", "-vvv").require_success()
    passfile.write_text(passfile.read_text().replace("it", "not it"))
    refused = hosts.play("playbooks/backup.yml", "-vvv")

    assert refused.returncode != 0
    assert "Correct the password in the passfile" in refused.said
    for run in (taken, refused):
        assert "pass:word" not in run.said
        assert "pass\\:word" not in run.said


def test_the_playbooks_serve_many_clusters_of_one_machine(
    tmp_path: Path, server16: Server, server18: Server, new_database: Callable[..., str]
) -> None:
    """An inventory of about ten lines; its hosts share one machine, and each is a cluster."""
    databases = {"shop": new_database(server18), "old": new_database(server16)}
    servers = {"shop": server18, "old": server16}
    account = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    for name, server in servers.items():
        server.query("CREATE TABLE orders AS SELECT generate_series(1, 300) AS id", databases[name])
    hosts = playbooks.inventory(
        tmp_path,
        {
            name: {
                "holdfast_access": access_to(server),
                "holdfast_backup": {"databases": [databases[name]]},
                "holdfast_repository": str(tmp_path / "backups" / name),
            }
            for name, server in servers.items()
        },
        ansible_host="127.0.0.1",
        holdfast_config_dir=str(tmp_path / "etc"),
        holdfast_account=account,
        # What else site.yml has on a machine is kept away from this one.
        holdfast_schedule={"backend": "none"},
        holdfast_monitor={"textfile": str(tmp_path / "metrics")},
        holdfast_state_dir=str(tmp_path / "state"),
        # The servers of the tests do without what only a crash of the machine would show.
        holdfast_guard={"fsync": "ignore", "full_page_writes": "ignore", "checksums": "ignore"},
        holdfast_retention={"daily": "0 days", "minimum": 1},
    )

    before = hosts.play("playbooks/site.yml", "--check").require_success()
    assert not (tmp_path / "etc").exists()
    assert not (tmp_path / "backups").exists()
    first = hosts.play("playbooks/site.yml").require_success()
    again = hosts.play("playbooks/site.yml").require_success()
    taken = hosts.play("playbooks/backup.yml", tier="daily", if_older_than="20h").require_success()
    newer = hosts.play("playbooks/backup.yml", note="the one that stays").require_success()
    listed = hosts.play("playbooks/catalogue.yml", check=True).require_success()
    pruned = hosts.play("playbooks/prune.yml", "--check", "--diff").require_success()

    changed = {run: [host["changed"] for host in run.recap.values()] for run in (first, again, taken, newer)}
    assert all(count > 0 for host in before.recap.values() for count in [host["changed"]])
    assert all(count > 0 for count in changed[first])
    assert changed[again] == [0, 0]
    assert changed[taken] == [1, 1]
    assert changed[newer] == [1, 1]
    for name in servers:
        found = sorted(path.name for path in (tmp_path / "backups" / name / "backups").iterdir())
        assert len(found) == 2, "a check mode took a backup, or pruned one"
        assert all(f"{one}: complete" in listed.said for one in found)
        daily, manual = found
        assert re.search(rf"\n-{daily}  \S", pruned.said), "what goes, and why"
        assert re.search(rf"\n {manual}  \S", pruned.said), "what stays, and why"
    written = list((tmp_path / "backups").glob("*/**/*"))
    assert {path.owner() for path in written} == {account}
    assert {path.stat().st_mode & 0o777 for path in written} == {0o700, 0o600}
    configured = json.loads((tmp_path / "etc" / "old.json").read_text())
    assert configured["access"] == access_to(server16)

    everywhere = hosts.play("playbooks/restore.yml", database=databases["shop"])
    assert everywhere.returncode != 0
    assert "name one cluster with -l" in everywhere.said
    server18.query("DELETE FROM orders", databases["shop"])
    aim = {"database": databases["shop"], "backup": "latest"}
    unconfirmed = hosts.play("playbooks/restore.yml", "--limit", "shop", **aim)
    assert server18.query("SELECT count(*) FROM orders", databases["shop"]) == [(0,)]
    confirmed = {**aim, "confirm": databases["shop"]}
    hosts.play("playbooks/restore.yml", "--limit", "shop", **confirmed).require_success()
    assert unconfirmed.returncode != 0
    assert server18.query("SELECT count(*) FROM orders", databases["shop"]) == [(300,)]
    for name in server18.databases():
        if "_before_" in name:
            server18.drop_database(name)


def test_an_inventory_that_cannot_be_right_is_refused_before_anything_is_written(
    tmp_path: Path, server18: Server
) -> None:
    good = access_to(server18)
    wrong = {
        "nothing": {},
        "elsewhere": {"kind": "cloud"},
        "secret": {**good, "password": "hunter2"},
        "misspelt": {**good, "prot": 5432},
    }
    hosts = playbooks.inventory(
        tmp_path,
        {
            name: {"holdfast_access": access, "holdfast_repository": str(tmp_path / name)}
            for name, access in wrong.items()
        },
        holdfast_config_dir=str(tmp_path / "etc"),
    )

    refused = hosts.play("playbooks/site.yml")

    assert [host["failed"] for host in refused.recap.values()] == [1, 1, 1, 1]
    assert refused.said.count("its inventory host does not say which server it is") >= 2
    assert "Put the password into a" in refused.said
    assert "prot" in refused.said
    assert "hunter2" not in refused.said
    assert not list((tmp_path / "etc").glob("*.json"))
