# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other programs as an operation sees them: real children, bounded memory, and none that outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC
from pathlib import Path

import pytest

from holdfast.system import Command, Finished, Running, System, child_environment, private_directory, start
from tests.support.clusters import CHECKOUT
from tests.support.processes import mentioning, until


def python(script: str, *arguments: str, **env: str) -> Command:
    return Command([sys.executable, "-c", script, *arguments], env)


def test_a_program_ends_with_its_output_and_exit_code() -> None:
    done = System().run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_a_program_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(FileNotFoundError):
        System().run(Command(["/nowhere/pg_dump"]))


def test_arguments_are_never_a_shell_s() -> None:
    odd = "a b; $(id) `id` 'q\" \\ * \n ../x"
    assert System().run(python("import sys; print(sys.argv[1], end='')", odd)).stdout == odd


def test_what_could_send_a_tool_elsewhere_stays_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGDATABASE", "PGOPTIONS", "PGSERVICE", "PGPASSWORD", "PYTHONPATH", "LD_PRELOAD"):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("HOME", "/home/op")
    environment = child_environment({"PGSERVICEFILE": "/etc/pg_service.conf"})
    assert environment.pop("PGSERVICEFILE") == "/etc/pg_service.conf"
    assert (environment["HOME"], environment["LC_ALL"]) == ("/home/op", "C")
    assert "/elsewhere" not in environment.values()


def test_without_a_path_there_is_a_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH")
    assert "/usr/bin" in child_environment({})["PATH"].split(":")


