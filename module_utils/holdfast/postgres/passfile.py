# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A copy of a passfile for the tools of a container, which see the server elsewhere than its operator does."""

from __future__ import annotations

import glob
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Collection
from pathlib import Path

from ..errors import AccessError

_FIRST_FIELD = re.compile(r"((?:[^\\:]|\\.)*):")


class PassfileCopy:
    """A private copy, which goes with the object, with the process, or with the next one that looks for it.

    The server is ``127.0.0.1`` for the tools in its network, and a path below ``/proc`` for this process:
    lines for any name that an operator gives it hold for both. The copy belongs to the tools' user, because
    libpq ignores a passfile that others may read, and a tool without capabilities reads only its own.

    :param source: the operator's passfile.
    :param hosts: what its lines may call the server.
    :param owner: user and group id of the tools.
    :param label: what the copy is named after, so that one that a killed process left can be found.
    :raises AccessError: it cannot be read, or others may read it.
    """

    def __init__(self, source: str, hosts: Collection[str], owner: tuple[int, int], label: str) -> None:
        try:
            with open(source, encoding="utf-8", errors="surrogateescape") as stream:
                if os.fstat(stream.fileno()).st_mode & 0o077:
                    raise _unusable(source, "others than its owner may read it", f"Run chmod 600 {source}.")
                lines = stream.read().splitlines()
        except OSError as error:
            raise _unusable(
                source, str(error.strerror), "Make it, readable for this account only (chmod 600)."
            ) from error
        directory = tempfile.mkdtemp(prefix=f"{_prefix(label)}{os.getpid()}-")
        self.path = os.path.join(directory, "passfile")
        # It runs at the interpreter's end too, where nobody hears of an error; what stays, the next run removes.
        self.remove = weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as copy:
            copy.writelines(f"{for_any_host(line, hosts)}\n" for line in lines)
        if os.geteuid() == 0:
            for path in (directory, self.path):
                os.chown(path, *owner)


def for_any_host(line: str, hosts: Collection[str]) -> str:
    """A line of a passfile with ``*`` for its host, if that is one of ``hosts``.

    ``localhost:5432:*:app:x`` → ``*:5432:*:app:x``. Source: PostgreSQL documentation, "The Password File".
    """
    found = _FIRST_FIELD.match(line)
    if found is None or re.sub(r"\\(.)", r"\1", found.group(1)) not in hosts:
        return line
    return "*" + line[found.end(1) :]


def remove_dead_copies(label: str) -> None:
    """Remove the copies that processes left which were killed."""
    for path in glob.glob(os.path.join(glob.escape(tempfile.gettempdir()), f"{glob.escape(_prefix(label))}*")):
        pid = path.rpartition(_prefix(label))[2].split("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            # Another process may be removing the same.
            shutil.rmtree(path, ignore_errors=True)


def _prefix(label: str) -> str:
    return f"holdfast-{label}-"


def _unusable(source: str, reason: str, next_step: str) -> AccessError:
    return AccessError("use", f"passfile {source}", reason, next_step, passfile=source)
