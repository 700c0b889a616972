"""What would cost the adopted database its data, or take another one for it, is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosts import Server, host_of, inventory, inventory_of

GUARD_ERROR = 12


@pytest.fixture(scope="module")
def host() -> Any:
    return host_of("adopt", "shop")


@pytest.fixture
def edited(host: Any) -> Iterator[None]:
    """Somebody has changed the project's file, and not yet said `up`."""
    host.check_output("cp -p /opt/shop/compose.yml /root && sed -i 's/POSTGRES_USER: shop/&s/' /opt/shop/compose.yml")
    yield
    host.check_output("mv /root/compose.yml /opt/shop/compose.yml")


@pytest.fixture
def renamed(host: Any) -> Iterator[None]:
    """Somebody has copied the project's directory: what it is called is the project's name, and its volume's."""
    host.check_output("cp -r /opt/shop /opt/shop2 && cd /opt/shop2 && docker compose up --detach")
    yield
    host.check_output("cd /opt/shop2 && docker compose down --volumes && rm -r /opt/shop2")


@pytest.mark.usefixtures("edited")
def test_a_compose_file_that_would_recreate_the_database(server: Server) -> None:
    guarded = server.holdfast("guard")
    assert guarded.rc == GUARD_ERROR
    assert "'up' would recreate the database's container" in guarded.stdout + guarded.stderr


@pytest.mark.usefixtures("edited")
def test_a_backup_is_taken_all_the_same(server: Server) -> None:
    assert server.holdfast("backup").rc == 0


@pytest.mark.usefixtures("renamed")
def test_a_project_under_another_name_with_a_database_that_is_empty(server: Server, tmp_path: Path) -> None:
    configured = f"cat /etc/holdfast/{server.name}.json"
    before = server.host.check_output(configured)
    known = inventory_of("adopt")[server.name] | {"holdfast_project": "shop2"}
    refused = inventory(tmp_path, {server.name: known}).play("playbooks/site.yml")
    assert refused.returncode != 0
    said = " ".join(refused.said.split())
    assert "lies on volume shop2_postgres_data, not on shop_postgres_data as guard.volume says" in said
    assert server.host.check_output(configured) == before


def test_an_account_without_the_container(server: Server, tmp_path: Path) -> None:
    """Containers of rootless podman are their user's; root has none of that name."""
    known = inventory_of("adopt")["archive"] | {"holdfast_account": "root"}
    refused = inventory(tmp_path, {"archive": known}).play("playbooks/backup.yml")
    assert refused.returncode != 0
    assert "podman knows no such container" in " ".join(refused.said.split())
