"""Every test looks at one cluster of the scenario's inventory after the other."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.support.hosts import Cluster


@pytest.fixture
def cluster(host: Any) -> Cluster:
    return Cluster.of(host)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the database and its engine had to say."""
    report = yield
    seen = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(seen, Cluster):
        labels = f"label=com.docker.compose.project={seen.project}"
        for command in (
            f"docker ps --all --filter {labels}",
            f"docker ps --all --quiet --filter {labels} | xargs --no-run-if-empty --max-args=1 docker logs --tail 30",
            "journalctl --unit docker --no-pager --lines 30",
        ):
            said = seen.host.run(command)
            report.sections.append((command, said.stdout + said.stderr))
    return report
