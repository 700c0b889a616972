"""A machine that boots again has its data, and the guard can tell that it has been away."""

from __future__ import annotations

from tests.support.hosts import Server, lab

GUARD_ERROR = 12
IDENTITY = "/var/tmp/identity.json"


def test_a_reboot_of_the_machine(server: Server) -> None:
    rows = server.query("SELECT count(*), sum(price) FROM goods", server.name)
    program = f"/usr/local/bin/holdfast guard --cluster {server.name} --json --quiet"
    server.host.check_output(f"runuser -u postgres -- {program} > {IDENTITY}")
    assert server.holdfast("guard", "--identity", IDENTITY).rc == 0

    lab("host", server.machine, "--reboot")
    server.host.check_output("timeout 60 sh -c 'until runuser -u postgres -- pg_isready -q; do sleep 0.2; done'")

    assert server.query("SELECT count(*), sum(price) FROM goods", server.name) == rows
    assert server.holdfast("guard").rc == 0
    compared = server.holdfast("guard", "--identity", IDENTITY)
    assert compared.rc == GUARD_ERROR
    assert "the server was stopped, restarted or replaced: started_at was" in compared.stdout + compared.stderr
