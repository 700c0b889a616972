# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel keeps the locks: a dead holder holds none, and a live one is named."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.errors import BusyError, RepositoryError
from holdfast.repository.lock import FileLock, read_holder
from tests.support.clusters import CHECKOUT

HOLDER = """
import sys, time
from pathlib import Path
from holdfast.repository.lock import FileLock
with FileLock(Path(sys.argv[1]), "back up"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".writer.lock"


@contextmanager
def another_process_holding(path: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {"PYTHONPATH": str(CHECKOUT / "module_utils")}
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_holder_of_a_lock_is_named(path: Path) -> None:
    with another_process_holding(path) as holder:
        with pytest.raises(BusyError) as refused:
            FileLock(path, "prune").acquire()
        assert refused.value.exit_code == 5
        assert f"back up by process {holder.pid} on {os.uname().nodename} since 20" in str(refused.value)
        assert refused.value.details["holder"]["pid"] == holder.pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lock_is_free_once_its_holder_is_dead(path: Path, number: signal.Signals) -> None:
    with another_process_holding(path) as holder:
        holder.send_signal(number)
        holder.wait()
        with FileLock(path, "prune"):
            assert read_holder(path)["pid"] == os.getpid()


def test_whoever_waits_gets_the_lock_when_it_is_free(path: Path) -> None:
    with another_process_holding(path) as holder:
        began = time.monotonic()
        with pytest.raises(BusyError):
            FileLock(path, "back up", wait=0.3).acquire()
        assert time.monotonic() - began >= 0.3
        waiting = FileLock(path, "back up", wait=30)
        holder.send_signal(signal.SIGKILL)
        with waiting:
            assert time.monotonic() - began < 30


def test_a_lock_can_be_taken_again(path: Path) -> None:
    lock = FileLock(path, "back up")
    for _ in range(2):
        with lock:
            assert not FileLock(path, "other").try_acquire()
    lock.release()
    assert FileLock(path, "other").try_acquire()


def test_readers_do_not_keep_each_other_out(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("{}")
    with FileLock(path, "restore", shared=True), FileLock(path, "check", shared=True):
        assert not FileLock(path, "remove").try_acquire()
    writer = FileLock(path, "remove")
    with writer, pytest.raises(BusyError, match="it did not say who it is") as refused:
        FileLock(path, "check", shared=True).acquire()
    assert refused.value.details["holder"] == {}
    assert path.read_text() == "{}"


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening and locking, the holder of the file removed it, and somebody made a new one."""
    real = fcntl.flock
    replaced: list[int] = []

    def late(descriptor: int, operation: int) -> None:
        if not replaced:
            replaced.append(descriptor)
            path.unlink()
            path.touch()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    lock = FileLock(path, "back up", wait=5)
    with lock:
        assert not FileLock(path, "other").try_acquire()
    assert replaced


def test_a_lock_file_is_private(path: Path) -> None:
    before = os.umask(0)
    try:
        with FileLock(path, "back up"):
            assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_a_lock_file_where_nothing_can_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="No such file or directory"):
        FileLock(tmp_path / "gone" / ".writer.lock", "back up").acquire()


def test_a_lock_needs_no_room_on_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with FileLock(path, "prune"):
        assert read_holder(path) == {}
        with pytest.raises(BusyError, match="it did not say who it is"):
            FileLock(path, "back up").acquire()


@pytest.mark.parametrize("content", ["", "{", "[]", "7", "\0", json.dumps("text")])
def test_what_a_lock_file_says_is_never_trusted(path: Path, content: str) -> None:
    path.write_text(content)
    assert read_holder(path) == {}
    with FileLock(path, "back up"):
        assert read_holder(path)["operation"] == "back up"
