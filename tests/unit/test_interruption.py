# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process that is asked to end does so, whatever the interpreter is busy with just then."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.support.clusters import CHECKOUT

_PROGRAM = """
import os, signal, sys, time
sys.path.insert(0, {root!r})
from module_utils.holdfast import interruption

class Lost:
    def __del__(self):
        os.kill(os.getpid(), {number})
        for _ in range(1000):
            pass

interruption.listen()
try:
    Lost()
    time.sleep(5)
except KeyboardInterrupt:
    print("heard")
interruption.ignore()
os.kill(os.getpid(), {number})
print("done")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_in_a_finalizer_is_heard_after_it(number: signal.Signals) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(root=str(CHECKOUT), number=int(number))],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "heard\ndone\n", "")
