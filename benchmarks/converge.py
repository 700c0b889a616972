"""How long a run of site.yml takes that finds everything as it should be, against a ping over the same connection."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import PROJECT
from benchmarks.duel import Side, Times, interleave
from benchmarks.report import Line
from benchmarks.server import BenchmarkError

MACHINE = "bench-converge"
MAJOR = "17"
CLUSTERS = 8
GOAL_SECONDS = 12.0
GOAL_RATIO = 4.0
LAB = [sys.executable, str(PROJECT / "tools" / "lab.py")]


def converge(work: Path, rounds: int, tell: Callable[[str], None]) -> tuple[dict[str, Any], list[Line]]:
    """Converge clusters of one lab host that need nothing, one and eight of them at once.

    :param work: for the inventory.
    :returns: the figures, and the lines for the table.
    :raises BenchmarkError: the lab's host or a playbook failed, or a run changed something.
    """
    inventory = work / "hosts.json"
    names = [f"bench{number}" for number in range(1, CLUSTERS + 1)]
    host = {"ansible_host": MACHINE, "ansible_user": "root", "holdfast_image": f"postgres:{MAJOR}"}
    hosts = {name: {**host, "holdfast_project": name} for name in names}
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))

    def site(limit: Sequence[str]) -> str:
        playbook = str(PROJECT / "playbooks" / "site.yml")
        return _ansible("playbook", "--inventory", str(inventory), "--limit", ",".join(limit), playbook)

    def unchanged(limit: Sequence[str]) -> None:
        if re.search(r"changed=[1-9]", site(limit)):
            raise BenchmarkError("Cannot measure a converge that changes nothing: it changed something.")

    def ping(limit: Sequence[str]) -> None:
        _ansible("adhoc", "--inventory", str(inventory), "--module-name", "ping", ",".join(limit))

    tell(f"booting {MACHINE} and making {CLUSTERS} clusters on it")
    _run([*LAB, "host", MACHINE, "--engine", "--registry", MAJOR])
    try:
        site(names)
        sides = {
            "ping, 1": Side(lambda: ping(names[:1])),
            "site, 1": Side(lambda: unchanged(names[:1])),
            f"ping, {CLUSTERS}": Side(lambda: ping(names)),
            f"site, {CLUSTERS}": Side(lambda: unchanged(names)),
        }
        times = interleave(sides, rounds, tell)
    finally:
        _run([*LAB, "host", MACHINE, "--remove"])
    return {"clusters": CLUSTERS, "seconds": times.seconds}, _lines(times)


def _lines(times: Times) -> list[Line]:
    one, many = times.median("site, 1"), times.median(f"site, {CLUSTERS}")
    growth = many / one
    return [
        Line("converge, 1 cluster", "ansible -m ping", f"{times.median('ping, 1'):.2f} s"),
        Line(
            "", "site.yml, nothing to change", f"{one:.2f} s", f"{one / times.median('ping, 1'):.1f} pings",
            f"{GOAL_SECONDS:.0f} s", one < GOAL_SECONDS,
        ),
        Line(f"converge, {CLUSTERS} clusters", "ansible -m ping", f"{times.median(f'ping, {CLUSTERS}'):.2f} s"),
        Line(
            "", "site.yml, nothing to change", f"{many:.2f} s",
            f"{many / times.median(f'ping, {CLUSTERS}'):.1f} pings, {growth:.1f} times one cluster",
            f"{GOAL_RATIO:.0f} times", growth <= GOAL_RATIO,
        ),
    ]  # fmt: skip


def _ansible(program: str, *arguments: str) -> str:
    return _run(
        [sys.executable, "-m", "ansible", program, *arguments],
        ANSIBLE_CONFIG=str(PROJECT / "ansible.cfg"),
        ANSIBLE_SSH_COMMON_ARGS=f"-F {PROJECT / '.cache' / 'lab' / 'ssh_config'}",
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    )


def _run(argv: Sequence[str], **environment: str) -> str:
    done = subprocess.run(
        argv, capture_output=True, text=True, cwd=PROJECT, stdin=subprocess.DEVNULL, env={**os.environ, **environment}
    )
    if done.returncode != 0:
        raise BenchmarkError(f"Cannot run {' '.join(argv)}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout
