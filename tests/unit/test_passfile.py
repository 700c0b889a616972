"""A line of a passfile that means the server of the container holds wherever that is seen from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from holdfast.errors import AccessError
from holdfast.postgres.passfile import PassfileCopy, for_any_host, remove_dead_copies

HOSTS = ["localhost", "127.0.0.1", "::1", "shop-db-1"]


@pytest.mark.parametrize(
    ("line", "copied"),
    [
        ("localhost:5432:*:app:secret", "*:5432:*:app:secret"),
        (r"127.0.0.1:*:*:*:with \: and \\", r"*:*:*:*:with \: and \\"),
        (r"\:\:1:*:*:*:six", "*:*:*:*:six"),
        ("shop-db-1:*:*:*:named", "*:*:*:*:named"),
        ("*:*:*:*:any", "*:*:*:*:any"),
        ("db.example.org:*:*:*:another server", "db.example.org:*:*:*:another server"),
        ("localhost.example.org:*:*:*:another server", "localhost.example.org:*:*:*:another server"),
        ("# localhost:*:*:*:a comment", "# localhost:*:*:*:a comment"),
        ("", ""),
        ("localhost", "localhost"),
    ],
)
def test_the_names_that_an_operator_gives_the_server_become_any_host(line: str, copied: str) -> None:
    assert for_any_host(line, HOSTS) == copied


@pytest.fixture
def passfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private passfile, and a directory of its own for copies."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    path = tmp_path / "passfile"
    path.touch(mode=0o600)
    path.write_text("localhost:*:*:*:secret\n")
    return path


def copies(passfile: Path) -> list[Path]:
    return sorted((passfile.parent / "tmp").iterdir())


def test_a_copy_is_private_and_goes_with_its_owner(passfile: Path) -> None:
    copy = PassfileCopy(str(passfile), HOSTS, (os.geteuid(), os.getegid()), "id-backup")
    assert Path(copy.path).stat().st_mode & 0o777 == 0o600
    assert Path(copy.path).parent.stat().st_mode & 0o777 == 0o700
    assert Path(copy.path).read_text() == "*:*:*:*:secret\n"

    del copy

    assert copies(passfile) == []


def test_only_what_a_dead_process_left_is_removed(passfile: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = passfile.parent / "tmp" / f"holdfast-id-backup-{dead.pid}-x"
    others = passfile.parent / "tmp" / f"holdfast-id-restore-{dead.pid}-x"
    for path in (left, others):
        path.mkdir()
    copy = PassfileCopy(str(passfile), HOSTS, (os.geteuid(), os.getegid()), "id-backup")

    remove_dead_copies("id-backup")

    assert copies(passfile) == sorted([Path(copy.path).parent, others])


def test_a_passfile_that_others_may_read_is_refused(passfile: Path) -> None:
    passfile.chmod(0o640)
    with pytest.raises(AccessError, match="others than its owner may read it"):
        PassfileCopy(str(passfile), HOSTS, (os.geteuid(), os.getegid()), "id-backup")
    assert copies(passfile) == []
