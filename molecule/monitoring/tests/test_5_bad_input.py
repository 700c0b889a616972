"""What cannot be meant is refused before anything changes, and what runs goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.watch import PLAYBOOK, Watch, watched_as

FILES = "/etc/prometheus/prometheus.yml /etc/prometheus/alertmanager.yml /etc/prometheus/holdfast/rules/holdfast.yml"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"holdfast_alerts": {"HoldfastVolumeFull": {"warning": 0.05}}},
            "HoldfastVolumeFull would be critical (0.1) before",
        ),
        ({"holdfast_receivers": [{"name": "nobody"}]}, "Receiver nobody receives by nothing."),
        ({"holdfast_receivers": [{"name": "x", "pager": {}}]}, "Receiver x has pager."),
    ],
)
def test_what_cannot_be_meant_is_refused(variables: dict[str, Any], said: str, watch: Watch, tmp_path: Path) -> None:
    before = watch.host.check_output(f"sha256sum {FILES}")
    hosts = watched_as(tmp_path, **variables)
    play = hosts.play(PLAYBOOK, "--limit", "watch", holdfast_monitoring_address="10.0.0.1")
    assert play.returncode != 0
    assert said in " ".join(play.said.split())
    assert watch.host.check_output(f"sha256sum {FILES}") == before


def test_exporters_that_cannot_be_reached_are_named(watch: Watch, tmp_path: Path) -> None:
    hosts = watched_as(tmp_path)
    play = hosts.play(PLAYBOOK, "--limit", "watch", holdfast_monitoring_address="127.0.0.1")
    assert play.returncode != 0
    assert "Cannot watch shop from watch: the exporters there listen on loopback only." in " ".join(play.said.split())
