# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a server, and the files that they include: what is looked at, and what is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.postgres.files import list_directory, list_directory_below, read_file, read_file_below
from holdfast.postgres.server_files import directives


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc" / "conf.d").mkdir(parents=True)
    (root / "etc" / "postgresql.conf").write_bytes(b"port = 5432\n")
    (root / "etc" / "conf.d" / "a.conf").write_bytes(b"")
    (tmp_path / "secret").write_bytes(b"the host's own")
    return root


def test_a_file_is_read_by_a_path_below_a_root(root: Path) -> None:
    assert read_file_below(root, "/etc/postgresql.conf") == b"port = 5432\n"
    assert read_file(root / "etc" / "postgresql.conf") == b"port = 5432\n"
    assert list_directory_below(root, "/etc/conf.d") == list_directory(root / "etc" / "conf.d") == ["a.conf"]


def test_a_link_that_was_put_in_meanwhile_leads_nowhere(root: Path, tmp_path: Path) -> None:
    (root / "etc" / "file.conf").symlink_to(tmp_path / "secret")
    (root / "etc" / "away").symlink_to(tmp_path)
    assert read_file_below(root, "/etc/file.conf") is None
    assert read_file_below(root, "/etc/away/secret") is None
    assert list_directory_below(root, "/etc/away") is None


def test_what_is_missing_is_told_from_what_cannot_be_read(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_file_below(root, "/etc/nothing.conf")
    with pytest.raises(FileNotFoundError):
        read_file(root / "nothing.conf")
    assert list_directory_below(root, "/etc/nothing.d") == list_directory(root / "nothing.d") == []
    assert read_file_below(root, "/etc/conf.d") is None
    assert read_file_below(root, "/") is None
    assert list_directory(root / "etc" / "postgresql.conf") is None


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "etc" / "pipe.conf")
    assert read_file_below(root, "/etc/pipe.conf") is read_file(root / "etc" / "pipe.conf") is None


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("include 'a b.conf'", [("include", "a b.conf")]),
        ("  include_dir = 'conf.d'  # ours", [("include_dir", "conf.d")]),
        ("Include_If_Exists='it''s.conf'", [("include_if_exists", "it's.conf")]),
        ('include "a b.conf"', [("include", "a b.conf")]),
        ("include other.conf", [("include", "other.conf")]),
        ("# include 'a.conf'", []),
        ("#include_dir = '...'", []),
        ("include_dir = ''", []),
        ("include_schedule = 'x'", []),
        ("included 'x'", []),
        ("host all all all md5 # include x", []),
        ("include 'a.conf'\nport = 1\ninclude_dir 'd'", [("include", "a.conf"), ("include_dir", "d")]),
    ],
)
def test_directives_that_include_files_are_found(line: str, found: list[tuple[str, str]]) -> None:
    assert directives(line.encode()) == found
