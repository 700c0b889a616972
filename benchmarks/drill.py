"""What a drill takes: its restore beside a plain pg_restore, what its throwaway adds, and a quarantine of much and of little."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.dataset import DATABASE
from benchmarks.program import Program
from benchmarks.report import Line
from benchmarks.server import CONTAINER, LABEL, READY_SECONDS, BenchmarkError, Server, run
from holdfast.postgres.access import ContainerAccess
from holdfast.postgres.quarantine import Holder, move
from holdfast.system import System

PLAIN = "holdfast-lab-bench-plain"
JOBS = ("--jobs", "2")


def drill(server: Server, folder: Path, rounds: int, tell: Callable[[str], None]) -> tuple[dict[str, Any], list[Line]]:
    """Compare the restore step of a drill with `pg_restore -j` of the same backup into a server with default settings."""
    program = Program(folder / "holdfast")
    program.forget_backups()
    program("backup", "--database", DATABASE, *JOBS, "--compression", "zstd:1", "--fingerprint", "digest")
    (dump,) = (program.repository / "backups").glob(f"*/databases/{DATABASE}")
    plain: list[float] = []
    drills: list[dict[str, Any]] = []
    for number in range(1, rounds + 1):
        plain.append(_plain(server, dump))
        tell(f"round {number}: pg_restore {plain[-1]:.1f} s")
        (evidence,) = program("verify", "--latest").result["drills"]
        drills.append(evidence)
        tell(f"round {number}: drill {_loaded(evidence):.1f} s of restore, {evidence['seconds']['all']:.1f} s in all")
    base, ours = statistics.median(plain), statistics.median(map(_loaded, drills))
    added = statistics.median(one["seconds"]["start"] + one["seconds"]["remove"] for one in drills)
    checks = {name: statistics.median(_check(one, name) for one in drills) for name in ("fingerprint", "amcheck")}
    little, much = _quarantine("small", 1), _quarantine("large", 2000)
    lines = [
        Line("drill: restore", "pg_restore -j 2, default settings", f"{base:.1f} s"),
        Line("", "holdfast, its restore step", f"{ours:.1f} s", f"{base / ours:.2f} times as fast", "1x", base >= ours),
        Line("", "start and removal of the throwaway", f"{added:.1f} s", "", "5 s", added <= 5),
        Line("", "fingerprint digest, and amcheck beside it", f"{checks['fingerprint']:.1f} s and {checks['amcheck']:.1f} s"),
        Line("quarantine", "of 1 MB", f"{little * 1000:.0f} ms"),
        Line("", "of 2,000 MB", f"{much * 1000:.0f} ms", f"{much / little:.1f} times as long", "constant", much < little * 3),
    ]  # fmt: skip
    facts = {
        "pg_restore_seconds": plain, "drill_seconds": [one["seconds"] for one in drills],
        "load_seconds": [_loaded(one) for one in drills], "check_seconds": checks, "quarantine_seconds": [little, much],
    }  # fmt: skip
    return facts, lines


def _loaded(evidence: dict[str, Any]) -> float:
    """Seconds that the loading of the database took, without the statistics that pg_restore does not gather."""
    return float(sum(one["seconds"]["load"] for one in evidence["databases"]))


def _check(evidence: dict[str, Any], name: str) -> float:
    return float(next(one["seconds"] for one in evidence["checks"] if one["check"] == name))


def _plain(server: Server, dump: Path) -> float:
    """Seconds of a plain restore into a new server with nothing but default settings."""
    subprocess.run(["docker", "rm", "--force", "--volumes", PLAIN], capture_output=True)
    given = ["--name", PLAIN, "--label", LABEL, "--network", "none", "--env", "POSTGRES_PASSWORD=x"]
    run(["docker", "run", "--detach", *given, server.image])
    try:
        until = time.monotonic() + READY_SECONDS
        ready = ["docker", "exec", PLAIN, "pg_isready", "--quiet", "--host", "127.0.0.1"]
        while subprocess.run(ready, capture_output=True).returncode != 0:
            if time.monotonic() > until:
                raise BenchmarkError(f"Cannot start {server.image}: not ready within {READY_SECONDS} s.")
            time.sleep(0.2)
        run(["docker", "exec", PLAIN, "createdb", "-h", "127.0.0.1", "-U", "postgres", "-T", "template0", DATABASE])
        began = time.monotonic()
        where = [
            "--network",
            f"container:{PLAIN}",
            "--tmpfs",
            "/var/lib/postgresql/data",
            "--volume",
            f"{dump}:/dump:ro",
        ]
        tool = [
            "--entrypoint",
            "pg_restore",
            server.image,
            *JOBS,
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-d",
            DATABASE,
            "/dump",
        ]
        run(["docker", "run", "--rm", "--label", LABEL, *where, *tool])
        return time.monotonic() - began
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", PLAIN], capture_output=True)


def _quarantine(size: str, megabytes: int) -> float:
    """Seconds that putting a volume of that size aside takes, the median of five."""
    access, system = ContainerAccess(container=CONTAINER), System()
    source, target = (f"holdfast-lab-bench-{size}-{end}" for end in ("data", "aside"))
    seconds = []
    try:
        holders = []
        for name in (source, target):
            run(["docker", "volume", "create", "--label", LABEL, name])
            path = run(["docker", "volume", "inspect", "--format", "{{.Mountpoint}}", name]).strip()
            holders.append(Holder("volume", name, path))
        with open(f"{holders[0].path}/data", "wb") as file:
            for _ in range(megabytes):
                file.write(bytes(1 << 20))
        for _ in range(5):
            began = time.monotonic()
            move(access, system, holders[0], holders[1], "bench")
            seconds.append(time.monotonic() - began)
            holders.reverse()
    finally:
        for name in (source, target):
            subprocess.run(["docker", "volume", "rm", "--force", name], capture_output=True)
    return statistics.median(seconds)
