#!/usr/bin/env python3
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: a container engine and server images for tests and benchmarks, with or without a registry.

    tools/lab.py engine               make sure that a Docker engine runs
    tools/lab.py image postgres:17    make sure that holdfast-lab/postgres:17 exists, print its name
    tools/lab.py down                 remove the lab's containers, volumes and networks (images stay)

An image is the stock one where a registry answers quickly, and otherwise one that behaves like it,
built from Debian's packages. Whatever the lab makes carries the label `holdfast.lab=1`.

Exit codes: 0 done, 1 something failed, 3 this machine cannot do it (the message says what is missing).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

if not __package__:  # run as a program: the checkout's own packages are found from its top
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.lab_engine import LABEL, LabError, engine_answers, ensure_engine, run, say
from tools.lab_images import ensure_postgres


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Let one lab command at a time change the machine; the others wait for it."""
    # One file a user: a file of another user in a sticky directory cannot be opened for writing.
    path = Path(tempfile.gettempdir()) / f"holdfast-lab-{os.getuid()}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def down() -> None:
    """Remove every container, volume and network of the lab, and nothing else."""
    if not engine_answers():
        return
    for kind, listing, removal in (
        ("container", ["ps", "--all"], ["rm", "--force", "--volumes"]),
        ("volume", ["volume", "ls"], ["volume", "rm"]),
        ("network", ["network", "ls"], ["network", "rm"]),
    ):
        found = run(["docker", *listing, "--quiet", "--filter", f"label={LABEL}"]).split()
        if found:
            run(["docker", *removal, *found])
            say(f"removed {len(found)} {kind}(s)")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("engine", help="make sure that a Docker engine runs")
    image = commands.add_parser("image", help="make sure that an image exists and print its name")
    image.add_argument("name", help="for example postgres:17")
    image.add_argument("--mirror", help="Debian mirror to build from (default: this machine's own)")
    image.add_argument("--no-pull", action="store_true", help="never look for the image in a registry")
    commands.add_parser("down", help="remove the lab's containers, volumes and networks")
    options = parser.parse_args(argv)
    try:
        with only_one():
            if options.command == "down":
                down()
                return 0
            ensure_engine()
            if options.command == "image":
                name, _, version = options.name.partition(":")
                if name != "postgres" or not version:
                    raise LabError(f"Cannot make {options.name}: unknown image. Ask for postgres:VERSION.")
                print(ensure_postgres(version, options.mirror, not options.no_pull))
        return 0
    except LabError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
