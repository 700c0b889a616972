# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks that are small, full or read-only, and accounts that may not write."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.clusters import Cluster, Run
from tests.support.needs import lacking
from tools.unprivileged import unprivileged_account

# Runs the command line as another account. The interpreter and its packages may lie where that account
# cannot go, so everything is imported before.
_AS_ANOTHER = """
import os, sys
# What Python loads later, or only when it is needed, may lie where only root can read.
import encodings.ascii, encodings.idna, psycopg.sql, zoneinfo
import holdfast.cli, holdfast.postgres.host, holdfast.postgres.fingerprint, holdfast.postgres.meter
holdfast.cli.parser()
uid, gid = int(sys.argv.pop(1)), int(sys.argv.pop(1))
os.setgroups([]); os.setgid(gid); os.setuid(uid)
raise SystemExit(holdfast.cli.main(sys.argv[1:]))
"""


@contextmanager
def mounted(path: Path, size: str) -> Iterator[Path]:
    """A file system of its own, so small that it can be filled. Skips where none can be mounted."""
    path.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "holdfast-test", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lacking(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def remount(path: Path, how: str) -> None:
    """Remounts a file system `ro` or `rw`."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(path)], check=True)


def free(path: Path) -> int:
    """Bytes that are left on the file system of a path."""
    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize


def fill(path: Path, leave: int) -> Path:
    """Fills the file system of a directory but for some bytes, and returns the file that does it."""
    ballast = path / "lost+found"
    ballast.mkdir(exist_ok=True)
    with (ballast / "ballast").open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, max(1, free(path) - leave))
    return ballast / "ballast"


def as_ordinary_user(cluster: Cluster, verb: str, *arguments: str) -> Run:
    """Runs the program as an account that is not root: as the tests' own, or as `nobody`."""
    account = unprivileged_account()
    if account is None:
        return cluster.holdfast(verb, *arguments)
    command = cluster.command(verb, *arguments)
    if command[1:3] != ["-m", "holdfast"]:
        lacking("a zipapp cannot be imported before its account changes")
    environment = {**cluster.environment(), "HOME": "/"}
    done = subprocess.run(
        [sys.executable, "-c", _AS_ANOTHER, str(account.uid), str(account.gid), *command[3:]],
        cwd="/", env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Run(done.returncode, done.stdout, done.stderr)


def give_to_ordinary_user(*paths: Path) -> None:
    """Makes an ordinary user the owner of trees, and lets that user reach them."""
    account = unprivileged_account()
    for path in paths:
        if account is not None:
            for entry in (path, *path.rglob("*")):
                os.chown(entry, account.uid, account.gid)
        for parent in path.parents:
            if not parent.stat().st_mode & 0o001 and parent.owner() != "root":
                continue
            if parent.stat().st_uid == os.geteuid() and len(parent.parts) > 2:
                parent.chmod(parent.stat().st_mode | 0o011)
