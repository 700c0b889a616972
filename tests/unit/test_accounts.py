"""The password of an account, and the file that keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.errors import ConfigError
from holdfast.operations import password_file
from holdfast.operations.accounts import AccountRequest


def kept(path: Path, text: str = "kept\n", mode: int = 0o600) -> str:
    path.touch(mode=mode)
    path.write_bytes(text.encode())
    return str(path)


def test_nothing_wanted_is_no_password() -> None:
    assert password_file.decide(None, None) is None


def test_a_new_password_is_long_and_never_the_same(tmp_path: Path) -> None:
    found = [password_file.decide(None, str(tmp_path / "new")) for _attempt in range(2)]
    values = {one.value for one in found if one}
    assert len(values) == 2
    assert {len(value) for value in values} == {43}
    assert list(tmp_path.iterdir()) == [], "deciding writes nothing"


def test_a_new_file_and_its_directories_are_private_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "shop" / "backup"
    decided = password_file.decide(None, str(file))
    assert decided is not None
    assert decided.must_be_written
    password_file.write(decided)
    assert file.read_text() == decided.value + "\n"
    assert file.stat().st_mode & 0o7777 == 0o600
    assert [one.stat().st_mode & 0o7777 for one in (file.parent, file.parent.parent)] == [0o700, 0o700]
    again = password_file.decide(None, str(file))
    assert again is not None
    assert (again.value, again.state, again.must_be_written) == (decided.value, "current", False)
    assert [one.name for one in file.parent.iterdir()] == ["backup"]


def test_what_is_given_goes_before_what_the_file_holds(tmp_path: Path) -> None:
    file = Path(kept(tmp_path / "file"))
    decided = password_file.decide("given", str(file))
    assert decided is not None
    assert (decided.value, decided.state) == ("given", "outdated")
    password_file.write(decided)
    assert file.read_text() == "given\n"
    again = password_file.decide("given", str(file))
    assert again is not None
    assert again.state == "current"


def test_a_file_that_ends_without_a_line_break_is_read_whole(tmp_path: Path) -> None:
    decided = password_file.decide(None, kept(tmp_path / "file", " it's: a 日本 \\ password "))
    assert decided is not None
    assert decided.value == " it's: a 日本 \\ password "


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty"), ("\n", "empty"), ("one\ntwo\n", "line break"), ("nul\0", "NUL"), ("x" * 2000, "longer")],
)
def test_a_file_without_a_usable_password_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        password_file.decide(None, kept(tmp_path / "file", text))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch(mode=0o600)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        password_file.decide(None, str(file))


@pytest.mark.parametrize("given", ["", "one\ntwo", "nul\0", "\ud800"])
def test_a_given_password_that_cannot_be_one_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="Cannot use the password: "):
        password_file.decide(given, None)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = Path(kept(tmp_path / "file"))
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        password_file.decide(None, str(file))


def test_a_path_that_leads_to_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no ordinary file"):
        password_file.decide(None, str(tmp_path))
    with pytest.raises(ConfigError, match="not absolute"):
        password_file.decide(None, "secrets/backup")
    with pytest.raises(ConfigError, match="Not a directory"):
        password_file.decide(None, kept(tmp_path / "file") + "/below")


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    decided = password_file.decide(None, "/proc/nowhere/backup")
    assert decided is not None
    with pytest.raises(ConfigError, match="Cannot write password file /proc/nowhere/backup"):
        password_file.write(decided)


def test_no_text_of_a_request_tells_its_password(tmp_path: Path) -> None:
    decided = password_file.decide("hunter2", str(tmp_path / "file"))
    assert "hunter2" not in repr(decided)
    assert "hunter2" not in repr(AccountRequest("holdfast_backup", "backup", password="hunter2"))
