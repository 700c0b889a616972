# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's images are made of and how: a registry where one answers, Debian's packages where none does."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import select
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.lab_engine import LABEL, CannotHere, LabError, ensure_commands, run, say

INPUTS_LABEL = "holdfast.lab.inputs"
INPUTS_DIR = Path(__file__).resolve().parent / "lab"
PULL_FIRST_SIGN_SECONDS = 6
PULL_SECONDS = 900


def inputs_hash(folder: Path, *facts: str) -> str:
    """A hash of the files and facts that an image is made of, to know when to build it again."""
    seen = hashlib.sha256("\0".join(facts).encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            seen.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return seen.hexdigest()[:16]


def image_label(image: str, label: str) -> str | None:
    """The value of a label of a local image, or None where there is no such image."""
    template = f'{{{{index .Config.Labels "{label}"}}}}'
    asked = subprocess.run(["docker", "image", "inspect", "--format", template, image], capture_output=True, text=True)
    return asked.stdout.strip() if asked.returncode == 0 else None


def image_id(image: str) -> str | None:
    """The id of an image of this machine's engine, or None where there is no such image."""
    asked = subprocess.run(["docker", "image", "inspect", "--format", "{{.Id}}", image], capture_output=True, text=True)
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


def machine_mirror(archive: str = "") -> str | None:
    """The mirror that this machine installs its own Debian packages from, or None where there is none.

    Args:
        archive: what follows the release's name in the sources, for example "-security".
    """
    told = Path("/etc/os-release").read_text().replace('"', "").splitlines()
    release = dict(line.split("=", 1) for line in told if "=" in line)
    if release.get("ID") != "debian":
        return None
    sources = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    suite = re.escape(release.get("VERSION_CODENAME", "stable") + archive)
    for text in (path.read_text() for path in sources if path.suffix in (".list", ".sources") and path.is_file()):
        one_line = re.search(rf"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+{suite}\s", text, re.M)
        if one_line:
            return one_line[1]
        for stanza in re.split(r"\n\s*\n", text):
            uri = re.search(r"^URIs:\s*(\S+)", stanza, re.M)
            if uri and re.search(rf"^Suites:(?:.*\s)?{suite}(\s|$)", stanza, re.M):
                return uri[1]
    return None


def ensure_base(suite: str, mirror: str | None) -> str:
    """Make sure that an image of a minimal Debian exists."""
    image = f"holdfast-lab/debian:{suite}"
    if image_label(image, "holdfast.lab") is not None:
        return image
    if os.geteuid() != 0:
        raise CannotHere(f"Cannot build {image}: no registry answers, and debootstrap needs root.")
    mirror = mirror or machine_mirror()
    if mirror is None:
        raise CannotHere(
            f"Cannot build {image}: no registry answers, and this machine's apt sources name no Debian "
            "mirror. Name one with --mirror, or load the image by hand."
        )
    ensure_commands(["debootstrap"])
    with tempfile.TemporaryDirectory(prefix="holdfast-lab-") as work:
        root = Path(work) / "root"
        say(f"building {image} with debootstrap")
        run(["debootstrap", "--variant=minbase", suite, str(root), mirror])
        for waste in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "var/log"):
            if (root / waste).exists():  # A minimal system has not all of them.
                shutil.rmtree(root / waste)
            (root / waste).mkdir(parents=True)
        tree = Path(work) / "root.tar"
        run(["tar", "--numeric-owner", "-C", str(root), "-cf", str(tree), "."])
        run(["docker", "import", "--change", f"LABEL {LABEL}", str(tree), image])
    return image


def build(image: str, context: Path, inputs: str, **arguments: str) -> None:
    """Build an image and note on it what it was made of.

    Args:
        image: its name and tag.
        context: the directory with its Dockerfile.
        inputs: what `inputs_hash` says of all it is made of.
        arguments: the Dockerfile's ARGs.
    """
    labels = ["--label", LABEL, "--label", f"{INPUTS_LABEL}={inputs}"]
    given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    earlier = image_id(image)
    run(["docker", "build", "-q", *given, *labels, "-t", image, str(context)])
    if earlier not in (None, image_id(image)):
        # A container may still use it: then it stays until somebody prunes.
        with contextlib.suppress(LabError):
            run(["docker", "image", "rm", f"{earlier}"])


def up_to_date(image: str, inputs: str) -> bool:
    """Whether an image exists and was made of these inputs."""
    return image_label(image, INPUTS_LABEL) == inputs