def test_the_runtime_directory_of_another_account_stays_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert child_environment({})["XDG_RUNTIME_DIR"] == str(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert "XDG_RUNTIME_DIR" not in child_environment({})
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    assert "XDG_RUNTIME_DIR" not in child_environment({})


def test_a_child_reads_nothing_and_starts_in_the_root_directory() -> None:
    done = System().run(python("import os, sys; print(os.getcwd(), repr(sys.stdin.read()))"))
    assert done.stdout == "/ ''\n"


def test_a_child_reads_what_it_is_given() -> None:
    much = b"x" * 300_000
    script = "import sys; print(len(sys.stdin.buffer.read()))"
    assert System().run(Command([sys.executable, "-c", script], stdin=much)).stdout == "300000\n"
    assert System().run(Command(["/bin/true"], stdin=much)).returncode == 0
    assert "xxx" not in repr(Command(["/bin/true"], stdin=much))


def test_what_a_program_started_is_stopped_with_its_group() -> None:
    asleep = f"{70 + os.getpid() / 1e7:.7f}"
    running = start(Command(["/bin/sh", "-c", f"/bin/sleep {asleep} & wait"], own_group=True))
    until(lambda: f"/bin/sleep {asleep}" in mentioning(asleep), "it runs")
    running.stop()
    until(lambda: not mentioning(asleep), "it ended with the group")


def test_the_end_of_an_output_that_somebody_else_holds_is_not_waited_for() -> None:
    running = start(Command(["/bin/sh", "-c", "echo done; /bin/sleep 20 & echo why >&2; exit 3"], own_group=True))
    began = time.monotonic()
    done = running.finish(0.5)
    assert time.monotonic() - began < 5
    assert (done.returncode, done.stdout, done.stderr) == (3, "done\n", "why\n")
    os.killpg(running._process.pid, signal.SIGKILL)


def test_much_output_is_neither_kept_nor_in_the_way() -> None:
    script = "import sys\nfor n in range(200000): print('x' * 60); print('line', n, file=sys.stderr)"
    running = start(python(script))
    running._limit = 1000
    done = running.finish()
    assert done.returncode == 0
    assert len(done.stdout) == 1000
    lines = done.stderr.splitlines()
    assert (len(lines), lines[-1]) == (2000, "line 199999")


def test_output_that_is_no_text_is_shown_as_far_as_it_is() -> None:
    done = System().run(python("import sys; sys.stdout.buffer.write(b'a\\xffb')"))
    assert done.stdout == "a\ufffdb"


@pytest.mark.parametrize(
    ("stderr", "told"),
    [
        ("", "tool ended with exit code 1"),
        ("\n  \n", "tool ended with exit code 1"),
        ("pg_dump: hint: x\npg_dump: error: no\npg_dump: detail: y\n", "pg_dump: error: no"),
        ("psql: FATAL:  role missing\n", "psql: FATAL:  role missing"),
        ("a\nb\nc\nd\n", "b | c | d"),
        ("error " + "x" * 2000, "error " + "x" * 594),
    ],
)
def test_the_last_error_is_the_lines_that_say_why(stderr: str, told: str) -> None:
    assert Finished(["tool"], 1, "", stderr).last_error == told


def test_a_program_is_watched_until_it_ends() -> None:
    running = start(python("import sys; sys.stdin.read(); import time; time.sleep(0.2); sys.exit(1)"))
    assert (running.poll(), running.failed) == (False, False)
    assert not running.wait(0.01)
    assert running.wait(20)
    assert (running.poll(), running.failed) == (True, True)
    running.stop()
    assert running.finish().returncode == 1


def test_a_program_is_stopped_politely() -> None:
    running = start(python("import time; print('ready', flush=True); time.sleep(60)"))
    running.stop()
    assert running.finish().returncode == -signal.SIGTERM


def test_a_program_that_does_not_listen_is_stopped_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    running = start(python(script))
    until(lambda: running._out, "it ignores the signal")
    patient = running.wait
    monkeypatch.setattr(running, "wait", lambda timeout: patient(timeout / 50))
    running.stop()
    assert running.finish().returncode == -signal.SIGKILL


def test_a_run_that_is_interrupted_leaves_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def interrupted(command: Command) -> Running:
        running = start(command)
        started.append(running)

        def finish() -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(running, "finish", finish)
        return running

    with pytest.raises(KeyboardInterrupt):
        System(start=interrupted).run(python("import time; time.sleep(60)"))
    assert started[0].poll()


def test_a_child_ends_with_its_parent() -> None:
    asleep = f"{60 + os.getpid() / 1e7:.7f}"
    script = (
        "import sys, time; from holdfast.system import Command, start\n"
        "start(Command(['/bin/sleep', sys.argv[1]])); print('started', flush=True); time.sleep(60)\n"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT / "module_utils")}
    command = [sys.executable, "-c", script, asleep]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "started\n"
        until(lambda: f"/bin/sleep {asleep}" in mentioning(asleep), "the child runs")
        parent.kill()
    until(lambda: not mentioning(asleep), "the child ended with its parent")


def test_time_is_aware_and_names_are_random() -> None:
    system = System()
    assert system.now().tzinfo is UTC
    assert abs(system.now().timestamp() - time.time()) < 60
    tokens = {system.token() for _ in range(100)}
    assert len(tokens) > 90
    assert all(len(token) == 6 and int(token, 16) >= 0 for token in tokens)


def test_no_descriptor_of_ours_is_inherited(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    with secret.open() as stream:
        os.set_inheritable(stream.fileno(), True)
        script = f"import os; print(os.path.exists('/proc/self/fd/{stream.fileno()}'))"
        assert System().run(python(script)).stdout == "False\n"


def fail_in(path: Path) -> None:
    (path / "secret").write_text("it")
    raise ValueError("that")


def test_a_private_directory_is_for_this_account_alone_and_gone_after_an_error_too() -> None:
    with private_directory("test") as path:
        assert path.name.startswith("holdfast-test-")
        assert path.stat().st_mode & 0o777 == 0o700
        with pytest.raises(ValueError, match="that"), private_directory("inner") as inner:
            fail_in(inner)
        assert not inner.exists()
    assert not path.exists()


def test_a_private_directory_that_is_gone_already_hides_no_result() -> None:
    with private_directory("test") as path:
        path.rmdir()
    assert not path.exists()
