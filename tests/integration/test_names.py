"""Names that look like options, paths, connection strings or SQL are names of databases all the same."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import clusters
from tests.support.backups import PREFLIGHT, back_up, refusal, restore_in_place, restore_new, tidied
from tests.support.clusters import Cluster
from tests.support.servers import Server

NAMES = {
    "quotes": 'it\'s "quoted" \\ twice',
    "spaces": "  two  words ",
    "unicode": "żółć 日本 🐘",
    "leading dash": "--version",
    "newline": "two\nlines",
    "parent directory": "../../x",
    "this directory": ".",
    "equals sign": "dbname=postgres",
    "address": "postgresql://nobody@nowhere.invalid/x",
    "percent": "100%25 %s {0}",
    "63 bytes": "n" * 63,
    "63 bytes of unicode": "ż" * 31 + "x",
    "shell": "$(touch x);`id`*?[a]|&",
}


@pytest.fixture(scope="module")
def odd(server18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, str]]:
    """A cluster, and the id of one backup that holds a database of each name, in which a row says that name."""
    with tidied(server18):
        for name in NAMES.values():
            server18.create_database(name)
            with server18.connect(name) as connection:
                connection.execute("CREATE TABLE t AS SELECT current_database()::text AS name")
        shop = clusters.create(server18, tmp_path_factory.mktemp("odd"), "odd")
        taken = back_up(shop, *(f"--database={name}" for name in NAMES.values()))
        assert [one["name"] for one in taken["databases"]] == list(NAMES.values())
        yield shop, taken["id"]


def test_every_file_stays_inside_its_set(odd: tuple[Cluster, str]) -> None:
    shop, backup_id = odd
    databases = shop.repository / "backups" / backup_id / "databases"
    assert len(list(databases.iterdir())) == len(NAMES)
    assert all((path / "toc.dat").is_file() for path in databases.iterdir())
    assert {path.name for path in shop.repository.parent.iterdir()} == {"odd"}
    checked = shop.holdfast("check", "--json", check=True).json
    assert checked["checked"] == {backup_id: []}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_database_of_any_name_comes_back_into_a_new_one(odd: tuple[Cluster, str], name: str) -> None:
    shop, backup_id = odd
    with tidied(shop.server):
        result = restore(shop, backup_id, name, "again")
    assert result == ("match", name)


@pytest.mark.parametrize("name", ["--version", "two\nlines", "n" * 63, "ż" * 31 + "x"], ids=repr)
def test_a_database_of_any_name_comes_back_in_its_own_place(odd: tuple[Cluster, str], name: str) -> None:
    shop, backup_id = odd
    with tidied(shop.server):
        result = restore_in_place(shop, backup_id, name, "--no-safety-backup")
        aside = result["databases"][0]["kept_aside_as"]
        assert len(aside.encode()) <= 63
        for present in (name, aside):
            assert shop.server.query("SELECT name FROM t", present) == [(name,)]


def test_a_new_database_may_have_any_name_that_fits(odd: tuple[Cluster, str]) -> None:
    shop, backup_id = odd
    fields = refusal(shop, 2, "restore", "--id", backup_id, f"--database={NAMES['quotes']}", "--into", "n" * 64)
    assert "1 to 63 bytes" in fields["next_step"]
    fields = refusal(
        shop, PREFLIGHT, "restore", "--id", backup_id, f"--database={NAMES['quotes']}", f"--into={NAMES['shell']}"
    )
    assert "exists" in fields["reason"]
    with tidied(shop.server):
        assert restore(shop, backup_id, NAMES["newline"], "-f \"new\"\n'one'") == ("match", NAMES["newline"])


def test_a_set_restores_by_hand_as_the_readme_says(
    odd: tuple[Cluster, str], another_server: Callable[[Server], Server], server18: Server
) -> None:
    shop, backup_id = odd
    fresh = another_server(server18)
    home = shop.repository / "backups" / backup_id
    by_hand(fresh, home, "sha256sum", "--check", "--quiet", "checksums.sha256")
    by_hand(fresh, home, "psql", "-X", "-f", "globals.sql", "postgres")
    for directory in (home / "databases").iterdir():
        relative = f"databases/{directory.name}"
        by_hand(fresh, home, "pg_restore", "--create", "--jobs", "2", "--dbname", "postgres", relative)
    for name in NAMES.values():
        assert fresh.query("SELECT name FROM t", name) == [(name,)]


def restore(shop: Cluster, backup_id: str, name: str, into: str) -> tuple[str, str]:
    """Restores into a new database; returns the verdict, and the name that a row of it says."""
    result = restore_new(shop, backup_id, name, into)
    return result["verdict"], shop.server.query("SELECT name FROM t", into)[0][0]


def by_hand(server: Server, where: Path, *command: str) -> None:
    """Runs a command as an operator whose environment says which server is meant."""
    environment = {
        "PATH": f"{server.bin_dir}:/usr/bin:/bin",
        "PGHOST": str(server.socket_dir),
        "PGPORT": str(server.port),
        "PGUSER": server.user,
    }
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
