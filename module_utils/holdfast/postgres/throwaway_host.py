# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A throwaway server of the host itself: the same programs, with a data directory of its own.

It listens on nothing but a socket in that directory, which is its account's alone, and trusts whoever gets there.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from ..errors import AccessError
from ..system import Command, Running, System
from .access import HostAccess
from .throwaway import POLL, READY_SECONDS, Original, Throwaway, failed_to_start

#: Large, and not emptied at boot: the file system hierarchy's place for what is temporary and may stay for a while.
DEFAULT_DIRECTORY = "/var/tmp"
_NICE = ("nice", "-n", "10")


class HostThrowaway(Throwaway):
    """A server in a directory of its own.

    :param bin_dir: where the real server's own programs are.
    :param directory: below which its directory is made.
    :param account: user and group id that it runs as; PostgreSQL refuses to run as root.
    :param label: part of the directory's name, so that what a killed process left can be told.
    """

    def __init__(
        self, bin_dir: str, directory: str, account: tuple[int, int], original: Original, system: System, label: str
    ) -> None:
        self._bin_dir = bin_dir
        self._account = account
        self._original = original
        self._system = system
        self._running: Optional[Running] = None
        self.path = Path(directory) / f"holdfast-throwaway-{label}"
        self.data = self.path / "data"
        self.access: HostAccess = HostAccess(
            host=str(self.path), port=5432, user=original.superuser, database="postgres", bin_dir=bin_dir
        )

    def start(self) -> None:
        try:
            self.path.mkdir(mode=0o700)
            os.chown(self.path, *self._account)
        except OSError as error:
            raise failed_to_start(f"{self.path} cannot be made ({error.strerror})") from error
        done = self._system.run(self._program(
            "initdb", "--pgdata", str(self.data), "--username", self._original.superuser, "--auth", "trust",
            "--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions",
        ))  # fmt: skip
        if done.returncode != 0:
            raise failed_to_start(done.last_error)
        settings = {
            **self._original.copied_settings(), "listen_addresses": "", "port": "5432",
            "unix_socket_directories": f'"{self.path}"', "unix_socket_permissions": "0700", "logging_collector": "off",
        }  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._running = self._system.start(self._program("postgres", "-D", str(self.data), *options, before=_NICE))
        self._wait_until_ready(self._running)

    def remove(self) -> None:
        """Remove its directory, and end a server that runs in it.

        :raises AccessError: what is there is not ours.
        """
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (self._account[0], os.geteuid()):
            raise AccessError(
                "remove", f"what an earlier drill left at {self.path}", "it is no directory of the server's account",
                "See what it is, and move it away.",
            )  # fmt: skip
        if self._is_alive():
            self._system.run(self._program("pg_ctl", "stop", "--mode=immediate", "--pgdata", str(self.data)))
        if self._running is not None:
            self._running.stop()
            self._running = None
        # Files of a server that is ending vanish meanwhile. Whatever stays keeps the next one from being made, which says so.
        shutil.rmtree(self.path, ignore_errors=True)

    def log(self, since: str = "") -> str:
        """The last lines of it: whatever ``since`` is."""
        if self._running is None:
            return ""
        return self._running.finish().stderr if self._running.poll() else self._running.told()

    def _wait_until_ready(self, running: Running) -> None:
        ready = self._program("pg_isready", "--quiet", f"--host={self.path}", "--port=5432", "--dbname=postgres")
        until = time.monotonic() + READY_SECONDS
        while self._system.run(ready).returncode != 0:
            if running.poll() or time.monotonic() > until:
                running.stop()
                raise failed_to_start(" | ".join(self.log().splitlines()[-4:])[-600:] or "it does not answer")
            time.sleep(POLL)

    def _is_alive(self) -> bool:
        """Whether a server runs in the directory: a process id alone may be another's by now."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            return os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(self.data)
        except (OSError, ValueError):
            return False

    def _program(self, name: str, *arguments: str, before: Sequence[str] = ()) -> Command:
        """One of the server's programs, as its account, ending with this process."""
        argv = [os.path.join(self._bin_dir, name), *arguments]
        if os.geteuid() == 0:
            uid, gid = self._account
            # Changing the account clears what the kernel was asked to do at the parent's death.
            argv = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--pdeathsig=TERM", "--", *argv]
        return Command([*before, *argv])
