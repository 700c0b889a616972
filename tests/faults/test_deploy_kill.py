# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deployment that is killed at any instant: the database is untouched, somebody serves, and the next run finishes it.

`HOLDFAST_ROUNDS` says how often to kill, `HOLDFAST_SEED` repeats the instants of an earlier run.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.support import application, containers
from tests.support.application import Application
from tests.support.clusters import Run
from tests.support.processes import dice, rounds, started

ROUNDS = 3
SOAK_ROUNDS = 100
#: About as long as one takes on this machine when nobody kills it.
SECONDS = 16


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    engine, compose = containers.docker(), containers.compose()
    application.build(engine)
    directory = tmp_path_factory.mktemp("deploy")
    with application.running(engine, compose, directory, f"holdfast-test-killed-{os.getpid()}") as running:
        yield running


def kill_and_finish(app: Application, times: int) -> None:
    """Deploys one version after the other; each deployment is killed once, and then run again."""
    app.reset()
    identity, random = app.database.identity(), dice("killed deployments")
    print(f"{times} rounds")
    for number in range(times):
        tag, seconds = ("2", "3")[number % 2], random.uniform(0.5, SECONDS)
        with started(app.cluster, "deploy", *app.image(tag)) as process:
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert app.running(), f"nobody serves after {seconds:.2f} s"
        done = _until_it_may(app, tag)
        assert done.returncode == 0, f"killed after {seconds:.2f} s: {done.stderr}"
        assert app.tags() == [tag]
        assert app.database.identity() == identity
        app.assert_nothing_left()


def _until_it_may(app: Application, tag: str) -> Run:
    """Runs it again; while a migration of the dead one still runs, it is refused with that reason, and waits."""
    until = time.monotonic() + 30
    while True:
        done = app.deploy(*app.image(tag))
        if "a migration of an earlier deployment still runs" not in done.stderr or time.monotonic() > until:
            return done
        time.sleep(1)


def test_a_few_times(project: Application) -> None:
    kill_and_finish(project, rounds(ROUNDS))


@pytest.mark.soak
def test_many_times(project: Application) -> None:
    kill_and_finish(project, rounds(SOAK_ROUNDS))
