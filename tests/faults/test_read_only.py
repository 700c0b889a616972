# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A repository that may not be written, is not there, or is another one, is refused before anything is tried."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import clusters
from tests.support.clusters import Cluster
from tests.support.disks import as_ordinary_user, give_to_ordinary_user, mounted, remount
from tests.support.needs import lacking
from tests.support.processes import until
from tests.support.servers import Server
from tools.unprivileged import unprivileged_account

MARKER = "holdfast-repository.json"


@pytest.fixture
def shop(server18: Server, cluster: Callable[..., Cluster], new_database: Callable[..., str]) -> Cluster:
    database = new_database(server18)
    server18.psql(
        "CREATE TABLE orders AS SELECT i AS id, md5(i::text) AS note FROM generate_series(1, 20000) i", database
    )
    return cluster(server18, backup={"databases": [database]})


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that an ordinary user may enter, even if the tests run as root."""
    path = Path(tempfile.mkdtemp(prefix="holdfast-test-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    for directory in (path, *path.rglob("*")):
        if directory.is_dir() and not directory.is_symlink():
            directory.chmod(0o700)
    shutil.rmtree(path)


def require_refused(cluster: Cluster, reason: str, *verbs: str) -> None:
    for verb in verbs or ("backup", "list", "prune", "check"):
        done = cluster.holdfast(verb, "--json")
        assert done.returncode == 4, f"{verb}: {done.stderr}{done.stdout}"
        assert reason in done.json["msg"]
        assert done.json["next_step"]
        assert "Traceback" not in done.stderr


def test_a_read_only_file_system_is_refused_and_can_be_read(
    server18: Server, cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    with mounted(tmp_path / "repository", "20m") as disk:
        shop = cluster(server18, backup={"databases": ["postgres"]})
        shop.holdfast("backup", check=True)
        remount(disk, "ro")
        require_refused(shop, "Read-only file system", "backup", "prune")
        assert len(shop.holdfast("list", "--json", check=True).json["backups"]) == 1
        into = "restored_from_read_only"
        try:
            done = shop.holdfast("restore", "--latest", "--database", "postgres", "--into", into, "--json", check=True)
            assert into in server18.databases()
            assert done.json["verdict"] == "match"
            assert "Read-only file system" in done.json["warnings"][0], "the proof could not be kept, and that is said"
        finally:
            server18.drop_database(into)


def test_a_directory_that_can_no_longer_be_written_while_a_backup_runs(
    server18: Server, new_database: Callable[..., str], open_directory: Path
) -> None:
    """As on a disk that went read-only. What cannot be cleaned up then is no backup, and goes with a prune."""
    database = new_database(server18)
    server18.query("CREATE TABLE held (id int)", database)
    shop = clusters.create(server18, open_directory, backup={"databases": [database]})
    give_to_ordinary_user(shop.repository)
    with server18.connect(database) as holder, ThreadPoolExecutor(1) as pool:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
        running = pool.submit(as_ordinary_user, shop, "backup")
        (partial,) = until(lambda: shop.backups, "it writes")
        until((partial / "globals.sql").exists, "it waits for the table")
        for directory in (partial / "databases", partial, shop.repository / "backups"):
            directory.chmod(0o500)
        holder.execute("ROLLBACK")
        done = running.result()
    assert done.returncode in (4, 6), done.stderr
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    assert shop.holdfast("list", "--json", check=True).json["backups"] == []
    for directory in (shop.repository / "backups", partial, partial / "databases"):
        directory.chmod(0o700)
    done = as_ordinary_user(shop, "prune")
    assert done.returncode == 0, done.stderr
    assert shop.backups == []
    assert as_ordinary_user(shop, "backup").returncode == 0


def test_an_account_that_may_not_write_is_told_so(server18: Server, open_directory: Path) -> None:
    shop = clusters.create(server18, open_directory, backup={"databases": ["postgres"]})
    give_to_ordinary_user(shop.repository)
    done = as_ordinary_user(shop, "backup")
    assert done.returncode == 0, done.stderr
    account = unprivileged_account()
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in shop.repository.rglob("*")}
    assert account is None or owners == {(account.uid, account.gid)}
    (shop.repository / "backups").chmod(0o500)
    for verb, code in (("backup", 4), ("list", 0)):
        done = as_ordinary_user(shop, verb, "--json")
        assert done.returncode == code, done.stderr
        assert code == 0 or "Permission denied" in done.json["msg"]
        assert code == 0 or "run as its owner" in done.json["next_step"]
    shop.repository.chmod(0o000)
    for verb in ("backup", "list", "prune"):
        done = as_ordinary_user(shop, verb, "--json")
        assert (done.returncode, done.json["error"]) == (4, "RepositoryError"), done.stderr
    shop.repository.chmod(0o700)
    (shop.repository / "backups").chmod(0o700)


def test_what_root_writes_belongs_to_the_owner_of_the_repository(server18: Server, open_directory: Path) -> None:
    account = unprivileged_account()
    if account is None:
        lacking("only root can write what belongs to others")
    shop = clusters.create(server18, open_directory, backup={"databases": ["postgres"]})
    give_to_ordinary_user(shop.repository)
    backup = shop.holdfast("backup", "--json", check=True).json["backup"]["id"]
    shop.holdfast("pin", backup, check=True)
    shop.holdfast("check", check=True)
    strangers = [str(path) for path in shop.repository.rglob("*") if path.stat().st_uid != account.uid]
    assert strangers == []
    for verb in (("backup",), ("check",), ("unpin", backup), ("prune",)):
        done = as_ordinary_user(shop, *verb)
        assert done.returncode == 0, f"{verb}: {done.stderr}"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_everything_in_a_repository_is_private(shop: Cluster, umask: int) -> None:
    before = os.umask(umask)
    try:
        backup = shop.holdfast("backup", "--json", check=True).json["backup"]["id"]
        shop.holdfast("check", check=True)
        shop.holdfast("pin", backup, check=True)
    finally:
        os.umask(before)
    modes = {
        path.relative_to(shop.repository).as_posix(): path.stat().st_mode & 0o777 for path in shop.repository.rglob("*")
    }
    wrong = {n: oct(m) for n, m in modes.items() if m != (0o700 if (shop.repository / n).is_dir() else 0o600)}
    assert wrong == {}
    assert shop.repository.stat().st_mode & 0o777 == 0o700
    assert len(modes) > 10


def test_a_repository_that_is_not_mounted_is_not_made_anew(shop: Cluster) -> None:
    shop.holdfast("backup", check=True)
    away = shop.repository.with_name("away")
    shop.repository.rename(away)
    for mount_point in (False, True):
        if mount_point:
            shop.repository.mkdir(mode=0o700)
        require_refused(shop, f"there is no {MARKER} in it")
        done = shop.holdfast("init", "--json")
        assert done.returncode == 4, "this host remembers a repository: another one is not made in its place"
        assert not shop.repository.exists() or list(shop.repository.iterdir()) == []
    shop.repository.rmdir()
    away.rename(shop.repository)
    assert len(shop.holdfast("list", "--json", check=True).json["backups"]) == 1


def test_a_host_without_a_memory_makes_no_repository_by_itself(
    server18: Server, cluster: Callable[..., Cluster]
) -> None:
    shop = cluster(server18, initialised=False)
    shop.repository.mkdir(parents=True)
    require_refused(shop, f"there is no {MARKER} in it")
    assert list(shop.repository.iterdir()) == []
    made = shop.holdfast("init", "--json", check=True).json
    assert made["changed"]
    assert (shop.config_dir / "shop.repository-id").read_text().strip() == made["repository_id"]
    again = shop.holdfast("init", "--json", check=True).json
    assert (again["changed"], again["repository_id"]) == (False, made["repository_id"])


def test_the_repository_of_another_cluster_is_refused(server18: Server, cluster: Callable[..., Cluster]) -> None:
    shop, crm = cluster(server18), cluster(server18, "crm")
    crm.configure(repository=str(shop.repository))
    require_refused(crm, "it belongs to cluster 'shop', not to 'crm'")
    assert shop.backups == []


def test_another_repository_of_the_same_cluster_is_refused_until_it_is_meant(shop: Cluster) -> None:
    marker = shop.repository / MARKER
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "id": "f" * 32}))
    require_refused(shop, "it is another one than this host used until now")
    (shop.config_dir / "shop.repository-id").unlink()
    shop.holdfast("backup", check=True)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 2}'])
def test_a_damaged_marker_is_refused(shop: Cluster, content: str) -> None:
    (shop.repository / MARKER).write_text(content)
    require_refused(shop, MARKER)
    assert shop.backups == []


def test_a_repository_that_is_a_file_is_refused(shop: Cluster) -> None:
    shop.configure(repository=str(shop.config_file))
    require_refused(shop, "Not a directory")


def test_a_full_directory_is_not_made_a_repository(server18: Server, cluster: Callable[..., Cluster]) -> None:
    shop = cluster(server18, initialised=False)
    shop.repository.mkdir(parents=True)
    (shop.repository / "thesis.tex").touch()
    require_refused(shop, "holds other things (thesis.tex)", "init")
    assert [path.name for path in shop.repository.iterdir()] == ["thesis.tex"]
