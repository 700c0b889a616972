# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's hosts: containers that boot systemd and answer SSH, as a rented server does.

They get the capabilities that systemd and an engine inside need (`--privileged` would grant more, and
fails where this machine is itself confined), and volumes where an engine cannot use the container's own
layer. A checkout's hosts are its own: the containers' names carry a hash of its path.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tools import lab_ssh
from tools.lab_engine import LABEL, LabError, run, say
from tools.lab_images import INPUTS_DIR, build, ensure_base, inputs_hash, up_to_date

HOST_LABEL = "holdfast.lab.host"
BOOT_SECONDS = 60
DEFAULT_SUITE = "trixie"
CGROUPS = Path("/sys/fs/cgroup")

#: What each release calls its engines and what an agent would install from packages.
ENGINE_PACKAGES = {
    "bookworm": "docker.io docker-compose iptables python3-psycopg bash-completion",
    "trixie": (
        "docker.io docker-cli docker-compose iptables python3-psycopg bash-completion "
        "podman uidmap passt crun fuse-overlayfs slirp4netns dbus-user-session"
    ),
}
#: No kernel modules can be loaded in a container: the one unit that may fail.
MAY_FAIL = {"systemd-modules-load.service"}


def ensure_host_image(suite: str, engine: bool, mirror: str | None) -> str:
    """Make sure that a host's image exists, bare or with its engines installed, and return its name."""
    if suite not in ENGINE_PACKAGES:
        raise LabError(f"Cannot make a host of {suite}: unknown release. Choose {' or '.join(ENGINE_PACKAGES)}.")
    image, sources = f"holdfast-lab/host:{suite}", INPUTS_DIR / "host"
    inputs = inputs_hash(sources, suite)
    if not up_to_date(image, inputs):
        base = ensure_base(suite, mirror)
        say(f"building {image}")
        build(image, sources, inputs, BASE=base)
    if not engine:
        return image
    bare, image, sources = image, f"holdfast-lab/host-engine:{suite}", INPUTS_DIR / "host-engine"
    inputs = f"{inputs}-{inputs_hash(sources, ENGINE_PACKAGES[suite])}"
    if not up_to_date(image, inputs):
        say(f"building {image}")
        build(image, sources, inputs, BASE=bare, PACKAGES=ENGINE_PACKAGES[suite])
    return image


def container_name(host: str) -> str:
    return f"holdfast-lab-{lab_ssh.CHECKOUT}-{host}"


def run_command(host: str, image: str, volumes: Sequence[str]) -> list[str]:
    """The command that starts a host's container.

    On cgroup v2 the container gets a namespace of its own, so that its systemd and its engine agree on
    where its control groups begin, and mounts them read-write before systemd sees them. On cgroup v1
    there is no such thing, and systemd finds its place in the machine's own hierarchy.
    """
    if _has_cgroups_2():
        cgroups = ["--cgroupns=private"]
        command = ["/bin/sh", "-c", "mount -o remount,rw /sys/fs/cgroup && exec /lib/systemd/systemd"]
    else:
        cgroups = ["--cgroupns=host", "--volume", f"{CGROUPS}:{CGROUPS}:rw"]
        command = ["/lib/systemd/systemd"]
    # Rootless podman needs them; nothing else does.
    devices = [word for path in ("/dev/fuse", "/dev/net/tun") if os.path.exists(path) for word in ("--device", path)]
    return [
        *("docker", "run", "--detach", "--name", container_name(host), "--hostname", host),
        *("--label", LABEL, "--label", lab_ssh.CHECKOUT_LABEL, "--label", f"{HOST_LABEL}={host}"),
        *("--cap-add=ALL", "--cap-drop=SYS_RESOURCE"),
        *(f"--security-opt={option}=unconfined" for option in ("seccomp", "apparmor", "systempaths")),
        *devices,
        # An engine inside stops its own containers first, and a database takes its time.
        *("--stop-timeout", "60"),
        *("--tmpfs", "/run", "--tmpfs", "/tmp"),
        *cgroups,
        *(word for volume in volumes for word in ("--volume", volume)),
        image,
        *command,
    ]


def ensure_host(host: str, suite: str | None, engine: bool, volumes: Sequence[str], mirror: str | None) -> None:
    """Make sure that a host is up and answers `ssh -F .cache/lab/ssh_config HOST`.

    Args:
        host: its name in SSH, and its own.
        suite: its Debian release; None is what it has, for a new one `DEFAULT_SUITE`.
        engine: whether its engines must be installed from the start.
        volumes: further ones, NAME:TARGET or /PATH:TARGET; a name is the host's own.
        mirror: the Debian mirror to build images from; None is this machine's own.
    """
    key = lab_ssh.ensure_key()
    container = container_name(host)
    running = _is_running(container)
    if running is None:
        image = ensure_host_image(suite or DEFAULT_SUITE, engine, mirror)
        _create(host, image, [*volumes, "docker:/var/lib/docker", "home:/home"])
        say(f"booting {host}")
    else:
        _refuse_other(host, suite, engine)
        if not running:
            lab_ssh.disconnect(host)
            run(["docker", "start", container])
    _wait_for_systemd(host, first_boot=running is None)
    lab_ssh.authorise(container, "root", "/root", key)
    write_ssh_config()
    lab_ssh.wait_for(host)


