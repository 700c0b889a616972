"""What cannot be right is refused with the reason and the way out, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosts import Server, host_of, inventory, inventory_of
from tests.support.playbooks import Inventory, Play

MEMORY = "/mnt/memory"


@pytest.fixture(scope="module")
def host() -> Any:
    return host_of("host_server", "plain")


def said(play: Play) -> str:
    """All that a run said, with its line breaks and margins gone."""
    return " ".join(play.said.split())


@pytest.fixture
def stopped(host: Any) -> Iterator[None]:
    host.check_output("systemctl stop postgresql")
    yield
    host.check_output("systemctl start postgresql")
    host.check_output("timeout 30 sh -c 'until runuser -u postgres -- pg_isready -q; do sleep 0.2; done'")


@pytest.fixture
def in_memory(host: Any) -> Iterator[None]:
    """A second server of the machine, whose data directory somebody has put on a file system in memory."""
    host.check_output(f"mkdir -p {MEMORY} && mount -t tmpfs -o size=200m,mode=0755 tmpfs {MEMORY}")
    host.check_output(f"pg_createcluster 17 memory --datadir {MEMORY}/data --port 5433 --start")
    yield
    host.check_output(f"pg_dropcluster --stop 17 memory && umount {MEMORY}")
    host.check_output("rm -rf /etc/holdfast/memory.* /var/backups/holdfast/memory")


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("playbook", ["backup", "guard"])
def test_a_stopped_server(together: Inventory, playbook: str) -> None:
    refused = together.play(f"playbooks/{playbook}.yml", "--limit", "plain")
    assert refused.returncode != 0
    assert refused.recap["plain"]["failed"] == 1
    assert "Is the server running locally and accepting connections on that socket?" in said(refused)


def test_a_container_cluster_where_no_engine_is_and_none_may_be_installed(server: Server, tmp_path: Path) -> None:
    known = inventory_of("host_server")["plain"]
    asked = {key: value for key, value in known.items() if key != "holdfast_access"}
    asked |= {"holdfast_project": "web", "holdfast_image": "postgres:17", "holdfast_install_packages": False}
    refused = inventory(tmp_path, {"web": asked}).play("playbooks/site.yml")
    assert refused.returncode != 0
    assert refused.recap["web"]["changed"] == 0
    assert "its host has no docker with compose" in said(refused)
    assert "Install docker and compose there, or start the project by hand" in said(refused)
    assert not server.host.file("/etc/holdfast/web.json").exists
    assert not server.host.file("/srv/web").exists


@pytest.mark.usefixtures("in_memory")
def test_a_data_directory_in_memory(server: Server, tmp_path: Path) -> None:
    known = inventory_of("host_server")["plain"]
    asked = known | {"holdfast_access": known["holdfast_access"] | {"port": 5433}}
    refused = inventory(tmp_path, {"memory": asked}).play("playbooks/site.yml")
    assert refused.returncode != 0
    assert f"{MEMORY}/data lies on {MEMORY} (tmpfs): in memory, gone with the next restart" in said(refused)
    assert server.reported("guard")["verdict"] == "ok", "the other server of the machine"
