# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The brake of a dump: whom it stops, whom it does not, and what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.operations import brake
from tests.support.processes import until

MIB = 1 << 20
#: As an account that may not stop the processes of this one; an ordinary user's may not stop those of root.
AS_ANOTHER = "import os; from holdfast.operations import brake\nif os.geteuid() == 0: os.setuid(65534)\nbrake.main()\n"


@pytest.fixture
def asleep() -> Iterator[subprocess.Popen[bytes]]:
    """A shell with a child, both of which do nothing."""
    with subprocess.Popen(["/bin/sh", "-c", "sleep 60 & wait"]) as process:
        until(lambda: len(list(brake.family(process.pid))) == 2, "it has a child")
        yield process
        for pid, _start in reversed(list(brake.family(process.pid))):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def written() -> Iterator[Path]:
    """A directory with far more in it than was allowed."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        with open(Path(directory) / "1.dat", "wb") as stream:
            stream.truncate(100 * MIB)
        yield Path(directory)


def states(pid: int) -> set[str]:
    return {Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[0] for one, _start in brake.family(pid)}


def started(program: str, written: Path, pid: int, start: int) -> subprocess.Popen[str]:
    arguments = [str(MIB), str(written), str(pid), str(start)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], env=environment, stderr=subprocess.PIPE, text=True
    )


def test_all_processes_of_a_dump_stand_still_and_go_on_when_the_brake_is_asked_to_end(
    asleep: subprocess.Popen[bytes], written: Path
) -> None:
    program = "from holdfast.operations import brake; brake.main()"
    with started(program, written, asleep.pid, brake.started_at(asleep.pid)) as process:
        until(lambda: states(asleep.pid) == {"T"}, "both stand still")
        process.terminate()
        assert process.wait(5) == 0
    assert states(asleep.pid) == {"S"}


def test_what_stands_still_can_be_resumed_without_the_brake(asleep: subprocess.Popen[bytes]) -> None:
    for pid, start in brake.family(asleep.pid):
        brake.signalled(pid, start, signal.SIGSTOP)
    until(lambda: states(asleep.pid) == {"T"}, "both stand still")
    brake.resume(asleep.pid, brake.started_at(asleep.pid))
    until(lambda: states(asleep.pid) == {"S"}, "both go on")


def test_a_later_process_of_the_same_id_is_left_alone(asleep: subprocess.Popen[bytes], written: Path) -> None:
    start = brake.started_at(asleep.pid)
    brake.signalled(asleep.pid, start - 1, signal.SIGKILL)
    program = "from holdfast.operations import brake; brake.main()"
    with started(program, written, asleep.pid, start - 1) as process:
        assert process.wait(5) == 0
    assert states(asleep.pid) == {"S"}


def test_an_account_that_may_not_stop_it_says_so(asleep: subprocess.Popen[bytes], written: Path) -> None:
    pid = asleep.pid if os.geteuid() == 0 else 1
    with started(AS_ANOTHER, written, pid, brake.started_at(pid)) as process:
        _stdout, stderr = process.communicate(timeout=10)
    assert (process.returncode, stderr) == (1, "error: Operation not permitted\n")
    assert states(asleep.pid) == {"S"}


def test_the_size_of_a_dump_that_has_not_begun_is_nothing(tmp_path: Path) -> None:
    assert brake.size_of(str(tmp_path / "shop")) == 0


def test_a_process_that_has_ended_has_no_start() -> None:
    process = subprocess.Popen(["/bin/true"])
    until(lambda: brake.started_at(process.pid) == 0, "it has ended, though nobody has asked how")
    process.wait()
    assert list(brake.family(process.pid)) == []
