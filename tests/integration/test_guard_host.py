# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard finds where the data of a server of the host itself lie."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import disks
from tests.support.clusters import Cluster
from tests.support.guarded import guarded
from tests.support.needs import lacking
from tests.support.servers import FAST_AND_UNSAFE, Server
from tools import embedded

Clusters = Callable[..., Cluster]
# The tests' own servers are fast instead of safe.
LENIENT = {"fsync": "ignore", "full_page_writes": "ignore"}


def data_directory(server: Server) -> Path:
    return Path(server.query("SHOW data_directory")[0][0])


def mount_of(path: Path) -> list[str]:
    """Mount point and file system type of a path, as df says."""
    done = subprocess.run(["df", "--output=target,fstype", str(path)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[1].split()


def test_a_server_of_the_host_is_vouched_for(server: Server, cluster: Clusters) -> None:
    shop = cluster(server, guard=LENIENT)

    found = guarded(shop)

    real = data_directory(server).resolve()
    target, fstype = mount_of(real)
    assert found.errors == set()
    assert found.check("data")[1].startswith(f"the data directory {real} lies on {target} ({fstype})")
    assert found.result["volume"]["pg_version"] == server.major
    assert found.result["compose"] is None
    identity = found.result["identity"]
    assert identity["data_directory"] == str(data_directory(server))
    assert identity["container"] is None


@pytest.mark.parametrize(
    ("expected", "errors"),
    [
        ("{data}", set()),
        ("{data}/..", set()),
        ("/", set()),
        ("{link}", set()),
        ("{data}2", {"data"}),
        ("/nonexistent", {"data"}),
        ("a_volume", {"data"}),
    ],
)
def test_data_are_where_the_configuration_says_or_that_is_an_error(
    server18: Server, cluster: Clusters, tmp_path: Path, expected: str, errors: set[str]
) -> None:
    data = data_directory(server18)
    (tmp_path / "link").symlink_to(data.parent)
    volume = expected.format(data=data, link=tmp_path / "link")
    found = guarded(cluster(server18, guard={**LENIENT, "volume": volume}))
    assert found.errors == errors


def test_a_directory_that_is_no_mount_of_its_own_is_said_to_be_none(server18: Server, cluster: Clusters) -> None:
    data = data_directory(server18)
    found = guarded(cluster(server18, guard={**LENIENT, "volume": str(data)}))
    if mount_of(data)[1] != "overlay":
        assert "no mount of its own" in found.check("data")[1]


def test_a_tablespace_in_memory_is_found(server18: Server, cluster: Clusters, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        lacking("only root may mount a file system")
    owner = data_directory(server18).stat()
    base = Path("/tmp") / f"holdfast-test-space-{os.getpid()}"
    try:
        with disks.mounted(base, "16m") as space:
            os.chown(space, owner.st_uid, owner.st_gid)
            server18.query(f"CREATE TABLESPACE quick LOCATION '{space}'")
            try:
                found = guarded(cluster(server18, guard=LENIENT))
            finally:
                server18.query("DROP TABLESPACE quick")
    finally:
        if base.exists():
            shutil.rmtree(base)

    assert found.errors == {"tablespaces"}
    assert f"{base} lies on {base} (tmpfs): in memory" in found.check("tablespaces")[1]


def test_a_restart_is_noticed(
    server18: Server, another_server: Callable[[Server], Server], cluster: Clusters, tmp_path: Path
) -> None:
    server = another_server(server18)
    shop = cluster(server, guard=LENIENT)
    file = tmp_path / "identity.json"
    file.write_text(json.dumps(guarded(shop).result["identity"]))
    assert guarded(shop, "--identity", str(file)).errors == set()

    embedded.stop(server.directory)
    embedded.start(server.directory, server.bin_dir, settings=FAST_AND_UNSAFE)
    found = guarded(shop, "--identity", str(file))

    assert found.errors == {"identity"}
    assert "started_at was" in found.said


def test_an_identity_can_be_read_from_standard_input(server18: Server, cluster: Clusters) -> None:
    shop = cluster(server18, guard=LENIENT)
    taken = shop.holdfast("guard", "--json", check=True).stdout
    done = subprocess.run(
        shop.command("guard", "--identity", "-"),
        input=taken, env=shop.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "ok       identity: it is the same server, and it was not restarted" in done.stdout.splitlines()


def test_another_server_is_noticed(server16: Server, server18: Server, cluster: Clusters, tmp_path: Path) -> None:
    file = tmp_path / "identity.json"
    file.write_text(cluster(server18, name="shop", guard=LENIENT).holdfast("guard", "--json", check=True).stdout)
    found = guarded(cluster(server16, name="other", guard=LENIENT), "--identity", str(file))
    assert found.errors == {"identity"}
    assert "system_identifier was" in found.said


def test_an_account_that_may_not_ask_for_the_data_directory_finds_it_all_the_same(
    server18: Server, cluster: Clusters
) -> None:
    if os.geteuid() != 0:
        lacking("only root may look at the server's process")
    server18.query("CREATE ROLE holdfast_least LOGIN")
    try:
        found = guarded(cluster(server18, guard=LENIENT, access={"user": "holdfast_least"}))
    finally:
        server18.query("DROP ROLE holdfast_least")
    assert found.errors == set()
    assert found.result["identity"]["data_directory"] == str(data_directory(server18))


def test_a_server_that_does_not_answer_is_an_error_that_says_what_to_do(server18: Server, cluster: Clusters) -> None:
    done = cluster(server18, access={"port": 1}).holdfast("guard")
    assert done.returncode == 12
    assert "See that the server runs" in done.stdout


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"identity": null}'])
def test_an_identity_that_is_none_is_a_wrong_argument(
    server18: Server, cluster: Clusters, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "identity.json"
    file.write_text(content)
    done = cluster(server18).holdfast("guard", "--identity", str(file))
    assert done.returncode == 2
    assert "holdfast" in done.stderr


def test_settings_that_risk_the_data_are_errors_by_default(server18: Server, cluster: Clusters) -> None:
    found = guarded(cluster(server18))
    assert found.errors == {"fsync", "full_page_writes"}
