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
import hashlib
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

LABEL = "holdfast.lab=1"
INPUTS_LABEL = "holdfast.lab.inputs"
INPUTS_DIR = Path(__file__).resolve().parent / "lab"
ENGINE_LOG = Path("/var/log/holdfast-lab-dockerd.log")
ENGINE_READY_SECONDS = 60
PULL_FIRST_SIGN_SECONDS = 6
PULL_SECONDS = 900

#: The Debian release whose own packages carry a PostgreSQL major version.
SUITE_OF_POSTGRES = {"15": "bookworm", "17": "trixie"}

#: Which package brings a command, in the order to try: some releases ship Docker's client separately.
PACKAGES_OF_COMMAND = {
    "dockerd": ("docker.io",),
    "docker": ("docker-cli", "docker.io"),
    "iptables": ("iptables",),
    "debootstrap": ("debootstrap",),
}


class LabError(Exception):
    """Something the lab tried has failed."""

    exit_code = 1


class CannotHere(LabError):
    """This machine lacks what the lab needs, and the lab may not or cannot bring it."""

    exit_code = 3


def say(message: str) -> None:
    print(f"lab: {message}", file=sys.stderr, flush=True)


def run(argv: Sequence[str], *, env: dict[str, str] | None = None) -> str:
    """Run a command to its end and return its standard output; its tail explains a failure."""
    done = subprocess.run(argv, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise LabError(f"Cannot run {' '.join(argv)}: exit code {done.returncode}\n{tail}")
    return done.stdout


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Let one lab command at a time change the machine; the others wait for it."""
    # One file a user: a file of another user in a sticky directory cannot be opened for writing.
    with open(Path(tempfile.gettempdir()) / f"holdfast-lab-{os.getuid()}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- the engine ---------------------------------------------------------------------------------


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


# --- images -------------------------------------------------------------------------------------


def inputs_hash(version: str) -> str:
    """A hash of everything an image is made of, to know when to build it again."""
    seen = hashlib.sha256(f"{version} {SUITE_OF_POSTGRES.get(version)}".encode())
    for path in sorted((INPUTS_DIR / "postgres").iterdir()):
        seen.update(path.name.encode() + b"\0" + path.read_bytes())
    return seen.hexdigest()[:16]


def image_label(image: str, label: str) -> str | None:
    """The value of a label of a local image, or None where there is no such image."""
    template = f'{{{{index .Config.Labels "{label}"}}}}'
    asked = subprocess.run(["docker", "image", "inspect", "--format", template, image], capture_output=True, text=True)
    return asked.stdout.strip() if asked.returncode == 0 else None


def pull(image: str) -> bool:
    """Pull an image, giving up early where no registry shows a sign of life."""
    say(f"looking for {image} in a registry")
    with subprocess.Popen(["docker", "pull", image], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as pulling:
        assert pulling.stdout is not None
        answered, _, _ = select.select([pulling.stdout], [], [], PULL_FIRST_SIGN_SECONDS)
        try:
            if answered:
                pulling.communicate(timeout=PULL_SECONDS)
                return pulling.returncode == 0
        except subprocess.TimeoutExpired:
            pass
        pulling.kill()
    return False


def machine_mirror() -> str:
    """The Debian mirror that this machine installs its own packages from.

    Raises:
        CannotHere: this is not Debian, or no source of its release was found.
    """
    told = Path("/etc/os-release").read_text().replace('"', "").splitlines()
    release = dict(line.split("=", 1) for line in told if "=" in line)
    sources = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    texts = [path.read_text() for path in sources if path.suffix in (".list", ".sources") and path.is_file()]
    if release.get("ID") == "debian":
        suite = re.escape(release.get("VERSION_CODENAME", "stable"))
        for text in texts:
            one_line = re.search(rf"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+{suite}\s", text, re.M)
            if one_line:
                return one_line[1]
            for stanza in re.split(r"\n\s*\n", text):
                uri = re.search(r"^URIs:\s*(\S+)", stanza, re.M)
                if uri and re.search(rf"^Suites:.*\b{suite}(\s|$)", stanza, re.M):
                    return uri[1]
    raise CannotHere(
        "Cannot build a Debian image: no registry answers, and this machine's apt sources name no Debian "
        "mirror. Name one with --mirror, or load the image by hand."
    )


def ensure_base(suite: str, mirror: str | None) -> str:
    """Make sure that an image of a minimal Debian exists."""
    image = f"holdfast-lab/debian:{suite}"
    if image_label(image, "holdfast.lab") is not None:
        return image
    if os.geteuid() != 0:
        raise CannotHere(f"Cannot build {image}: no registry answers, and debootstrap needs root.")
    mirror = mirror or machine_mirror()
    ensure_commands(["debootstrap"])
    with tempfile.TemporaryDirectory(prefix="holdfast-lab-") as work:
        root = Path(work) / "root"
        say(f"building {image} with debootstrap")
        run(["debootstrap", "--variant=minbase", suite, str(root), mirror])
        for waste in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "var/log"):
            shutil.rmtree(root / waste, ignore_errors=True)
            (root / waste).mkdir(parents=True)
        tree = Path(work) / "root.tar"
        run(["tar", "--numeric-owner", "-C", str(root), "-cf", str(tree), "."])
        run(["docker", "import", "--change", f"LABEL {LABEL}", str(tree), image])
    return image


def ensure_postgres(version: str, mirror: str | None, may_pull: bool) -> str:
    """Make sure that an image of this PostgreSQL major version exists, and return its name."""
    image, inputs = f"holdfast-lab/postgres:{version}", inputs_hash(version)
    if image_label(image, INPUTS_LABEL) == inputs:
        return image
    labels = ["--label", LABEL, "--label", f"{INPUTS_LABEL}={inputs}"]
    if may_pull and pull(f"postgres:{version}"):
        with tempfile.TemporaryDirectory(prefix="holdfast-lab-") as work:
            (Path(work) / "Dockerfile").write_text(f"FROM postgres:{version}\n")
            run(["docker", "build", "-q", *labels, "-t", image, work])
        return image
    suite = SUITE_OF_POSTGRES.get(version)
    if suite is None:
        raise CannotHere(
            f"Cannot build {image}: no registry answers, and Debian's packages carry only "
            f"{', '.join(SUITE_OF_POSTGRES)}. Choose one of these or give the machine a registry."
        )
    base = ensure_base(suite, mirror)
    say(f"building {image} from Debian's packages")
    arguments = ["--build-arg", f"BASE={base}", "--build-arg", f"PG_MAJOR={version}"]
    run(["docker", "build", "-q", *arguments, *labels, "-t", image, str(INPUTS_DIR / "postgres")])
    return image


# --- leaving ------------------------------------------------------------------------------------


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
