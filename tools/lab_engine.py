# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's container engine: find one, or install and start one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

#: On every container, volume, network and image that the lab makes.
LABEL = "holdfast.lab=1"
ENGINE_LOG = Path("/var/log/holdfast-lab-dockerd.log")
ENGINE_READY_SECONDS = 60

#: Which package brings a command, in the order to try: some releases ship Docker's client separately.
PACKAGES_OF_COMMAND = {
    "dockerd": ("docker.io",),
    "docker": ("docker-cli", "docker.io"),
    "iptables": ("iptables",),
    "debootstrap": ("debootstrap",),
    "ssh": ("openssh-client",),
    "ssh-keygen": ("openssh-client",),
}


class LabError(Exception):
    """Something the lab tried has failed."""

    exit_code = 1


class CannotHere(LabError):
    """This machine lacks what the lab needs, and the lab may not or cannot bring it."""

    exit_code = 3


def say(message: str) -> None:
    print(f"lab: {message}", file=sys.stderr, flush=True)


def run(argv: Sequence[str], *, env: dict[str, str] | None = None, text: str = "") -> str:
    """Run a command to its end, `text` on its standard input, and return its standard output.

    Raises:
        LabError: it failed; the tail of what it said explains why.
    """
    done = subprocess.run(argv, capture_output=True, text=True, env=env, input=text)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise LabError(f"Cannot run {' '.join(argv)}: exit code {done.returncode}\n{tail}")
    return done.stdout


def engine_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        asked = subprocess.run(["docker", "version"], capture_output=True, timeout=20)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def ensure_commands(commands: Sequence[str]) -> None:
    """Install what is missing from the distribution's packages.

    Raises:
        CannotHere: packages are missing and this is not root on a Debian-like system.
    """
    missing = [command for command in commands if shutil.which(command, path=search_path()) is None]
    if not missing:
        return
    names = sorted({PACKAGES_OF_COMMAND[command][-1] for command in missing})
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotHere(
            f"Cannot set up the lab: missing {', '.join(missing)}. Install {', '.join(names)} as root "
            "(or a Docker engine that this user may talk to) and run this again."
        )
    say(f"installing {', '.join(names)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], env=env)
    for command in missing:
        for package in PACKAGES_OF_COMMAND[command]:
            if shutil.which(command, path=search_path()) is None:
                with contextlib.suppress(LabError):
                    run(["apt-get", "install", "-y", "-q", "--no-install-recommends", package], env=env)
        if shutil.which(command, path=search_path()) is None:
            raise CannotHere(f"Cannot set up the lab: no package brought {command}. Install it by hand.")


def search_path() -> str:
    """PATH with the directories of system programs, which a user's PATH may lack."""
    return os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"


def ensure_engine() -> None:
    """Make sure that a Docker engine answers this user.

    Raises:
        CannotHere: none answers and this user may not install or start one.
    """
    if engine_answers():
        return
    if os.geteuid() != 0:
        raise CannotHere(
            "Cannot reach a Docker engine: none answers this user, and only root can start one. "
            "Install docker.io and start it, or run this as root."
        )
    ensure_commands(["dockerd", "docker", "iptables"])
    if Path("/run/systemd/system").is_dir():
        say("starting docker.service")
        run(["systemctl", "start", "docker"])
    else:
        say(f"starting dockerd, log in {ENGINE_LOG}")
        with open(ENGINE_LOG, "ab") as log:
            subprocess.Popen(
                ["dockerd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PATH": search_path()},
            )
    deadline = time.monotonic() + ENGINE_READY_SECONDS
    while not engine_answers():
        if time.monotonic() > deadline:
            raise LabError(f"Cannot start the Docker engine: no answer. See {ENGINE_LOG} or journalctl.")
        time.sleep(0.5)
