"""What site.yml has made: a server from packages on a bare machine, and nothing of the one that ran already."""

from __future__ import annotations

import json

from tests.support.hosts import Server, host_of


def test_the_new_server_is_of_the_distribution_and_has_data_checksums() -> None:
    plain = Server.of(host_of("host_server", "plain"))
    assert plain.query("SHOW data_checksums") == "on"
    assert plain.query("SHOW server_version").startswith("17.")
    assert plain.host.service("postgresql").is_enabled


def test_the_server_that_ran_already_is_the_same_process() -> None:
    depot = Server.of(host_of("host_server", "depot"))
    process = "SELECT pg_postmaster_start_time(), split_part(pg_read_file('postmaster.pid'), chr(10), 1)"
    assert depot.query(process) == depot.host.check_output("cat /root/depot.before")


def test_no_engine_is_installed_for_it(server: Server) -> None:
    assert not server.host.exists("docker")
    assert not server.host.exists("podman")


def test_no_password_and_no_account_is_made(server: Server) -> None:
    assert server.query("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'holdfast%' OR rolpassword IS NULL") == "0"
    assert not server.host.file("/etc/holdfast/secrets").exists
    configured = json.loads(server.host.file(f"/etc/holdfast/{server.name}.json").content_string)
    assert configured["access"] == {"kind": "host", "host": "/run/postgresql", "user": "postgres"}


def test_the_repository_is_for_the_servers_account_alone(server: Server) -> None:
    repository = server.host.file(f"/var/backups/holdfast/{server.name}")
    assert (repository.user, repository.mode) == ("postgres", 0o700)


def test_the_guard_finds_the_data_on_their_disk(server: Server) -> None:
    guarded = server.reported("guard")
    missing = {"depot": {"checksums"}}.get(server.name, set())
    assert {check["check"] for check in guarded["checks"] if check["result"] != "ok"} == missing
    (data,) = (check["detail"] for check in guarded["checks"] if check["check"] == "data")
    assert "lies on /var/lib/postgresql (" in data
