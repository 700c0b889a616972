"""What is wrong in an inventory is said in a sentence, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import playbooks
from tests.support.promtool import program


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        (
            {"HoldfastVolumeFull": {"warning": 0.05}},
            "HoldfastVolumeFull would be critical (0.1) before it is a warning (0.05): it is an alarm below its"
            " threshold, so the warning must be more.",
        ),
        (
            {"HoldfastDailyBackupTooOld": {"warning": "3d", "critical": "27h"}},
            "HoldfastDailyBackupTooOld would be critical (27h) before it is a warning (3d)",
        ),
        ({"HoldfastConnectionsHigh": {"warning": 0.95}}, "HoldfastConnectionsHigh would be critical (0.95) before"),
        ({"HoldfastDiskFull": {"warning": 1}}, "There is no alert HoldfastDiskFull."),
        ({"HoldfastVolumeFull": {"warnings": 1}}, "HoldfastVolumeFull has no warnings. It has:"),
        ({"HoldfastNodeDown": {"warning": 1}}, "HoldfastNodeDown has no warning."),
        ({"HoldfastVolumeFull": {"warning": "a lot"}}, "HoldfastVolumeFull.warning is 'a lot'. Give a number"),
        ({"HoldfastVolumeFull": {"for": "soon"}}, "HoldfastVolumeFull.for is 'soon'. Give a duration"),
        ({"HoldfastVolumeFull": 5}, "HoldfastVolumeFull is 5. Give a mapping"),
    ],
)
def test_overrides_that_cannot_be_meant_are_refused(alerts: dict[str, Any], said: str, tmp_path: Path) -> None:
    here = playbooks.inventory(tmp_path, {"here": None})
    play = here.play("tests/monitoring/rules.yml", holdfast_alerts=alerts, alerting_rules_directory=f"{tmp_path}/rules")
    assert play.returncode != 0
    assert said in " ".join(play.said.split())
    assert not (tmp_path / "rules").exists()


def test_a_level_or_an_alert_can_be_left_out_and_the_rest_stays(tmp_path: Path) -> None:
    here = playbooks.inventory(tmp_path, {"here": None})
    alerts = {
        "HoldfastVolumeFull": {"critical": None, "warning": 0.3},
        "HoldfastBloat": {"enabled": False},
        "HoldfastDailyBackupTooOld": {"warning": "1d12h"},
    }
    variables = {
        "holdfast_alerts": alerts,
        "alerting_rules_directory": f"{tmp_path}/rules",
        "alerting_promtool": program("promtool"),
        "alerting_prometheus_service": "",
    }
    here.play("tests/monitoring/rules.yml", **variables).require_success()
    text = (tmp_path / "rules" / "holdfast.yml").read_text(encoding="utf-8")
    assert "(holdfast:volume_free:ratio) < 0.3" in text
    assert "(holdfast:volume_free:ratio) < 0.1" not in text
    assert "HoldfastBloat" not in text
    assert '{tier="daily"}) > 129600' in text
    assert '{tier="daily"}) > 183600' in text
    assert here.play("tests/monitoring/rules.yml", **variables).require_success().recap["here"]["changed"] == 0
