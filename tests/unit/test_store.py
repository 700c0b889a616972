# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repository on disk: what it is, what it lists, what it leaves alone."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.errors import BusyError, NotFoundError, RepositoryError
from holdfast.repository import durable
from holdfast.repository.manifest import CHECKSUMS, NAME
from holdfast.repository.marker import MARKER
from holdfast.repository.store import PARTIAL, Repository
from tests.support import sets

GOOD = "20261122T101500Z-daily-3f9c1e"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return sets.repository(tmp_path)


def test_a_new_repository_is_private_and_says_whose_it_is(repository: Repository) -> None:
    marker = json.loads((repository.path / MARKER).read_bytes())
    assert (marker["schema"], marker["cluster"], marker["id"]) == (1, "shop", repository.uuid)
    assert sorted(path.name for path in repository.path.iterdir()) == ["backups", MARKER, "state"]
    require_private(repository.path)


def test_a_repository_is_not_made_twice(repository: Repository) -> None:
    with pytest.raises(RepositoryError, match="there is one already"):
        Repository.create(repository.path, "shop", "")
    assert Repository.open(repository.path, "shop").uuid == repository.uuid


def test_a_repository_is_not_made_among_other_things(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "notes.txt").write_text("mine")
    with pytest.raises(RepositoryError, match=r"holds other things \(notes.txt\)"):
        sets.repository(tmp_path)
    assert [path.name for path in (tmp_path / "repository").iterdir()] == ["notes.txt"]


def test_a_repository_can_be_a_file_system_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "repository" / "lost+found").mkdir(parents=True)
    assert sets.repository(tmp_path).entries() == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is damaged"),
        (b"\xff\xfe\xfd", "is damaged"),
        (b'{"schema": 1, "id": "x", "clus', "is damaged"),
        (b"[]", "is of an unknown form"),
        (b'{"schema": 2, "id": "x", "cluster": "shop"}', "is of an unknown form"),
        (b'{"schema": 1, "id": 7, "cluster": "shop"}', "is of an unknown form"),
        (b'{"schema": 1, "id": "x"}', "belongs to cluster None"),
        (b'{"schema": 1, "id": "x", "cluster": "crm"}', "belongs to cluster 'crm'"),
    ],
)
def test_a_marker_that_does_not_fit_is_refused(repository: Repository, content: bytes, reason: str) -> None:
    (repository.path / MARKER).write_bytes(content)
    with pytest.raises(RepositoryError, match=reason):
        Repository.open(repository.path, "shop")


