"""On a terminal there is a bar, and whoever replaces a database is asked for its name."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.clusters import Cluster
from tests.support.servers import Server
from tests.support.terminal import Terminal

SIZE = 220 << 20
Start = Callable[..., Terminal]


@pytest.fixture
def terminal(program: Path, shop: Cluster) -> Iterator[Start]:
    """Starts the built program on a terminal."""
    started: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        env = {"PATH": "/usr/bin:/bin", "TERM": "xterm", "HOLDFAST_CONFIG_DIR": str(shop.config_dir)}
        started.append(Terminal([sys.executable, str(program), *arguments], env))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_a_bar_shows_how_far_it_is_how_fast_and_how_long_it_takes(
    terminal: Start, server18: Server, database: str
) -> None:
    server18.query(
        "CREATE TABLE big AS SELECT i, string_agg(md5((i + j)::text), '') AS filler"
        f" FROM generate_series(1, {SIZE // 1400}) i, generate_series(1, 40) j GROUP BY i",
        database,
    )

    backup = terminal("backup")
    assert backup.finish() == 0, backup.drawn
    restore = terminal("restore", "--latest", "--database", database, "--into", f"{database}_copy")
    assert restore.finish() == 0, restore.drawn
    server18.drop_database(f"{database}_copy")

    for drawn in (backup.drawn, restore.drawn):
        bars = re.findall(r"\r\x1b\[K  \S+ \S+ \[(#*)(\.*)\] (.*?)(?=\r)", drawn)
        shares = [int(share) for *_, text in bars for share in re.findall(r"^(\d+)% of [\d.]+ MiB", text)]
        assert len(shares) == len(bars) >= 2, drawn
        assert shares == sorted(shares)
        assert shares[-1] <= 100
        assert all(len(done) + len(left) == 24 for done, left, _ in bars)
        assert any(re.search(r"[\d.]+ [KM]iB/s, [\d.]+\w.* left$", text) for *_, text in bars), bars
        assert drawn.rstrip().rpartition("\n")[2].isprintable(), "the bar is wiped before the result"


def test_the_right_name_lets_the_restore_go_on(terminal: Start, shop: Cluster, server18: Server, database: str) -> None:
    shop.holdfast("backup", check=True)
    server18.query("DELETE FROM orders", database)

    restore = terminal("restore", "--latest", "--database", database, "--in-place")
    asked = restore.wait_for(r"type the name of the target \([^)]+\): ")
    assert server18.query("SELECT count(*) FROM orders", database) == [(0,)]
    restore.type(database)

    assert restore.finish() == 0, restore.drawn
    assert "it can be done" in asked
    assert "take a safety backup" in asked
    assert server18.query("SELECT count(*) FROM orders", database) == [(500,)]


@pytest.mark.parametrize("answer", ["", "yes", "shop"])
def test_a_wrong_name_changes_nothing(
    terminal: Start, shop: Cluster, server18: Server, database: str, answer: str
) -> None:
    shop.holdfast("backup", check=True)
    before = server18.databases()

    restore = terminal("restore", "--latest", "--database", database, "--in-place")
    restore.wait_for(r"type the name of the target")
    restore.type(answer)

    assert restore.finish() == 2
    assert "it needs your say-so" in restore.drawn
    assert server18.databases() == before
    assert len(shop.backups) == 1


def test_without_a_terminal_nobody_is_asked(shop: Cluster, server18: Server, database: str) -> None:
    shop.holdfast("backup", check=True)
    before = server18.databases()

    refused = shop.holdfast("restore", "--latest", "--database", database, "--in-place")

    assert refused.returncode == 2
    assert f"confirm with the name '{database}'" in refused.stderr
    assert server18.databases() == before
