# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup that is not what it was is found, named, not restored from, and never counted."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.config import load
from holdfast.operations.catalogue import catalogue
from holdfast.repository.durable import measure
from holdfast.system import System
from tests.support import clusters, sets
from tests.support.clusters import Cluster
from tests.support.servers import Server


class Shop:
    """A cluster with two backups; the newer one is to be damaged."""

    def __init__(self, cluster: Cluster, database: str) -> None:
        self.cluster = cluster
        self.database = database
        self.older, self.newer = sorted(path.name for path in cluster.backups)

    @property
    def newer_path(self) -> Path:
        return self.cluster.repository / "backups" / self.newer

    def states(self) -> dict[str, str]:
        listed = catalogue(load("shop", str(self.cluster.config_dir)), System())
        return {one["id"]: one["state"] for one in listed["backups"]}

    def restore(self, *which: str) -> Any:
        """The outcome of a restore that must not have made a database unless it succeeded."""
        into = f"{self.database}_again"
        done = self.cluster.holdfast("restore", *which, "--database", self.database, "--into", into, "--json")
        made = {name for name in self.cluster.server.databases() if name.startswith(into)}
        self.cluster.server.drop_database(into)
        assert made == ({into} if done.returncode == 0 else set())
        return done


@pytest.fixture(scope="module")
def undamaged(server18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two backups of one database; every test damages a copy of them."""
    database = server18.create_database("undamaged")
    server18.psql("CREATE TABLE orders AS SELECT i AS id FROM generate_series(1, 1000) i;", database)
    server18.psql("SELECT lo_from_bytea(0, 'a large object');", database)
    cluster = clusters.create(server18, tmp_path_factory.mktemp("undamaged"), backup={"databases": [database]})
    for _ in range(2):
        cluster.holdfast("backup", check=True)
        time.sleep(1)  # ids sort by the second
    yield cluster
    server18.drop_database(database)


@pytest.fixture
def shop(undamaged: Cluster, cluster: Callable[..., Cluster]) -> Shop:
    copied = cluster(undamaged.server, initialised=False, backup=undamaged.config()["backup"])
    shutil.copytree(undamaged.repository, copied.repository)
    (database,) = undamaged.config()["backup"]["databases"]
    return Shop(copied, database)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def lead_elsewhere(path: Path) -> None:
    shutil.copy(path, path.parents[3] / "elsewhere")
    path.unlink()
    path.symlink_to(path.parents[3] / "elsewhere")


def data_file(root: Path) -> Path:
    return next(path for path in sorted(root.glob("databases/*/*.dat.gz")))


DATA: list[tuple[str, Callable[[Path], None]]] = [
    ("globals.sql", flip_a_bit),
    ("globals.sql", empty),
    ("fingerprint.json", flip_a_bit),
    ("fingerprint.json", Path.unlink),
    ("databases/*/toc.dat", flip_a_bit),
    ("databases/*/toc.dat", truncate),
    ("databases/*/toc.dat", Path.unlink),
    ("databases/*/*.dat.gz", flip_a_bit),
    ("databases/*/*.dat.gz", truncate),
    ("databases/*/*.dat.gz", Path.unlink),
    ("databases/*/*.dat.gz", lead_elsewhere),
    ("databases/*/blob*", flip_a_bit),
]


@pytest.mark.parametrize(("pattern", "damage"), DATA, ids=[f"{damage.__name__} {name}" for name, damage in DATA])
def test_damage_to_the_data_is_found_by_a_check_and_by_a_restore(
    shop: Shop, pattern: str, damage: Callable[[Path], None]
) -> None:
    damage(sorted(shop.newer_path.glob(pattern))[0])
    refused = shop.restore("--id", shop.newer)
    assert refused.returncode == 7, refused.stderr
    assert "integrity" in refused.json["msg"]
    checked = shop.cluster.holdfast("check", "--json")
    assert checked.returncode == 8
    assert checked.json["details"]["corrupt"] == [shop.newer]
    assert shop.states() == {shop.older: "complete", shop.newer: "corrupt"}


def test_the_latest_backup_is_the_latest_good_one(shop: Shop) -> None:
    flip_a_bit(data_file(shop.newer_path))
    assert shop.cluster.holdfast("check").returncode == 8
    restored = shop.restore("--latest")
    assert restored.returncode == 0, restored.stderr
    assert restored.json["plan"]["backup"] == shop.older


def change_size(raw: dict[str, Any]) -> None:
    raw["size"] += 1


def newer_schema(raw: dict[str, Any]) -> None:
    raw["schema"] = 2


def other_cluster(raw: dict[str, Any]) -> None:
    raw["cluster"] = "crm"


def lead_out(raw: dict[str, Any]) -> None:
    raw["databases"][0]["path"] = "databases/../../../../etc"


def rewritten(change: Callable[[dict[str, Any]], None], signed: bool) -> Callable[[Path], None]:
    """What somebody does who edits the manifest, with or without the checksum that then fits."""

    def edit(path: Path) -> None:
        raw = json.loads(path.read_bytes())
        if signed:
            raw.pop("checksum")
        change(raw)
        path.write_bytes(sets.signed(raw) if signed else json.dumps(raw).encode())

    return edit


MANIFESTS: list[tuple[str, Callable[[Path], None], str]] = [
    ("truncated", truncate, "truncated or altered"),
    ("empty", empty, "truncated or altered"),
    ("missing", Path.unlink, "cannot be read (No such file or directory)"),
    ("bit flipped", flip_a_bit, ""),
    ("edited", rewritten(change_size, signed=False), "its checksum does not fit"),
    ("of a newer Holdfast", rewritten(newer_schema, signed=True), "its schema is 2"),
    ("of another cluster", rewritten(other_cluster, signed=True), "of cluster 'crm'"),
    ("leading out of the set", rewritten(lead_out, signed=True), "'databases' is not valid"),
]


@pytest.mark.parametrize(("damage", "named"), [row[1:] for row in MANIFESTS], ids=[row[0] for row in MANIFESTS])
def test_a_manifest_that_cannot_be_trusted_makes_no_backup(
    shop: Shop, damage: Callable[[Path], None], named: str
) -> None:
    damage(shop.newer_path / "manifest.json")
    assert shop.states() == {shop.older: "complete", shop.newer: "corrupt"}
    shown = shop.cluster.holdfast("show", shop.newer, "--json", check=True).json
    assert named in shown["problems"][0]
    refused = shop.restore("--id", shop.newer)
    assert refused.returncode == 8, refused.stderr
    checked = shop.cluster.holdfast("check", "--json")
    assert (checked.returncode, checked.json["details"]["corrupt"]) == (8, [shop.newer])


def add_a_file(root: Path) -> None:
    (root / "databases" / "extra.dat").touch()


def alter_the_list(root: Path) -> None:
    path = root / "checksums.sha256"
    path.write_text(path.read_text().replace("  globals.sql", "  ../globals.sql"))


def lead_the_list_out(root: Path) -> None:
    """The list and the manifest's checksum of it agree: only its content gives it away."""
    alter_the_list(root)

    def fit(raw: dict[str, Any]) -> None:
        raw["files"]["sha256"] = measure(root / "checksums.sha256")[1]

    rewritten(fit, signed=True)(root / "manifest.json")


def lose_the_list(root: Path) -> None:
    (root / "checksums.sha256").unlink()


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (add_a_file, "databases/extra.dat does not belong to it"),
        (alter_the_list, "checksums.sha256 was altered"),
        (lead_the_list_out, "has a line that is no checksum"),
        (lose_the_list, "No such file or directory"),
    ],
)
def test_a_set_that_is_not_exactly_its_list_is_corrupt(shop: Shop, damage: Callable[[Path], None], named: str) -> None:
    damage(shop.newer_path)
    checked = shop.cluster.holdfast("check", shop.newer, "--json")
    assert checked.returncode == 8, checked.stderr
    assert named in checked.json["details"]["checked"][shop.newer][0]
    assert shop.restore("--id", shop.newer).returncode == 7


