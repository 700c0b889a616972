# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's images: the stock ones where a registry answers, built from Debian's packages where none does."""

from __future__ import annotations

import hashlib
import os
import re
import select
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.lab_engine import LABEL, CannotHere, ensure_commands, run, say

INPUTS_LABEL = "holdfast.lab.inputs"
INPUTS_DIR = Path(__file__).resolve().parent / "lab"
PULL_FIRST_SIGN_SECONDS = 6
PULL_SECONDS = 900

#: The Debian release whose own packages carry a PostgreSQL major version.
SUITE_OF_POSTGRES = {"15": "bookworm", "17": "trixie"}


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