@pytest.mark.parametrize("missing", ["empty", "absent"])
def test_an_empty_directory_is_not_taken_for_a_repository(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "mount"
    if missing == "empty":
        path.mkdir()
    with pytest.raises(RepositoryError, match="If its disk is not mounted, mount it"):
        Repository.open(path, "shop")
    assert not list(tmp_path.glob("mount/*"))


def test_another_repository_than_the_remembered_one_is_refused(repository: Repository) -> None:
    with pytest.raises(RepositoryError, match="another one than this host used until now") as refused:
        Repository.open(repository.path, "shop", "f" * 32)
    assert refused.value.details == {"found": repository.uuid, "expected": "f" * 32}


def test_sets_are_listed_oldest_first(repository: Repository) -> None:
    ids = [sets.add(repository) for _ in range(3)]
    assert [entry.id for entry in repository.entries()] == sorted(ids)
    assert {entry.state for entry in repository.entries()} == {"complete"}
    assert [repository.verify(entry) for entry in repository.entries()] == [[], [], []]


def test_everything_of_a_set_is_private(repository: Repository) -> None:
    before = os.umask(0)
    try:
        backup = sets.add(repository)
        repository.mark(backup, "pin", {"note": "keep"})
    finally:
        os.umask(before)
    require_private(repository.path)


def test_checksums_are_checked_by_sha256sum(repository: Repository) -> None:
    path = repository.path_of(sets.add(repository))
    command = ["sha256sum", "--check", "--strict", CHECKSUMS]
    done = subprocess.run(command, cwd=path, capture_output=True, text=True, check=True)
    assert done.stdout.count(": OK") == len(sets.FILES)


FOREIGN = [
    "lost+found",
    ".partial-notes",
    ".deleting-",
    "20261122T101500Z-daily-3f9c1e.old",
    "shop-20261122",
    "20261399T101500Z-daily-3f9c1e",
]


@pytest.mark.parametrize("name", FOREIGN)
def test_a_name_that_is_not_ours_is_left_alone(repository: Repository, name: str) -> None:
    (repository.backups / name).mkdir()
    assert repository.entries() == []
    assert repository.unrecognised() == [name]
    assert repository.stale_partials() == []
    with pytest.raises(NotFoundError):
        repository.entry(name)


@pytest.mark.parametrize("name", [GOOD, PARTIAL + GOOD])
def test_a_file_or_a_link_with_our_name_is_left_alone(repository: Repository, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (repository.backups / name).symlink_to(tmp_path / "elsewhere")
    assert (repository.entries(), repository.stale_partials()) == ([], [])
    assert repository.unrecognised() == [name]
    (repository.backups / name).unlink()
    (repository.backups / name).touch()
    assert (repository.entries(), repository.stale_partials()) == ([], [])
    assert repository.unrecognised() == [name]


def test_a_directory_of_ours_without_a_manifest_is_a_corrupt_backup(repository: Repository) -> None:
    (repository.backups / GOOD).mkdir()
    entry = repository.entry(GOOD)
    assert (entry.state, entry.sound) == ("corrupt", False)
    assert entry.problem == "its manifest cannot be read (No such file or directory)"


@pytest.mark.parametrize(
    "id", ["", ".", "..", "../backups", "20261122T101500Z-daily-000000", "20261122T101500Z-daily-3f9c1e/"]
)
def test_what_is_not_there_is_not_found(repository: Repository, id: str) -> None:
    (repository.backups / GOOD).mkdir()
    with pytest.raises(NotFoundError, match="holdfast list"):
        repository.entry(id)


def test_a_set_is_where_it_belongs_or_corrupt(repository: Repository, tmp_path: Path) -> None:
    first, second = sets.add(repository), sets.add(repository)
    os.rename(repository.path_of(first), tmp_path / "moved")
    os.rename(repository.path_of(second), repository.path_of(first))
    assert repository.entry(first).problem == f"it says it is {second} of cluster 'shop'"
    other = sets.repository(tmp_path / "crm", "crm")
    third = sets.add(other)
    os.rename(other.path_of(third), repository.path_of(third))
    entry = repository.entry(third)
    assert (entry.state, entry.problem) == ("corrupt", f"it says it is {third} of cluster 'crm'")


def test_marks_come_and_go(repository: Repository) -> None:
    backup = sets.add(repository)
    names = [one["name"] for one in repository.entry(backup).known.facts["databases"]]
    repository.mark(backup, "proof", {"databases": {names[0]: {}}})
    assert repository.entry(backup).state == ("proven" if len(names) == 1 else "complete")
    repository.mark(backup, "proof", {"databases": {name: {} for name in names}})
    assert repository.entry(backup).state == "proven"
    repository.mark(backup, "pin", {"note": ""})
    assert repository.entry(backup).pinned
    repository.mark(backup, "check", {"result": "corrupt"})
    assert repository.entry(backup).state == "corrupt"
    for key in ("pin", "check", "proof", "proof"):
        repository.mark(backup, key, None)
    entry = repository.entry(backup)
    assert (entry.state, entry.pinned) == ("complete", False)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b"7", b'{"pin": true}', b'{"check": "ok", "pin": null}']
)
def test_a_state_file_that_cannot_be_read_keeps_its_set(repository: Repository, content: bytes) -> None:
    """It may have said that the set is pinned: in doubt, keep."""
    backup = sets.add(repository)
    (repository.states / f"{backup}.json").write_bytes(content)
    entry = repository.entry(backup)
    assert (entry.state, entry.pinned) == ("complete", True)
    with pytest.raises(BusyError, match="pinned"):
        repository.remove(backup)
    repository.mark(backup, "pin", None)
    repository.remove(backup)


def test_a_set_that_has_gone_is_not_marked(repository: Repository) -> None:
    with pytest.raises(NotFoundError):
        repository.mark(GOOD, "pin", {"note": "too late"})
    assert list(repository.states.iterdir()) == []


