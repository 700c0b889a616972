# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH to the lab's hosts: one key and one configuration a checkout, below .cache/lab/."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tools.lab_engine import LabError, ensure_commands, run

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "lab"
#: Tells this checkout's hosts from those of another one on the same machine.
CHECKOUT = hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:6]
CHECKOUT_LABEL = f"holdfast.lab.checkout={CHECKOUT}"
KEY = CACHE / "id_ed25519"
CONFIG = CACHE / "ssh_config"
ANSWER_SECONDS = 30

ENTRY = """\
Host {host}
    HostName {address}
"""
COMMON = """\
Host {hosts}
    User root
    IdentityFile {key}
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    ServerAliveInterval 5
    ServerAliveCountMax 3
    ControlMaster auto
    ControlPath {sockets}/%C
    ControlPersist 60s
"""


def ensure_key() -> str:
    """Make sure that this checkout has a key pair, and return its public half."""
    ensure_commands(["ssh", "ssh-keygen"])
    if not KEY.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "holdfast-lab", "-f", str(KEY)])
    return KEY.with_suffix(".pub").read_text()


def authorise(container: str, user: str, home: str, public_key: str) -> None:
    """Let the holder of a key connect to a host as a user."""
    script = 'install -d -m 0700 "$1/.ssh" && cat > "$1/.ssh/authorized_keys" && chown -R "$2:" "$1/.ssh"'
    run(["docker", "exec", "--interactive", container, "sh", "-ec", script, "sh", home, user], text=public_key)


def sockets() -> Path:
    """The directory of the shared connections: its path is short, since a socket's path must be.

    Raises:
        LabError: somebody else made it.
    """
    directory = Path(tempfile.gettempdir()) / f"holdfast-lab-ssh-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    facts = directory.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise LabError(f"Cannot keep connections in {directory}: it is open to others. Remove it.")
    return directory


def write_config(addresses: Mapping[str, str]) -> Path:
    """Write the configuration that `ssh -F` takes: every host's name and where it is now."""
    CACHE.mkdir(parents=True, exist_ok=True)
    entries = [ENTRY.format(host=host, address=address) for host, address in sorted(addresses.items())]
    if entries:
        entries.append(COMMON.format(hosts=" ".join(sorted(addresses)), key=KEY, sockets=sockets()))
    writing = CONFIG.with_suffix(".writing")
    writing.write_text("# Written by tools/lab.py, which knows where the lab's hosts are.\n" + "\n".join(entries))
    writing.replace(CONFIG)
    return CONFIG


def command(host: str, user: str = "root") -> list[str]:
    """What to put before a command that is to run on a host."""
    return ["ssh", "-F", str(CONFIG), "-l", user, host]


def wait_for(host: str) -> None:
    """Wait until a host answers SSH."""
    alone = ["-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "ConnectTimeout=5", "-o", "BatchMode=yes"]
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            run(["ssh", *alone, *command(host)[1:], "true"])
            return
        except LabError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.3)


def disconnect(host: str) -> None:
    """End the shared connection to a host; one to a host that is gone would hang."""
    if CONFIG.exists() and shutil.which("ssh"):
        with contextlib.suppress(LabError):
            run(["ssh", "-F", str(CONFIG), "-O", "exit", host])
