# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at single files of a server from this host, and at nothing that a link might lead to instead."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Optional


def read_file(path: Path) -> Optional[bytes]:
    """The content of a regular file; None if this account may not read it, or it is none.

    :raises FileNotFoundError: there is no such file.
    """
    return _content(os.fspath(path), None, 0)


def list_directory(path: Path) -> Optional[list[str]]:
    """The names in a directory; None if this account may not see them. A directory that is missing has none."""
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []
    except OSError:
        return None


def read_file_below(root: Path, path: str) -> Optional[bytes]:
    """The content of a regular file below a root, by an absolute path without links; None as in :func:`read_file`.

    Every part is opened by itself: who may change the tree meanwhile cannot put a link in that leads out of it.

    :raises FileNotFoundError: there is no such file.
    """
    parts = [part for part in path.split("/") if part]
    with _directory(root, parts[:-1]) as directory:
        return _content(parts[-1], directory, os.O_NOFOLLOW) if directory is not None and parts else None


def list_directory_below(root: Path, path: str) -> Optional[list[str]]:
    """The names in a directory below a root, by an absolute path without links; None as in :func:`list_directory`."""
    try:
        with _directory(root, [part for part in path.split("/") if part]) as directory:
            return os.listdir(directory) if directory is not None else None
    except FileNotFoundError:
        return []


@contextmanager
def _directory(root: Path, parts: list[str]) -> Iterator[Optional[int]]:
    descriptor = -1
    try:
        try:
            descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            for part in parts:
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            found: Optional[int] = descriptor
        except FileNotFoundError:
            raise
        except OSError:
            found = None
        yield found
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _content(name: str, directory: Optional[int], flags: int) -> Optional[bytes]:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags, dir_fd=directory)
        with os.fdopen(descriptor, "rb") as stream:
            return stream.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except FileNotFoundError:
        raise
    except (OSError, ValueError):
        return None
