"""Run everything that must pass: lint and sanity in one lane, the tests in another.

    python tools/checks.py [ARGUMENT OF pytest ...]

The tests mostly wait for a database server, so the other lane costs them little. What it says goes to
.cache/checks/ and is shown if it failed. The last line is pytest's own, so that it can be read at a glance.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / ".cache" / "checks"


class Part:
    """One of the things that must pass."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.command = command
        self.log = LOGS / f"{name}.log"
        self.passed = False
        self.seconds = 0.0

    def run(self, *, show: bool = False) -> None:
        """Run to the end, everything it says into its log, and onto the screen if `show`."""
        started = time.monotonic()
        with self.log.open("wb") as log:
            process = subprocess.Popen(self.command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert process.stdout is not None  # it is a pipe
            while chunk := os.read(process.stdout.fileno(), 65536):
                log.write(chunk)
                if show:
                    sys.stdout.buffer.write(chunk)
                    sys.stdout.buffer.flush()
            self.passed = process.wait() == 0
        self.seconds = time.monotonic() - started

    def verdict(self) -> str:
        return f"{self.name}: {'passed' if self.passed else 'FAILED'} in {self.seconds:.0f} s"

    def output(self) -> str:
        return self.log.read_text(errors="replace").rstrip()


def main(arguments: list[str]) -> int:
    """Run all parts and return 0 if all of them passed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    others = [Part(name, ["make", "--keep-going", "--no-print-directory", name]) for name in ("lint", "sanity")]
    tests = Part("tests", [sys.executable, "-m", "pytest", *arguments])

    def run_others() -> None:
        for part in others:
            part.run()

    lane = threading.Thread(target=run_others)
    lane.start()
    tests.run(show=True)
    lane.join()

    for part in others:
        if not part.passed:
            print(f"\n---- {part.name} ----\n{part.output()}")
    print("", *(part.verdict() for part in (*others, tests)), sep="\n")
    print(tests.output().rpartition("\n")[2], flush=True)
    return 0 if all(part.passed for part in (*others, tests)) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
