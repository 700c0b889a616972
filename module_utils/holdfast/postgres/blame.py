# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose fault is it: the data's, or the machine's that they were restored on?

A full disk, too little memory or a container engine that fails says nothing about a backup, and must not have it
thrown away.
"""

from __future__ import annotations

import re
from typing import Optional

#: Classes of SQLSTATE: connection exception, insufficient resources, operator intervention (shutdown, crash), system
#: error. Source: PostgreSQL documentation, "PostgreSQL Error Codes".
_CLASSES = ("08", "53", "57P", "58")
#: Of the engine itself, of a program that cannot be run or found. Source: docker run, "Exit status".
_ENGINE = (125, 126, 127)
#: 128 and the number of a signal, as shells and engines tell it: SIGKILL (the kernel's, for want of memory), SIGTERM.
_SIGNALS = (137, 143)
_SIGNS = re.compile(
    r"No space left on device|Disk quota exceeded|Input/output error|Read-only file system|out of memory|"
    r"Cannot allocate memory|could not resize shared memory|could not extend file|server closed the connection unexpectedly|"
    r"terminating connection|the database system is (?:starting up|shutting down|in recovery)|could not connect to server|"
    r"connection to server (?:at|on) |OCI runtime|Error response from daemon",
    re.IGNORECASE,
)


#: What a server writes before it goes down for such a reason.
_LAST_WORDS = re.compile(
    r"PANIC: |No space left on device|Disk quota exceeded|Input/output error|Read-only file system|"
    r"was terminated by signal 9|out of memory|Cannot allocate memory|Check free disk space",
)
_SHOWN = 3


def last_words(log: str) -> str:
    """What a server's log says of why it went down, on one line; empty if it says nothing.

    Input ``2026-11-25 … PANIC:  could not write to file "pg_wal/…": No space left on device``, output the same without
    what comes before ``PANIC``.
    """
    found = [
        re.sub(r"^.*?(?=(?:PANIC|FATAL|ERROR|LOG|WARNING|HINT): )", "", line.strip())
        for line in log.splitlines()
        if _LAST_WORDS.search(line)
    ]
    return " | ".join(list(dict.fromkeys(" ".join(line.split()) for line in found))[:_SHOWN])[:600]


def machine_failed(returncode: Optional[int], text: str) -> bool:
    """Whether a program failed for a reason of the machine.

    :param returncode: how it ended; None where there was no program.
    :param text: what it said.
    """
    if returncode is not None and (returncode < 0 or returncode in (*_ENGINE, *_SIGNALS)):
        return True
    return _SIGNS.search(text) is not None


def machine_error(error: BaseException) -> bool:
    """Whether an error of psycopg is one of the machine or of the connection."""
    state = getattr(error, "sqlstate", None)
    if state is None:
        # Without a state no server has answered.
        return type(error).__module__.split(".")[0] == "psycopg" and type(error).__name__ in (
            "OperationalError",
            "InterfaceError",
        )
    return str(state).startswith(_CLASSES)