def test_a_backup_that_is_mended_counts_again(shop: Shop) -> None:
    path = data_file(shop.newer_path)
    content = path.read_bytes()
    flip_a_bit(path)
    assert shop.cluster.holdfast("check").returncode == 8
    path.write_bytes(content)
    assert shop.cluster.holdfast("check").returncode == 0
    assert shop.states()[shop.newer] == "complete"


def test_a_corrupt_backup_makes_no_new_one_needless(shop: Shop) -> None:
    shutil.rmtree(shop.cluster.repository / "backups" / shop.older)
    flip_a_bit(data_file(shop.newer_path))
    assert shop.cluster.holdfast("check").returncode == 8
    done = shop.cluster.holdfast("backup", "--if-older-than", "1h", "--json", check=True).json
    assert done["changed"]
    again = shop.cluster.holdfast("backup", "--if-older-than", "1h", "--json", check=True).json
    assert (again["changed"], again["backup"]["id"]) == (False, done["backup"]["id"])


def test_corrupt_backups_do_not_push_good_ones_out(shop: Shop) -> None:
    shop.cluster.configure(retention={"minimum": 1, **dict.fromkeys(("manual", "failed"), "0 days"), "daily": "1 day"})
    flip_a_bit(data_file(shop.newer_path))
    assert shop.cluster.holdfast("check").returncode == 8
    done = shop.cluster.holdfast("prune", "--json", check=True).json
    assert done["removed"] == []
    reasons = {one["id"]: one["rule"] for one in done["decisions"]}
    assert reasons == {shop.older: "floor", shop.newer: "unreplaced"}


def test_a_set_that_was_copied_beside_itself_is_not_a_second_one(shop: Shop) -> None:
    copied = shop.older.rpartition("-")[0] + "-abcdef"
    shutil.copytree(shop.newer_path, shop.newer_path.with_name(copied))
    shutil.copytree(shop.newer_path, shop.newer_path.with_name(shop.newer + ".bak"))
    assert shop.states() == {shop.older: "complete", shop.newer: "complete", copied: "corrupt"}
    assert f"not ours, left alone: {shop.newer}.bak" in shop.cluster.holdfast("list", check=True).stdout


def test_a_file_in_which_a_reader_would_wait_forever_is_corrupt(shop: Shop) -> None:
    path = data_file(shop.newer_path)
    path.unlink()
    os.mkfifo(path)
    checked = shop.cluster.holdfast("check", shop.newer, "--json")
    assert checked.returncode == 8
    assert "is no regular file" in checked.json["details"]["checked"][shop.newer][0]
