"""Directories and files of a host, as one list: written once, said once, never half."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import playbooks
from tests.support.playbooks import Play


@pytest.fixture
def have(tmp_path: Path) -> Any:
    """Runs the module on this machine with a list of files."""
    book = tmp_path / "book.yml"
    task = {"name": "Have them", "host_files": {"files": "{{ files }}"}, "register": "had"}
    shown = {"name": "Show", "ansible.builtin.debug": {"msg": "stale={{ had.stale }} written={{ had.written }}"}}
    book.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [task, shown]}]))
    hosts = playbooks.inventory(tmp_path, {"here": None})

    def run(files: list[dict[str, str]], *arguments: str) -> Play:
        return hosts.play(book, *arguments, files=files)

    return run


def changes(play: Play) -> int:
    return play.require_success().recap["here"]["changed"]


def test_check_mode_writes_nothing_then_all_is_written_once(have: Any, tmp_path: Path) -> None:
    directory, file = tmp_path / "a" / "b", tmp_path / "a" / "b" / "motto"
    files = [
        {"path": str(directory), "mode": "0700"},
        {"path": str(file), "mode": "0640", "content": "Lines end\nas they end, ohne Ausnahme: ä\r\n"},
    ]
    before = have(files, "--check", "--diff")
    assert changes(before) == 1
    assert "+as they end" in before.said
    assert not directory.exists()

    assert changes(have(files)) == 1
    assert file.read_bytes().decode() == files[1]["content"]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (directory, file)]
    assert modes == [0o700, 0o640]
    assert [path.name for path in directory.iterdir()] == ["motto"], "no temporary file is left"

    assert changes(have(files)) == 0


def test_a_text_or_a_mode_that_drifted_is_put_right(have: Any, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    files = [{"path": str(file), "mode": "0600", "content": "right\n"}]
    file.write_bytes(b"\xff\xfe no text at all")
    assert changes(have(files)) == 1
    file.chmod(0o666)
    assert changes(have(files, "--check")) == 1
    assert changes(have(files)) == 1
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("right\n", 0o600)


def test_a_large_file_is_compared_only(have: Any, tmp_path: Path) -> None:
    program = tmp_path / "program"
    wanted = {"path": str(program), "mode": "0755", "sha256": hashlib.sha256(b"new").hexdigest()}
    assert f"stale=['{program}']" in have([wanted]).require_success().said
    program.write_bytes(b"old")
    assert f"stale=['{program}']" in have([wanted]).require_success().said
    program.write_bytes(b"new")
    same = have([wanted])
    assert "stale=[]" in same.said
    assert changes(same) == 0


def test_what_cannot_be_written_is_named(have: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = have([{"path": str(tmp_path / "file"), "mode": "0755"}])
    assert refused.returncode != 0
    assert f"Cannot write {tmp_path}/file" in " ".join(refused.said.split())
