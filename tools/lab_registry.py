# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's registry: hosts pull `postgres:17` from it as users do from the internet, by the same name.

It is a mirror of Docker Hub as far as the engines of the hosts know, and carries nothing but images that
the lab has made. One a checkout.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence

from tools import lab_ssh
from tools.lab_engine import LABEL, LabError, run, say
from tools.lab_images import INPUTS_DIR, build, ensure_base, image_id, inputs_hash, up_to_date
from tools.lab_postgres import NEXT, SUITE_OF_POSTGRES, ensure_postgres

IMAGE = "holdfast-lab/registry"
NAME = f"holdfast-lab-{lab_ssh.CHECKOUT}-registry"
PORT = 5000
ANSWER_SECONDS = 20
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

#: All that a host can ask for, as tags of `postgres`.
TAGS = ("15", "16", "17", "18", *(f"{version}-{NEXT}" for version in SUITE_OF_POSTGRES))


def ensure_registry(mirror: str | None) -> str:
    """Make sure that the registry runs, and return its address.

    Args:
        mirror: the Debian mirror to build images from; None is this machine's own.
    """
    inputs = inputs_hash(INPUTS_DIR / "registry")
    if not up_to_date(IMAGE, inputs):
        base = ensure_base("trixie", mirror)
        say(f"building {IMAGE}")
        build(IMAGE, INPUTS_DIR / "registry", inputs, BASE=base)
    if not run(["docker", "ps", "--quiet", "--filter", f"name=^{NAME}$"]):
        _start()
    address = f"{_container('{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}')}:{PORT}"
    _wait_for(address)
    return address


def publish_postgres(tags: Sequence[str], address: str, mirror: str | None) -> None:
    """Make sure that the registry at an address has these tags of `postgres`.

    Args:
        tags: major versions, or such with `-next`; see `ensure_postgres` for what these are.
        address: what `ensure_registry` said.
        mirror: as for `ensure_registry`.
    """
    for tag in tags:
        version, _, variant = tag.partition("-")
        publish(ensure_postgres(version, mirror, True, variant), address)


def publish(image: str, address: str) -> None:
    """Make sure that hosts can pull an image of the lab by its name without `holdfast-lab/`."""
    name = image.removeprefix("holdfast-lab/")
    if image_id(image) in _published(name, address):
        return
    port = run(["docker", "port", NAME, f"{PORT}/tcp"]).split()[0].rpartition(":")[2]
    pushed = f"127.0.0.1:{port}/library/{name}"
    say(f"publishing {image} in the lab's registry")
    run(["docker", "tag", image, pushed])
    try:
        run(["docker", "push", "--quiet", pushed])
    finally:
        run(["docker", "rmi", "--no-prune", pushed])


def prefer_registry(container: str, address: str) -> None:
    """Tell a host's engines, those to come as well, to look in the registry before Docker Hub."""
    docker = json.dumps({"registry-mirrors": [f"http://{address}"]})
    podman = (
        'unqualified-search-registries = ["docker.io"]\n'
        f'[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "{address}"\ninsecure = true\n'
    )
    for path, content in (
        ("/etc/docker/daemon.json", f"{docker}\n"),
        ("/etc/containers/registries.conf.d/lab.conf", podman),
    ):
        script = 'mkdir -p "${1%/*}" && cat > "$1"'
        run(["docker", "exec", "--interactive", container, "sh", "-ec", script, "sh", path], text=content)
    # An engine that runs reads its mirrors anew, and nothing that it runs is disturbed.
    run(["docker", "exec", container, "sh", "-ec", "! systemctl -q is-active docker || systemctl reload docker"])


def _start() -> None:
    if run(["docker", "ps", "--all", "--quiet", "--filter", f"name=^{NAME}$"]):
        run(["docker", "start", NAME])
        return
    labels = ["--label", LABEL, "--label", lab_ssh.CHECKOUT_LABEL]
    run(["docker", "volume", "create", *labels, NAME])
    volume = ["--volume", f"{NAME}:/var/lib/registry"]
    # Engines speak plain HTTP to a registry on the loopback interface: this machine's pushes through it.
    run(["docker", "run", "--detach", "--name", NAME, *labels, *volume, "--publish", f"127.0.0.1::{PORT}", IMAGE])


def _container(template: str) -> str:
    return run(["docker", "container", "inspect", "--format", template, NAME]).strip()


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/v2/", timeout=2):
                return
        except OSError as error:
            if time.monotonic() > deadline:
                raise LabError(f"Cannot start the registry: {error}. See: docker logs {NAME}") from error
        time.sleep(0.2)


def _published(name: str, address: str) -> set[str]:
    """The ids under which engines know what the registry has under a name: of its content, of its manifest."""
    repository, _, tag = name.partition(":")
    url = f"http://{address}/v2/library/{repository}/manifests/{tag}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": MANIFEST}), timeout=10) as answer:
            digest = answer.headers["Docker-Content-Digest"]
            return {digest, json.load(answer)["config"]["digest"]}
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise LabError(f"Cannot ask the registry for {name}: {error}. See: docker logs {NAME}") from error
        return set()
