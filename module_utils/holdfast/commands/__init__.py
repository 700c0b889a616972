# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verbs of the command line, a file for those that belong together; ``cli.py`` imports the one that is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Optional, Protocol

#: Carries a verb out: the arguments, the cluster's configuration, the system, the progress; returns the result.
Run = Callable[..., dict[str, Any]]
#: Puts a result into words.
Show = Callable[[dict[str, Any]], str]


class Verbs(Protocol):
    """What a file of verbs adds them to."""

    def add(
        self, name: str, text: str, run: Run, show: Show, interrupted: Optional[str] = None
    ) -> argparse.ArgumentParser:
        """Add a verb.

        :param name: as it is typed.
        :param text: what it does, for the help.
        :param interrupted: what is said when it was interrupted, if that needs more words than usual.
        :returns: the parser, for the options.
        """
