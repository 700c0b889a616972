# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may write. The kernel keeps these locks, so a dead holder never holds one.

``flock`` belongs to the open file, not to a number in it: the kernel drops it when its holder dies, by
whatever signal, and at a reboot; and it holds between containers, which have process ids of their own
but share the file. What is written into the file only tells people who holds it.

* ``.writer.lock``: one backup at a time.
* ``.catalogue.lock``: short: whoever makes, renames or removes a set, or changes its state.
* the ``manifest.json`` of a set, shared: whoever reads the set; prune takes it exclusively or leaves the set.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

from ..errors import BusyError, NotFoundError
from .durable import FILE_MODE, refuse

WRITER = ".writer.lock"
CATALOGUE = ".catalogue.lock"
_POLL = 0.1


class FileLock:
    """A lock on a file; a context manager.

    :param path: the file; made if it does not exist and the lock is exclusive.
    :param operation: what the holder does, for messages.
    :param shared: many readers instead of one writer.
    :param wait: seconds to wait for it.
    """

    def __init__(self, path: Path, operation: str, shared: bool = False, wait: float = 0.0) -> None:
        self.path = path
        self.operation = operation
        self.shared = shared
        self.wait = wait
        self._descriptor: Optional[int] = None

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock.

        :raises BusyError: a live process holds it, and still does after ``wait`` seconds.
        :raises RepositoryError: the file cannot be opened.
        """
        until = time.monotonic() + self.wait
        while not self.try_acquire():
            if time.monotonic() >= until:
                holder = read_holder(self.path)
                raise BusyError(
                    self.operation,
                    str(self.path.parent),
                    f"another process holds {self.path.name} ({_describe(holder)})",
                    "Wait until it has ended, and run this again.",
                    lock=str(self.path),
                    holder=holder,
                )
            time.sleep(_POLL)

    def try_acquire(self) -> bool:
        """Take the lock if it is free.

        :raises NotFoundError: it is a set's, to be read, and the set has been removed.
        :raises RepositoryError: the file cannot be opened.
        """
        flags = os.O_RDONLY if self.shared else os.O_RDWR | os.O_CREAT
        try:
            descriptor = os.open(self.path, flags | os.O_CLOEXEC, FILE_MODE)
        except FileNotFoundError as error:
            if self.shared:
                raise _gone(self.path) from error
            refuse(error, "lock", self.path)
        except OSError as error:
            refuse(error, "lock", self.path)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if self.shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError as error:
            os.close(descriptor)
            refuse(error, "lock", self.path)
        if not _is_file_of(descriptor, self.path):
            # Its holder removed it while this one waited: a lock on it would keep nobody out.
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        if not self.shared and _is_signed(self.path):
            _give_to_owner_of_directory(descriptor, self.path)
            self._sign(descriptor)
        return True

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would race with whoever waits for it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _sign(self, descriptor: int) -> None:
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "operation": self.operation,
                  "since": datetime.now(timezone.utc).isoformat(timespec="seconds")}  # fmt: skip
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        except OSError:
            # A full disk must not keep a prune from freeing it: the kernel holds the lock all the same.
            os.ftruncate(descriptor, 0)


def _is_signed(path: Path) -> bool:
    """Whether holders write into the file who they are: into the locks' own files, not into manifests."""
    return path.name.startswith(".")


def _give_to_owner_of_directory(descriptor: int, path: Path) -> None:
    """What root locked once, the repository's owner must be able to lock later."""
    owner = path.parent.stat()
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid != owner.st_uid:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _is_file_of(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def _gone(path: Path) -> NotFoundError:
    return NotFoundError(
        "read", f"backup {path.parent.name}", "it was removed meanwhile", "See 'holdfast list' for what is there."
    )


def read_holder(path: Path) -> dict[str, Any]:
    """What the last holder wrote into a lock file; empty when nothing readable is there."""
    if not _is_signed(path):
        return {}
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _describe(holder: dict[str, Any]) -> str:
    if not holder:
        return "it did not say who it is"
    return (
        f"{holder.get('operation')} by process {holder.get('pid')} on {holder.get('host')} since {holder.get('since')}"
    )
