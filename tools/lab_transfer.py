# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images on their way from this machine's engine to that of a host, or into a file."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tools import lab_ssh
from tools.lab_engine import LabError, run, say
from tools.lab_images import image_id


def give(host: str, image: str, engine: str, user: str, name: str | None) -> None:
    """Load an image into a host's engine, unless it is there already.

    Args:
        host: one of the lab's hosts.
        image: an image of this machine's engine.
        engine: "docker" or "podman".
        user: whose engine, on the host.
        name: what the image is called there; None is what it is called here.
    """
    wanted = _present(image)
    there = lab_ssh.command(host, user)
    asked = subprocess.run(
        [*there, engine, "image", "inspect", "--format", "'{{.Id}}'", name or image], capture_output=True, text=True
    )
    if asked.stdout.strip().removeprefix("sha256:") == wanted.removeprefix("sha256:"):
        return
    say(f"giving {image} to {engine} on {host}")
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
        loading = subprocess.run([*there, engine, "load"], stdin=saving.stdout, capture_output=True, text=True)
    if saving.returncode != 0 or loading.returncode != 0:
        raise LabError(f"Cannot give {image} to {host}: {loading.stderr.strip() or 'docker save failed'}")
    if name:
        run([*there, engine, "tag", image, name])


def archive(image: str, file: Path, name: str | None) -> Path:
    """Save an image to a file below .cache/lab/, unless it is there already, and return its path.

    Args:
        image: an image of this machine's engine.
        file: the file's path in .cache/lab/.
        name: what whoever loads it shall call the image. An image that this machine has under that
            name is the stock one, and is taken instead.
    """
    path = lab_ssh.CACHE / file
    note = path.with_name(f"{path.name}.id")
    with _named(image, name) as saved:
        content = f"{_present(saved)} {saved}\n"
        if path.exists() and note.exists() and note.read_text() == content:
            return path
        say(f"saving {saved} to {path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        writing = path.with_name(f"{path.name}.writing")
        run(["docker", "save", "--output", str(writing), saved])
        writing.replace(path)
        note.write_text(content)
    return path


@contextlib.contextmanager
def _named(image: str, name: str | None) -> Iterator[str]:
    """The image under another name, which it has no longer than necessary."""
    if name is None or image_id(name) is not None:
        yield name or image
        return
    run(["docker", "tag", _present(image), name])
    try:
        yield name
    finally:
        run(["docker", "rmi", "--no-prune", name])


def _present(image: str) -> str:
    """The id of an image.

    Raises:
        LabError: this machine's engine has no such image.
    """
    found = image_id(image)
    if found is None:
        raise LabError(f"Cannot find the image {image}: this machine's engine has none. See tools/lab.py image.")
    return found
