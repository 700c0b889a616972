"""What cannot be watched: it is said, and how to have the rest watched all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support import playbooks
from tests.support.clusters import CHECKOUT

ROOTLESS = {"kind": "container", "engine": "podman", "project": "shop", "service": "db"}


def test_rootless_podman_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "shop.json").write_text(json.dumps({"access": ROOTLESS}), encoding="utf-8")
    here = playbooks.inventory(tmp_path, {"shop": None})
    play = here.play("tests/monitoring/role.yml", holdfast_config_dir=str(tmp_path), holdfast_account="app")
    assert play.returncode != 0
    said = " ".join(play.said.split())
    assert "it runs in a container of rootless podman, of app, which the exporter does not reach" in said
    assert "Put it into the group unmonitored" in said
    here.play("tests/monitoring/role.yml", holdfast_config_dir=str(tmp_path)).require_success()


def test_hosts_in_unmonitored_are_left_out(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.ini"
    hosts.write_text("shop\nrootless\n[monitoring]\nwatch\n[unmonitored]\nrootless\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "ansible.cli.playbook",
        "-i",
        str(hosts),
        "--list-hosts",
        "playbooks/monitoring.yml",
    ]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    plays = [part.splitlines()[2:] for part in done.stdout.split("pattern:")[1:]]
    assert [[line.strip() for line in play if line.startswith("      ")] for play in plays] == [["shop"], ["watch"]]
