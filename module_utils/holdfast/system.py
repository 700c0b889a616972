# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The world outside: time, randomness and other programs. Operations get it passed in.

A test passes a :class:`System` with another clock; nothing else in the core asks the machine for the
time, for a random name or for a child process.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import functools
import gc
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any, Optional, TypeVar, cast

#: What a child process may inherit. Everything else of the caller's environment (PGHOST, PGOPTIONS,
#: PYTHONPATH …) could send a tool to another server and is left behind.
_INHERITED = ("HOME", "TMPDIR", "XDG_RUNTIME_DIR", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "USER", "LOGNAME")
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STDERR_LINES = 2000


@contextlib.contextmanager
def private_directory(purpose: str) -> Iterator[Path]:
    """A temporary directory for this account alone, gone with all that is in it when the block ends.

    :param purpose: part of its name: ``migration`` gives ``/tmp/holdfast-migration-…``.
    :raises OSError: it cannot be made.
    """
    path = tempfile.mkdtemp(prefix=f"holdfast-{purpose}-")
    try:
        yield Path(path)
    finally:
        # Nobody else can read what stays in it: no reason to call failed what was done, or to hide why it failed.
        shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True)
class Command:
    """A program to run: an argument list and what is added to a minimal environment. Never a shell string.

    :param stdin: what it reads; None gives it nothing to read.
    :param own_group: it leads a process group of its own, and what it started is stopped with it.
    :param stoppable: it leads a process group within this session. Whoever stops it (SIGSTOP) and dies does not leave
        it so: when its parent dies too, the kernel has it go on, and hang up. Source: setpgid(2), orphaned groups.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: Optional[bytes] = field(default=None, repr=False)
    own_group: bool = False
    stoppable: bool = False


@dataclass(frozen=True)
class Finished:
    """How a program ended. ``stderr`` holds its last 2000 lines at most; ``stdout`` its first ``limit`` bytes."""

    argv: Sequence[str]
    returncode: int
    stdout: str
    stderr: str

    @property
    def last_error(self) -> str:
        """The lines of stderr that say why it failed, on one line, at most about 600 characters."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()] or lines[-3:]
        text = " | ".join(telling[:4]) or f"{self.argv[0]} ended with exit code {self.returncode}"
        return text[:600]


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _die_with_parent(parent: int, lead_group: bool = False) -> None:
    """Ask the kernel to end this child when its parent dies (Linux; elsewhere there is no such call).

    A backup killed by SIGKILL must not leave a pg_dump behind that goes on writing.
    Source: prctl(2). It follows the parent's thread, so children are started from the main thread.

    :param parent: its process id. A parent that died before the kernel was asked is no longer this child's.
    """
    if lead_group:
        os.setpgid(0, 0)
    if hasattr(_LIBC, "prctl"):
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)


def _owns(directory: str) -> bool:
    try:
        return os.stat(directory).st_uid == os.geteuid()
    except OSError:
        return False


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: a minimal one that is the same under cron, Ansible and a login shell."""
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    if not _owns(env.get("XDG_RUNTIME_DIR", "/")):
        # That of the account that became this one: rootless podman would be refused there, and finds its own without.
        env.pop("XDG_RUNTIME_DIR", None)
    env["PATH"] = os.environ.get("PATH") or _DEFAULT_PATH
    env["LC_ALL"] = "C"
    env.update(extra)
    return env


class Running:
    """A child process whose output is read all the time, in bounded memory."""

    def __init__(self, command: Command, stdout_limit: int = 256 << 20) -> None:
        self.command = command
        self._limit = stdout_limit
        self._out: list[bytes] = []
        self._err: collections.deque[bytes] = collections.deque(maxlen=_STDERR_LINES)
        self._process = subprocess.Popen(
            list(command.argv),
            stdin=subprocess.DEVNULL if command.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(command.env),
            cwd="/",
            close_fds=True,
            start_new_session=command.own_group,
            preexec_fn=functools.partial(_die_with_parent, os.getpid(), command.stoppable),
        )
        self._readers = [
            threading.Thread(target=self._drain_stdout, args=[self._process.stdout], daemon=True),
            threading.Thread(target=self._drain_stderr, args=[self._process.stderr], daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        if command.stdin is not None:
            threading.Thread(target=self._feed, args=[self._process.stdin, command.stdin], daemon=True).start()

    def _feed(self, stream: IO[bytes], content: bytes) -> None:
        # A program that reads nothing, or not to the end, is not wrong.
        with contextlib.suppress(OSError):
            stream.write(content)
        with contextlib.suppress(OSError):
            stream.close()

    def _drain_stdout(self, stream: IO[bytes]) -> None:
        kept = 0
        while True:
            chunk = os.read(stream.fileno(), 65536)
            if not chunk:
                return
            if kept < self._limit:
                self._out.append(chunk[: self._limit - kept])
                kept += len(chunk)

    def _drain_stderr(self, stream: IO[bytes]) -> None:
        # A line may be as long as it likes.
        for line in iter(functools.partial(stream.readline, 65536), b""):
            self._err.append(line[:4000])

    def told(self) -> str:
        """The last lines of its error output so far."""
        return b"".join(self._err.copy()).decode(errors="replace")

    def poll(self) -> bool:
        """True once the program has ended."""
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    @property
    def failed(self) -> bool:
        """Whether it has ended with an exit code other than 0."""
        return self._process.poll() not in (None, 0)

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait up to ``timeout`` seconds; True once the program has ended."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, grace: float = 10) -> None:
        """End the program: politely, then after ``grace`` seconds by force."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            if not self.wait(grace):
                self._process.kill()
                self._process.wait()
            if self.command.own_group:
                self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if not self.command.own_group:
            self._process.send_signal(number)
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def finish(self, patience: Optional[float] = None) -> Finished:
        """Wait for the end and return the result.

        :param patience: seconds to wait for the end of its output, which a program that it left behind may hold open.
        """
        self._process.wait()
        for reader in self._readers:
            reader.join(patience)
        return Finished(
            argv=self.command.argv,
            returncode=self._process.returncode,
            stdout=b"".join(self._out).decode("utf-8", "replace"),
            stderr=self.told(),
        )


def start(command: Command) -> Running:
    """Start a program without waiting for it.

    :raises FileNotFoundError: the program does not exist.
    """
    return Running(command)


_Called = TypeVar("_Called", bound=Callable[..., Any])


def without_collector(function: _Called) -> _Called:
    """Decorate a function that builds very many objects which all stay.

    Python's collector of cycles would go through all of them again and again: for 10,000 manifests it
    takes as long as reading them. Memory is freed by reference counts as always.
    """

    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        enabled = gc.isenabled()
        gc.disable()
        try:
            return function(*arguments, **named)
        finally:
            if enabled:
                gc.enable()

    return cast("_Called", run)


def utc_now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class System:
    """Time, randomness and child processes, as an operation sees them."""

    now: Callable[[], datetime] = utc_now
    token: Callable[[], str] = lambda: secrets.token_hex(3)
    start: Callable[[Command], Running] = start

    def run(self, command: Command) -> Finished:
        """Run a program to its end.

        :raises FileNotFoundError: the program does not exist.
        """
        running = self.start(command)
        try:
            return running.finish()
        except BaseException:
            running.stop()
            raise