def test_a_removed_set_leaves_nothing(repository: Repository) -> None:
    backup = sets.add(repository)
    repository.mark(backup, "check", {"result": "ok"})
    repository.remove(backup)
    assert [*repository.backups.iterdir(), *repository.states.iterdir()] == []


def test_a_set_that_somebody_removed_meanwhile_is_no_failure_of_the_disk(repository: Repository) -> None:
    with pytest.raises(BusyError, match="it has gone meanwhile"):
        repository.remove(GOOD)


def test_a_set_that_is_read_stays(repository: Repository) -> None:
    backup = sets.add(repository)
    with repository.reading(backup, "restore"), pytest.raises(BusyError, match="somebody reads it"):
        repository.remove(backup)
    assert repository.verify(repository.entry(backup)) == []
    repository.remove(backup)


def test_a_reader_of_a_set_that_has_gone_is_told_so(repository: Repository) -> None:
    with pytest.raises(NotFoundError, match="removed meanwhile"), repository.reading(GOOD, "restore"):
        pass


def test_a_partial_set_is_stale_once_its_owner_is_gone(repository: Repository) -> None:
    with repository.partial(GOOD) as partial:
        assert partial.path.name == PARTIAL + GOOD
        assert repository.stale_partials() == []
        assert (repository.entries(), repository.unrecognised()) == ([], [])
        partial.lock.release()
        assert repository.stale_partials() == [PARTIAL + GOOD]
    assert list(repository.backups.iterdir()) == []


def test_a_partial_set_whose_owner_never_signed_is_stale(repository: Repository) -> None:
    (repository.backups / f"{PARTIAL}{GOOD}").mkdir()
    assert repository.stale_partials() == [PARTIAL + GOOD]
    repository.remove_stale(PARTIAL + GOOD)
    assert list(repository.backups.iterdir()) == []


def test_a_set_that_could_not_be_published_is_no_backup(repository: Repository) -> None:
    (repository.backups / GOOD).mkdir()
    (repository.backups / GOOD / "in the way").touch()
    with pytest.raises(RepositoryError, match="Directory not empty"):
        sets.add(repository, id=GOOD)
    assert [path.name for path in repository.backups.iterdir()] == [GOOD]


@pytest.mark.parametrize("gone", ["backups", "state"])
def test_a_repository_that_lacks_a_directory_is_refused(repository: Repository, gone: str) -> None:
    (repository.path / gone).rmdir()
    with pytest.raises(RepositoryError, match="No such file or directory"):
        repository.entries()


@pytest.mark.parametrize(
    ("number", "step"),
    [
        (errno.ENOSPC, "Free space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "run as its owner"),
        (errno.EIO, "copy what is there to another disk"),
        (errno.ELOOP, "Look at the file system"),
    ],
)
def test_every_error_of_the_disk_comes_with_what_to_do(number: int, step: str) -> None:
    told = durable.explain(OSError(number, os.strerror(number), "/x/y"), "write", Path("/x"))
    assert str(told).startswith(f"Cannot write repository /x: {os.strerror(number)} (/x/y). ")
    assert step in told.next_step
    assert told.details["errno"] == number


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    durable.replace_file(target, b"old")
    durable.replace_file(target, b"new")
    assert target.read_bytes() == b"new"
    (tmp_path / "directory").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        durable.replace_file(tmp_path / "directory", b"never")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory", "state.json"]


def test_what_is_not_empty_at_first_is_removed_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    doomed = tmp_path / "set"
    doomed.mkdir()
    left = iter([OSError(errno.ENOTEMPTY, "a tool still writes"), FileNotFoundError()])
    real = shutil.rmtree

    def late(path: Path) -> None:
        for error in left:
            raise error
        real(path)

    monkeypatch.setattr(shutil, "rmtree", late)
    durable.remove_tree(doomed)
    assert not doomed.exists()


def everything(root: Path) -> Iterator[Path]:
    yield root
    yield from root.rglob("*")


def require_private(root: Path) -> None:
    modes = {path.relative_to(root).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in everything(root)}
    wrong = {name: oct(mode) for name, mode in modes.items() if mode != (0o700 if (root / name).is_dir() else 0o600)}
    assert wrong == {}
    assert (root / "backups").is_dir()
    assert not list(root.rglob(f"{PARTIAL}*"))
    assert all(path.with_name(CHECKSUMS).exists() for path in root.rglob(NAME))
