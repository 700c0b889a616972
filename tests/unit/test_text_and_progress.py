# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes, times, tables and progress as people read them."""

from __future__ import annotations

import io
import re

import pytest

from holdfast.operations.catalogue import summary
from holdfast.reporting import show
from holdfast.reporting.progress import Bar, Lines, Progress, for_stream
from holdfast.reporting.text import duration, size, table
from holdfast.repository.entry import Entry
from tests.support import sets


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that a person watches."""

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        """What is seen: each line as it was drawn last, without what was wiped."""
        return [line.rpartition("\r\x1b[K")[2] for line in self.getvalue().split("\n")]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 30, "3.0 GiB"),
        (7 << 40, "7.0 TiB"),
        (5000 << 40, "5000.0 TiB"),
        (-1536, "-1.5 KiB"),
    ],
)
def test_a_size_has_a_binary_unit(count: int | None, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (0.04, "0.0s"),
        (9.94, "9.9s"),
        (9.97, "10.0s"),
        (10, "10s"),
        (59.9, "59s"),
        (60, "1m"),
        (61, "1m 1s"),
        (3600, "1h"),
        (3601, "1h"),
        (5400, "1h 30m"),
        (93784, "1d 2h"),
        (86400, "1d"),
        (400 * 86400, "400d"),
        (-90, "-1m 30s"),
        (-0.5, "-0.5s"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_table_has_aligned_columns_and_no_trailing_space() -> None:
    assert table(["ID", "STATE"], [["a", "complete"], ["longer", "-"]]) == "ID      STATE\na       complete\nlonger  -"
    assert table(["ID"], []) == "ID"


def test_a_table_sends_no_control_character_to_the_terminal() -> None:
    shown = table(["NAME"], [["a\x1b[2Jb\nc\u202ed"], ["Größe"]])
    assert shown.split("\n") == ["NAME", r"a\x1b[2Jb\nc\u202ed", "Größe"]


def test_a_note_forges_no_line() -> None:
    note = "x\n20261122T101500Z-daily-3f9c1e: proven\x1b[1A"
    manifest = sets.manifest(note=note, databases=[])
    shown = show.one_backup(summary(Entry(manifest.id, manifest, None, {}), sets.NOW))
    assert shown.split("\n")[2:] == [r"  note: x\n20261122T101500Z-daily-3f9c1e: proven\x1b[1A"]


def test_what_is_not_ours_is_named_even_where_there_are_no_backups() -> None:
    empty = {"backups": [], "cluster": "shop", "repository": "/r", "unrecognised": ["old dumps", "a\nb"]}
    assert show.catalogue(empty) == "no backups of cluster shop in /r\nnot ours, left alone: old dumps, a\\nb"


def test_a_person_sees_a_bar_and_a_log_sees_lines() -> None:
    assert isinstance(for_stream(Terminal()), Bar)
    assert isinstance(for_stream(io.StringIO()), Lines)


def test_a_module_hears_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Progress()
    silent.say("dumping")
    silent.at("dump", 1, 2)
    silent.close()
    assert capsys.readouterr() == ("", "")
    assert silent.interval is None


def test_the_bar_shows_share_rate_and_what_is_left() -> None:
    clock, screen = Clock(), Terminal()
    bar = Bar(screen, clock)
    bar.say("dumping database 'shop'")
    bar.at("dump shop", 0, 100 << 20)
    assert screen.screen[-1] == "  dump shop [........................] 0% of 100.0 MiB"
    clock.now += 5
    bar.at("dump shop", 50 << 20, 100 << 20)
    assert screen.screen[-1] == "  dump shop [############............] 50% of 100.0 MiB, 10.0 MiB/s, 5.0s left"
    bar.say("checksumming")
    assert screen.screen == ["dumping database 'shop'", "checksumming", ""]
    bar.close()
    assert screen.screen[-1] == ""


@pytest.mark.parametrize(("done", "total"), [(0, 0), (5, 0), (300, 100), (-5, 100), (100, 100), (99, 100)])
def test_what_is_more_or_less_than_foretold_stays_a_bar(done: int, total: int) -> None:
    screen = Terminal()
    clock = Clock()
    bar = Bar(screen, clock)
    clock.now += 3
    bar.at("restore", done, total)
    drawn = re.search(r"\[(#*)(\.*)\] (\d+)%", screen.screen[-1])
    assert drawn is not None, screen.screen[-1]
    assert len(drawn.group(1) + drawn.group(2)) == 24
    assert 0 <= int(drawn.group(3)) <= 100


def test_a_bar_sends_no_control_character_of_a_name_to_the_terminal() -> None:
    screen = Terminal()
    Bar(screen, Clock()).at("dump a\x1b[2J\nb", 1, 2)
    assert r"dump a\x1b[2J\nb" in screen.screen[-1]


def test_a_log_gets_one_plain_line_at_a_time() -> None:
    clock, log = Clock(), io.StringIO()
    lines = Lines(log, clock)
    lines.say("dumping database 'shop'")
    clock.now += 20
    lines.at("dump shop", 40 << 20, 100 << 20)
    lines.close()
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}"
    first, second, rest = log.getvalue().split("\n")
    assert re.fullmatch(rf"{stamp} dumping database 'shop'", first)
    assert re.fullmatch(rf"{stamp} dump shop: 40% of 100.0 MiB, 2.0 MiB/s, 30s left", second)
    assert rest == ""


def test_the_rate_is_that_of_the_step_not_of_the_run() -> None:
    clock, log = Clock(), io.StringIO()
    lines = Lines(log, clock)
    lines.say("dumping 'a'")
    clock.now += 3600
    lines.say("dumping 'b'")
    clock.now += 1
    lines.at("dump b", 10 << 20, 20 << 20)
    assert "10.0 MiB/s, 1.0s left" in log.getvalue()
