#!/usr/bin/env python3
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: a container engine, server images and real hosts, with or without a registry.

    tools/lab.py engine                 make sure that a Docker engine runs
    tools/lab.py image postgres:17      make sure that holdfast-lab/postgres:17 exists, print its name
    tools/lab.py image shop-app:2       the same for a release of the sample application, or shop-proxy:1
    tools/lab.py host web --engine      make sure that a host named web is up and answers SSH
    tools/lab.py ssh-config             write anew where the hosts are, after restarts; print the file
    tools/lab.py down [--hosts]         remove the lab's containers, volumes and networks (images stay)

An image is the stock one where a registry answers quickly, and otherwise one that behaves like it,
built from Debian's packages (versions 15 and 17) or the demo's wheel (16 and 18: run this with
.venv/bin/python). A host is a container with systemd, cron and SSH: `ssh -F .cache/lab/ssh_config web`.
Whatever the lab makes carries the label `holdfast.lab=1`.

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

from tools import lab_application, lab_hosts, lab_registry
from tools.lab_engine import LABEL, LabError, engine_answers, ensure_engine, run, say
from tools.lab_postgres import NEXT, ensure_postgres


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
    lab_hosts.write_ssh_config()


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("engine", help="make sure that a Docker engine runs")

    mirror = argparse.ArgumentParser(add_help=False)
    mirror.add_argument("--mirror", help="Debian mirror to build from (default: this machine's own)")

    image = commands.add_parser("image", parents=[mirror], help="make sure that an image exists and print its name")
    image.add_argument("name", help="for example postgres:17 or shop-app:2")
    image.add_argument("--variant", choices=["", NEXT], default="", help="another image, as a new minor would be")
    image.add_argument("--no-pull", action="store_true", help="never look for the image in a registry")

    host = commands.add_parser("host", parents=[mirror], help="make sure that a host is up, or remove it")
    host.add_argument("name", nargs="+", help="for example db1.example.org")
    host.add_argument("--remove", action="store_true", help="remove the host and all that is on it")
    host.add_argument("--reboot", action="store_true", help="shut the host down and boot it again")
    host.add_argument("--suite", choices=sorted(lab_hosts.ENGINE_PACKAGES), help="its Debian release (default: trixie)")
    host.add_argument("--engine", action="store_true", help="with its container engines installed")
    host.add_argument("--volume", action="append", default=[], metavar="NAME:TARGET", help="a further volume")
    host.add_argument(
        "--registry",
        nargs="?",
        const=",".join(lab_registry.TAGS),
        metavar="TAG,TAG",
        help="let it pull postgres:TAG, by default of all tags the lab can make: %(const)s",
    )
    host.add_argument(
        "--application",
        action="store_true",
        help="let it pull the sample application: all of shop-app and shop-proxy, and the postgres that it runs on",
    )
    host.add_argument("--podman-user", metavar="USER", help="prepare this user of the host for rootless podman")

    commands.add_parser("ssh-config", help="write anew where the hosts are, and print the file's path")

    down = commands.add_parser("down", help="remove the lab's containers, volumes and networks")
    down.add_argument("--hosts", action="store_true", help="only this checkout's hosts and their registry")
    return top


def image(options: argparse.Namespace) -> None:
    name, _, version = options.name.partition(":")
    if name == "postgres" and version:
        print(ensure_postgres(version, options.mirror, not options.no_pull, options.variant))
    elif options.name in lab_application.IMAGES:
        print(lab_application.ensure_image(options.name, options.mirror))
    else:
        known = ", ".join(lab_application.IMAGES)
        raise LabError(f"Cannot make {options.name}: unknown image. Ask for postgres:VERSION, {known}.")


def host(options: argparse.Namespace) -> None:
    for name in options.name:
        if options.remove:
            lab_hosts.remove_host(name)
            continue
        if options.reboot:
            lab_hosts.reboot(name)
            continue
        lab_hosts.ensure_host(name, options.suite, options.engine, options.volume, options.mirror)
        if options.registry or options.application:
            offer_images(name, options)
        if options.podman_user:
            lab_hosts.prepare_podman(name, options.podman_user)


def offer_images(name: str, options: argparse.Namespace) -> None:
    """Let a host pull what was asked for."""
    address = lab_registry.ensure_registry(options.mirror)
    tags = options.registry.split(",") if options.registry else []
    if options.application:
        tags = list(dict.fromkeys([*tags, lab_application.POSTGRES]))
        for image in lab_application.IMAGES:
            lab_registry.publish(lab_application.ensure_image(image, options.mirror), address)
    lab_registry.publish_postgres(tags, address, options.mirror)
    lab_registry.prefer_registry(lab_hosts.container_name(name), address)


def perform(options: argparse.Namespace) -> None:
    """Do what the command line says.

    Raises:
        LabError: it failed, or cannot be done on this machine.
    """
    if options.command == "down" and not options.hosts:
        down()
        return
    ensure_engine()
    if options.command == "down":
        lab_hosts.remove_all()
    elif options.command == "image":
        image(options)
    elif options.command == "host":
        host(options)
    elif options.command == "ssh-config":
        print(lab_hosts.write_ssh_config())


def main(argv: Sequence[str] | None = None) -> int:
    options = parser().parse_args(argv)
    try:
        with only_one():
            perform(options)
        return 0
    except LabError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
