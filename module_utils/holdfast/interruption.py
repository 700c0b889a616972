# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ending when asked to: SIGTERM and SIGHUP are taken as Ctrl-C is, and none of the three is lost."""

from __future__ import annotations

import signal
import sys
from typing import Any, NoReturn

_ASKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds until an interruption that was lost is repeated.
_AGAIN = 0.05


def listen() -> None:
    """From now on each of the signals raises :exc:`KeyboardInterrupt` in the main thread.

    A signal can arrive while the interpreter runs a callback out of which nothing can be raised (after a fork, in a
    finalizer): the interruption is then only reported, and the program goes on. It is repeated until it is heard.
    """
    for number in (*_ASKED, signal.SIGALRM):
        signal.signal(number, _interrupt)
    usual = sys.unraisablehook

    def once_more(lost: Any) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        else:
            usual(lost)

    sys.unraisablehook = once_more


def ignore() -> None:
    """It is done: who wants to stop it now must not be told that it was stopped."""
    for number in (*_ASKED, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def _interrupt(_number: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt
