"""Where the exporter of the monitoring finds a server: what is written leads there, and says no secret."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.clusters import Cluster
from tests.support.servers import Server


def environment(path: Path) -> dict[str, str]:
    """As systemd reads it."""
    pairs = (line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())
    return {key: re.sub(r"\\(.)", r"\1", value[1:-1]) for key, value in pairs}


def exporter_of(path: Path, server: Server) -> psycopg.Connection[Any]:
    """Connects as the exporter does: it puts account and address together, and has the password from elsewhere."""
    told = environment(path)
    address = f"postgresql://{told['DATA_SOURCE_USER']}@{told['DATA_SOURCE_URI']}"
    return psycopg.connect(address, password=server.password)


@pytest.fixture
def shop(server: Server, cluster: Callable[..., Cluster]) -> Cluster:
    return cluster(server)


def test_what_is_written_leads_to_the_server(shop: Cluster, server: Server, database: str, tmp_path: Path) -> None:
    file = tmp_path / "endpoint"
    options = ("--account", server.user, "--database", database)
    first = shop.holdfast("endpoint", "--environment", str(file), *options, "--json", check=True).json
    again = shop.holdfast("endpoint", "--environment", str(file), *options, "--json", check=True).json
    assert (first["changed"], again["changed"]) == (True, False)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    with exporter_of(file, server) as connection:
        row = connection.execute(
            "SELECT current_database(), current_setting('application_name'), current_setting('lock_timeout')"
        ).fetchone()
    assert row == (database, "holdfast_exporter", "500ms")


@pytest.mark.parametrize("name", ["Umsätze", 'a"b\\c', "50%?&=#/@:", "$HOME`id`"])
def test_a_database_of_any_name_is_found(
    name: str, shop: Cluster, server: Server, new_database: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "endpoint"
    new_database(server, name)
    shop.holdfast("endpoint", "--environment", str(file), "--account", server.user, "--database", name, check=True)
    with exporter_of(file, server) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (name,)


@pytest.mark.parametrize("name", ["a\nDATA_SOURCE_PASS=b", "two words"])
def test_a_name_that_the_exporter_would_misread_is_refused(name: str, shop: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "endpoint"
    done = shop.holdfast("endpoint", "--environment", str(file), "--database", name)
    assert done.returncode == 2
    assert "Give a name without spaces." in done.stderr
    assert not file.exists()


def test_a_directory_that_is_missing_is_named(shop: Cluster, tmp_path: Path) -> None:
    done = shop.holdfast("endpoint", "--environment", str(tmp_path / "missing" / "endpoint"))
    assert done.returncode == 2
    assert "Make its directory" in done.stderr


def test_statistics_of_queries_are_made_where_they_would_work_and_nowhere_else(shop: Cluster, server: Server) -> None:
    ((libraries,),) = server.query("SHOW shared_preload_libraries")
    loaded = "pg_stat_statements" in libraries
    said = shop.holdfast("endpoint", "--prepare", "--json", check=True).json
    assert (said["statements"], said["changed"]) == (("ready", True) if loaded else ("not loaded", False))
