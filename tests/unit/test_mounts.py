# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A path lies on the longest mount point above it, and a mount is what it really is."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.postgres import mounts
from holdfast.postgres.mounts import Mount

ANONYMOUS = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/data", "/data"),
        ("/data/pg", "/data"),
        ("/data2", "/"),
        ("/data2/pg", "/"),
        ("/data/pg/wal/16", "/data/pg/wal"),
        ("/data/pg/wal2", "/data"),
        ("/dat", "/"),
        ("/", "/"),
    ],
)
def test_a_path_lies_on_the_longest_mount_point_above_it(path: str, target: str) -> None:
    table = [Mount(one, "volume", one) for one in ("/data/pg/wal", "/data", "/other")]
    assert mounts.holder(path, table).target == target


def test_what_is_mounted_later_hides_what_was_mounted_before() -> None:
    table = [Mount("/data", "volume", "first"), Mount("/data", "memory")]
    assert mounts.holder("/data/pg", table).kind == "memory"


def test_without_any_mount_a_path_lies_in_the_containers_layer() -> None:
    assert mounts.holder("/srv/pg", []) == Mount("/", "layer")


def test_the_kernels_table_is_read_with_its_escapes_and_optional_fields() -> None:
    table = (
        "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
        "36 22 98:0 /a /mnt\\040x rw,noatime master:1 shared:2 - xfs /dev/b rw,errors=continue\n"
        "37 22 0:5 / /dev/shm rw - tmpfs shm rw\n"
        "not a line of it\n"
    )
    assert mounts.parse_mountinfo(table) == [("/", "ext4"), ("/mnt x", "xfs"), ("/dev/shm", "tmpfs")]


@pytest.mark.parametrize(
    ("name", "facts", "expected"),
    [
        (ANONYMOUS, {}, True),
        (ANONYMOUS[:-1], {}, False),
        ("shop_data", {"Labels": None}, False),
        ("shop_data", {"Labels": {"com.docker.volume.anonymous": ""}}, True),
        ("shop_data", {"Anonymous": True}, True),
        ("shop_data", {"Anonymous": False, "Labels": {"a": "b"}}, False),
    ],
)
def test_a_volume_that_nobody_has_named_is_told(name: str, facts: dict[str, Any], expected: bool) -> None:
    assert mounts.anonymous(name, facts) is expected


FACTS: dict[str, Any] = {
    "Mounts": [
        {"Type": "volume", "Name": "pgdata", "Source": "/volumes/pgdata", "Destination": "/link/pg", "RW": True},
        {"Type": "volume", "Name": ANONYMOUS, "Source": "/volumes/x", "Destination": "/anon", "RW": True},
        {"Type": "volume", "Name": "ram", "Source": "/volumes/ram", "Destination": "/ram", "RW": True},
        {"Type": "bind", "Source": "/srv/host", "Destination": "/bind/", "RW": False},
    ],
    "HostConfig": {"Tmpfs": {"/scratch": "size=1m"}},
}
VOLUMES = {"ram": {"Options": {"type": "tmpfs"}}}
KERNEL = "\n".join(
    f"{number} 1 8:1 / {target} rw - {fstype} x rw"
    for number, (target, fstype) in enumerate(
        [("/", "overlay"), ("/real/pg", "ext4"), ("/ram", "tmpfs"), ("/bind", "ext4"), ("/bind/disk", "xfs"), ("/own", "ext4")]
    )
)  # fmt: skip


def table(mountinfo: str | None) -> dict[str, tuple[str, str]]:
    """Mount points of `FACTS`, a container in which /link leads to /real, with their kinds and sources."""
    found = mounts.of_container(
        FACTS, lambda name: VOLUMES.get(name, {}), lambda path: path.replace("/link", "/real"), mountinfo
    )
    return {mount.target: (mount.kind, mount.source) for mount in found}


def test_what_the_engine_was_told_is_all_there_is_for_a_container_that_does_not_run() -> None:
    assert table(None) == {
        "/": ("layer", ""),
        "/real/pg": ("volume", "pgdata"),
        "/anon": ("anonymous", ANONYMOUS),
        "/ram": ("memory", "ram"),
        "/bind": ("bind", "/srv/host"),
        "/scratch": ("memory", ""),
    }


def test_what_the_kernel_has_mounted_counts_more_than_what_the_engine_was_told() -> None:
    assert table(KERNEL) == {
        "/": ("layer", ""),
        "/real/pg": ("volume", "pgdata"),
        "/ram": ("memory", "ram"),
        "/bind": ("bind", "/srv/host"),
        "/bind/disk": ("bind", "/srv/host/disk"),
        "/own": ("layer", ""),
    }