def _create(host: str, image: str, volumes: Sequence[str]) -> None:
    placed = []
    for volume in volumes:
        source, colon, target = volume.partition(":")
        if not colon or not target.startswith("/"):
            raise LabError(f"Cannot mount {volume}: not of the form NAME:/TARGET or /PATH:/TARGET.")
        if not source.startswith("/"):
            source = f"{container_name(host)}_{source}"
            labels = ["--label", LABEL, "--label", lab_ssh.CHECKOUT_LABEL, "--label", f"{HOST_LABEL}={host}"]
            run(["docker", "volume", "create", *labels, source])
        placed.append(f"{source}:{target}")
    run(run_command(host, image, placed))


def reboot(host: str) -> None:
    """Shut a host down in good order and boot it again."""
    if _is_running(container_name(host)) is None:
        raise LabError(f"Cannot reboot {host}: there is no such host. See: tools/lab.py host {host}")
    run(["docker", "stop", container_name(host)])
    ensure_host(host, None, False, [], None)


def remove_host(host: str) -> None:
    """Remove a host with everything on it; one that is not there is not missed."""
    lab_ssh.disconnect(host)
    _remove(f"{HOST_LABEL}={host}")


def remove_all() -> None:
    """Remove all that this checkout's lab runs: the hosts and the registry."""
    for host in hosts():
        lab_ssh.disconnect(host)
    _remove(lab_ssh.CHECKOUT_LABEL)


def _remove(label: str) -> None:
    for listing, removal in (
        (["ps", "--all"], ["rm", "--force", "--volumes"]),
        (["volume", "ls"], ["volume", "rm"]),
    ):
        labels = ["--filter", f"label={lab_ssh.CHECKOUT_LABEL}", "--filter", f"label={label}"]
        found = run(["docker", *listing, "--quiet", *labels]).split()
        if found:
            run(["docker", *removal, *found])
    write_ssh_config()


def hosts() -> list[str]:
    """The names of this checkout's hosts, running or not."""
    template = f'{{{{.Label "{HOST_LABEL}"}}}}'
    labels = ["--filter", f"label={lab_ssh.CHECKOUT_LABEL}", "--filter", f"label={HOST_LABEL}"]
    return sorted(run(["docker", "ps", "--all", *labels, "--format", template]).split())


def write_ssh_config() -> Path:
    """Write where this checkout's running hosts are now; a restart may have moved them."""
    addresses = {}
    for host in hosts():
        address = _inspect(host, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
        if address:
            addresses[host] = address
    return lab_ssh.write_config(addresses)


def prepare_podman(host: str, user: str) -> None:
    """Let an ordinary user of a host run containers without root, and connect to it as that user.

    Raises:
        LabError: the host has no podman, or it does not work for that user.
    """
    container = container_name(host)
    script = (INPUTS_DIR / "podman-user.sh").read_text()
    run(["docker", "exec", "--interactive", container, "bash", "-s", "--", user], text=script)
    lab_ssh.authorise(container, user, f"/home/{user}", lab_ssh.ensure_key())
    run([*lab_ssh.command(host, user), "podman", "info"])


def _has_cgroups_2() -> bool:
    return (CGROUPS / "cgroup.controllers").exists()


def _is_running(container: str) -> bool | None:
    """Whether a container runs, or None where there is no such container."""
    asked = subprocess.run(
        ["docker", "container", "inspect", "--format", "{{.State.Running}}", container], capture_output=True, text=True
    )
    return asked.stdout.strip() == "true" if asked.returncode == 0 else None


def _inspect(host: str, template: str) -> str:
    return run(["docker", "container", "inspect", "--format", template, container_name(host)]).strip()


def _refuse_other(host: str, suite: str | None, engine: bool) -> None:
    image = _inspect(host, "{{.Config.Image}}")
    if (suite is not None and not image.endswith(f":{suite}")) or (engine and "/host-engine:" not in image):
        raise LabError(
            f"Cannot make {host} what was asked for: it was made of {image}. "
            f"Remove it first: tools/lab.py host {host} --remove"
        )


def _wait_for_systemd(host: str, *, first_boot: bool) -> None:
    ask = ["docker", "exec", container_name(host), "systemctl"]
    deadline = time.monotonic() + BOOT_SECONDS
    state = ""
    while state not in ("running", "degraded"):
        if time.monotonic() > deadline:
            raise LabError(
                f"Cannot boot {host}: after {BOOT_SECONDS} s its systemd says {state or 'nothing'}. "
                f"See: docker logs {container_name(host)}"
            )
        time.sleep(0.3)
        asked = subprocess.run([*ask, "is-system-running"], capture_output=True, text=True)
        state = asked.stdout.strip()
    if not _has_cgroups_2():
        # Its systemd makes the directory of all hierarchies read-only, which is the machine's own: engines there need it.
        run(["docker", "exec", container_name(host), "mount", "-o", "remount,rw", str(CGROUPS)])
    # As on a real machine: without it systemd cannot hand a service its credentials.
    run(["docker", "exec", container_name(host), "mount", "--make-rshared", "/"])
    failed = {line.split()[0] for line in run([*ask, "list-units", "--failed", "--plain", "--no-legend"]).splitlines()}
    if first_boot and failed - MAY_FAIL:
        raise LabError(f"Cannot boot {host}: {', '.join(sorted(failed - MAY_FAIL))} failed. See its journal.")
