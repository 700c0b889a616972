"""A terminal for a program: what it draws is read, and what a person would type is typed."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Mapping, Sequence


class Terminal:
    """A program that runs on a pseudo-terminal of its own."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            list(command), env=dict(env), cwd="/", stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self.drawn = ""

    def wait_for(self, pattern: str, timeout: float = 60) -> str:
        """Reads until `pattern` has been drawn; returns everything so far."""
        deadline = time.monotonic() + timeout
        while re.search(pattern, self.drawn) is None:
            assert self._read(deadline), f"no {pattern!r} in {self.drawn!r}"
        return self.drawn

    def type(self, text: str) -> None:
        """Types a line."""
        os.write(self._ours, f"{text}\n".encode())

    def finish(self, timeout: float = 120) -> int:
        """Reads to the end, and returns the exit code."""
        deadline = time.monotonic() + timeout
        while self._read(deadline):
            pass
        try:
            return self.process.wait(timeout=10)
        finally:
            os.close(self._ours)

    def _read(self, deadline: float) -> bool:
        """Reads what there is; False at the end, or when time is up."""
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            self.process.terminate()
            return False
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # Linux: the other side is closed
            return False
        self.drawn += piece.decode("utf-8", "replace")
        return bool(piece)
