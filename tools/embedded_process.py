"""The process of an embedded server: is it there, start it, stop it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tools.unprivileged import Account, EmbeddedError, environment

START_SECONDS = 60
STOP_SECONDS = 60

_children: dict[Path, subprocess.Popen[bytes]] = {}
"""Servers that this very process started, by data directory: `shut_down` collects their exit status."""


def postmaster_pid(data: Path) -> int | None:
    """The process that serves the data directory, or None; a stale pid file is no process."""
    lines = _pid_file(data)
    if not lines or not lines[0].isdigit():
        return None
    try:
        words = Path(f"/proc/{lines[0]}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    # The number may have gone to another program since: only ours names the data directory.
    return int(lines[0]) if os.fsencode(data) in words else None


def launch(bin_dir: Path, data: Path, log: Path, account: Account | None) -> None:
    """Starts the postmaster and waits until it accepts connections."""
    # Left by a crash or a reboot: the server would believe it if its number is in use again.
    (data / "postmaster.pid").unlink(missing_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [str(bin_dir / "postgres"), "-D", str(data)],
            cwd="/",
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    _children[data] = child
    deadline = time.monotonic() + START_SECONDS
    while not _is_ready(data, child.pid):
        if child.poll() is not None or time.monotonic() > deadline:
            child.kill()
            child.wait()
            del _children[data]
            tail = log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
            raise EmbeddedError(f"Cannot start the server of {data}: {tail}")
        time.sleep(0.02)


def shut_down(data: Path) -> bool:
    """Ends the server of a data directory in good order; returns whether there was one."""
    pid = postmaster_pid(data)
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)  # PostgreSQL's "fast shutdown"
    deadline = time.monotonic() + STOP_SECONDS
    while postmaster_pid(data) is not None:
        if time.monotonic() > deadline:
            raise EmbeddedError(f"Cannot stop process {pid}, which serves {data}: still there after {STOP_SECONDS} s.")
        time.sleep(0.02)
    child = _children.pop(data, None)
    if child is not None:
        child.wait()
    return True


def _is_ready(data: Path, pid: int) -> bool:
    lines = _pid_file(data)
    # Line 8 is the postmaster's state; the same test as pg_ctl's.
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
