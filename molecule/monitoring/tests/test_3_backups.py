"""A backup that was due and failed, and so is missing: told, and told again when it was made up for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.hosts import Cluster
from tests.support.watch import Watch

CONFIGURATION = "/etc/holdfast/shop.json"
#: Due two minutes ago, and missed a minute after that.
DUE_NOW = """
import datetime, json
path = "/etc/holdfast/shop.json"
configuration = json.load(open(path))
then = datetime.datetime.now().astimezone() - datetime.timedelta(minutes=2)
configuration["schedule"].update({"jitter": 0, "grace": 1, "together": 0, "daily": {"at": then.strftime("%H:%M")}})
json.dump(configuration, open(path, "w"))
"""


@pytest.fixture(scope="module")
def failed(shop: Cluster, watch: Watch) -> Iterator[float]:
    """A daily backup is due, and its account may not log in; since when."""
    since = watch.now()
    shop.host.check_output(f"cp -p {CONFIGURATION} /root/before.json && python3 -c %s", DUE_NOW)
    shop.query("ALTER ROLE holdfast_backup NOLOGIN")
    assert shop.host.run("holdfast run --quiet").rc != 0
    shop.host.run("holdfast metrics --quiet")
    yield since
    shop.host.check_output(f"mv /root/before.json {CONFIGURATION} && holdfast metrics --quiet")


@pytest.mark.parametrize("alert", ["HoldfastRunFailed", "HoldfastScheduleMissed"])
def test_a_backup_that_failed_and_one_that_is_missing_are_told(alert: str, failed: float, watch: Watch) -> None:
    (first, *_more) = watch.wait_for(alert, "firing", failed, 100)
    assert first["labels"]["severity"] == "critical"
    assert first["labels"]["exported_job"] in first["annotations"]["summary"]


@pytest.fixture(scope="module")
def made_up_for(failed: float, shop: Cluster, watch: Watch) -> float:
    """The account may log in again, and what was due is done; since when."""
    since = watch.now()
    shop.query("ALTER ROLE holdfast_backup LOGIN")
    shop.host.check_output("holdfast run --quiet && holdfast metrics --quiet")
    return since


@pytest.mark.parametrize("alert", ["HoldfastRunFailed", "HoldfastScheduleMissed"])
def test_that_it_was_made_up_for_is_told(alert: str, made_up_for: float, watch: Watch) -> None:
    watch.wait_for(alert, "resolved", made_up_for, 100)
