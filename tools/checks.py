"""Run everything that must pass, in three lanes: the tests; lint, sanity and scenarios on hosts; more of these.

    python tools/checks.py [ARGUMENT OF pytest ...]

Two lanes keep two processors busy; the third begins with the scenario that mostly waits for alarms. What others than the
tests say goes to .cache/checks/ and is shown if it failed. Tests in containers and scenarios on hosts need a container engine: one that
runs, or one that can be installed here; otherwise it is said what was left out. The last line is pytest's own, so that
it can be read at a glance.
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
LAB = [sys.executable, str(ROOT / "tools" / "lab.py")]
CANNOT_HERE = 3
#: The scenarios of the third lane, so that all three take about as long.
THIRD_LANE = ("monitoring", "host_server", "recovery")


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
        # Molecule and ansible-lint call programs of the virtual environment by name.
        env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=env,
            )
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


def without_hosts() -> str:
    """Make sure that a container engine runs; return why there is none, if there is none."""
    asked = subprocess.run([*LAB, "engine"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    if asked.returncode not in (0, CANNOT_HERE):
        print(asked.stderr, end="", file=sys.stderr)
    if asked.returncode == 0 and os.geteuid() != 0:
        return "the lab's images are built by root. Run this as root to have the scenarios on hosts too."
    return asked.stderr.strip().rpartition("\n")[2] if asked.returncode else ""


def scenarios() -> tuple[list[Part], list[Part]]:
    """The scenarios on hosts, each with machines of its own: those of the second lane, and those of the third."""
    names = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
    molecule = [sys.executable, "-m", "molecule", "test", "--scenario-name"]
    parts = {name: Part(f"hosts-{name}", [*molecule, name]) for name in names}
    return [parts[name] for name in names if name not in THIRD_LANE], [parts[name] for name in THIRD_LANE]


def failures(output: str) -> list[str]:
    """The lines of pytest's own summary that name what failed, and why."""
    return [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]


def main(arguments: list[str]) -> int:
    """Run all parts and return 0 if all of them passed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    left_out = without_hosts()
    second = [Part(name, ["make", "--keep-going", "--no-print-directory", name]) for name in ("lint", "sanity")]
    on_hosts, third = ([], []) if left_out else scenarios()
    second += on_hosts
    others = [*second, *third]
    tests = Part("tests", [sys.executable, "-m", "pytest", *arguments])

    def run_all(parts: list[Part]) -> None:
        for part in parts:
            part.run()

    lanes = [threading.Thread(target=run_all, args=(parts,)) for parts in (second, third)]
    for lane in lanes:
        lane.start()
    tests.run(show=True)
    print("waiting for the other lanes …", flush=True)
    for lane in lanes:
        lane.join()
    for part in others:
        if not part.passed:
            print(f"\n---- {part.name} ----\n{part.output()}")
    print("", *(part.verdict() for part in (*others, tests)), sep="\n")
    if left_out:
        print(f"LEFT OUT: the tests in containers and the scenarios on hosts. {left_out}")
    # What failed is easily missed in so much output: once more, a line each.
    for part in (*others, tests):
        for line in failures(part.output()) if not part.passed else []:
            print(line)
    print(tests.output().rpartition("\n")[2], flush=True)
    # Somebody who says that everything is there wants nothing left out.
    complete = not (left_out and os.environ.get("HOLDFAST_COMPLETE"))
    return 0 if complete and all(part.passed for part in (*others, tests)) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
