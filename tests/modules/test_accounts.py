"""The module pg_account, run by ansible-playbook against a real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support import playbooks
from tests.support.accounts import log_in
from tests.support.backups import tidied
from tests.support.clusters import Cluster
from tests.support.servers import Server


def test_the_account_module_says_what_it_does_and_does_what_it_says(
    tmp_path: Path, server18: Server, cluster: Callable[..., Cluster]
) -> None:
    shop = cluster(server18, initialised=False)
    hosts = playbooks.inventory(tmp_path, {"shop": None})
    secrets = tmp_path / "secrets" / "shop"

    with tidied(server18):
        run = hosts.play(
            "tests/modules/accounts.yml", "-vvv", cluster="shop", configuration=shop.config(), secrets=str(secrets)
        ).require_success()
        generated = (secrets / "holdfast_backup").read_text().strip()
        assert log_in(server18, "holdfast_backup", generated) == "holdfast_backup"
        assert log_in(server18, "holdfast_monitoring", "hunter3-of-the-vault") == "holdfast_monitoring"

    for secret in (generated, "hunter2-of-the-vault", "hunter3-of-the-vault", "SCRAM-SHA-256"):
        assert secret not in run.said
