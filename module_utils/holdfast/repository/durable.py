# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing that survives a crash: temporary name, fsync of the file, rename, fsync of the directory."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

from ..errors import RepositoryError

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
_CHUNK = 1 << 20
_REMOVE_FOR = 5.0
_REMOVE_AGAIN = 0.05


def fsync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_tree(root: Path) -> None:
    """Make a directory and all directories below it durable, the deepest first; files see to themselves."""
    for directory, _names, _files in os.walk(root, topdown=False):
        fsync_directory(Path(directory))


def write_file(path: Path, content: bytes) -> None:
    """Write a new file durably; its name becomes durable with :func:`fsync_directory`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def read_file(path: str) -> bytes:
    """The content of a file, with as few system calls as it takes: a catalogue has thousands."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, _CHUNK)
        while len(content) >= _CHUNK and (more := os.read(descriptor, _CHUNK)):
            content += more
        return content
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file atomically: a reader, or a crash, sees the old content or the new one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        write_file(temporary, content)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


def make_directory(path: Path) -> None:
    """Make a private directory durably. It must not exist."""
    os.mkdir(path, DIRECTORY_MODE)
    fsync_directory(path.parent)


def to_json(value: Any) -> bytes:
    """Readable JSON: indented, sorted, ended by a newline. Lone surrogates stay as escapes."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode("ascii")


def regular_files(root: Path) -> Iterator[str]:
    """All files below a directory as relative POSIX paths, sorted by directory."""
    for directory, names, files in os.walk(root):
        names.sort()
        for name in sorted(files):
            yield (Path(directory) / name).relative_to(root).as_posix()


def seal(root: Path, names: Iterable[str], workers: int) -> dict[str, tuple[int, str]]:
    """Make files private and durable, and checksum them: size in bytes and SHA-256 in hexadecimal, by name.

    Memory is flat: each worker reads one file in pieces of 1 MiB.
    """

    def one(name: str) -> tuple[str, tuple[int, str]]:
        path = root / name
        os.chmod(path, FILE_MODE)
        with open(path, "rb") as stream:
            os.fsync(stream.fileno())
        return name, measure(path)

    with ThreadPoolExecutor(max(1, workers)) as pool:
        return dict(pool.map(one, names))


def measure(path: Path) -> tuple[int, str]:
    """Size in bytes and SHA-256 in hexadecimal of a file."""
    digest, size = hashlib.sha256(), 0
    with open(path, "rb", buffering=0) as stream:
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def remove_tree(path: Path) -> None:
    """Remove a directory and all below it; one that has gone meanwhile is no error.

    A tool that is just ending may still write there, so what is not empty is tried again for a while.
    """
    until = time.monotonic() + _REMOVE_FOR
    while path.exists():
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or time.monotonic() > until:
                raise
            time.sleep(_REMOVE_AGAIN)


def give_to(path: Path, owner: tuple[int, int]) -> None:
    """Give a file or a tree that root wrote to the owner of the repository; for other users nothing changes."""
    if os.geteuid() != 0 or owner == (0, 0):
        return
    os.chown(path, *owner, follow_symlinks=False)
    for directory, names, files in os.walk(path):
        for name in [*names, *files]:
            os.chown(os.path.join(directory, name), *owner, follow_symlinks=False)


def refuse(error: OSError, verb: str, path: Path) -> NoReturn:
    """Turn an operating system's error into one that says what to do.

    :raises RepositoryError: always.
    """
    raise explain(error, verb, path) from error


def explain(error: OSError, verb: str, path: Path) -> RepositoryError:
    """The :class:`RepositoryError` for an operating system's error on a path of the repository."""
    steps = {
        errno.ENOSPC: "Free space on that file system (holdfast prune), or give the repository a larger one.",
        errno.EDQUOT: "Raise the quota, or free space (holdfast prune).",
        errno.EROFS: "The file system is mounted read-only: look at the kernel's log for why, then remount it.",
        errno.EACCES: "Give this account the repository (mode 0700), or run as its owner.",
        errno.EPERM: "Give this account the repository (mode 0700), or run as its owner.",
        errno.ENOENT: "Is the file system of the repository mounted?",
        errno.EIO: "The disk reports errors: look at the kernel's log, and copy what is there to another disk.",
    }
    step = steps.get(error.errno or 0, "Look at the file system of the repository.")
    reason = f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
    return RepositoryError(verb, f"repository {path}", reason, step, errno=error.errno, path=str(path))
