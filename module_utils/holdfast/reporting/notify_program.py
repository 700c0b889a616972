# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that tell: the system's sendmail, and commands of the operator. Both get a time, and are ended after it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from ..system import Command, System
from .notify_channels import CommandChannel, EmailChannel
from .notify_event import Event, text
from .notify_message import document, mail, variables
from .text import visible

#: Seconds between the request to end and the end by force, and for the last words after it.
GRACE = 2.0
_LAST_WORDS = 0.5
_URL = re.compile(r"(https?://)([^/\s@]*@)?([^/\s?#]+)\S*", re.IGNORECASE)
#: Shorter words of an argument are too common to be cut out of what a program says.
_SHORTEST_SECRET = 8


def send_mail(channel: EmailChannel, event: Event, now: datetime, timeout: float, system: System) -> str:
    """Hand a mail to sendmail, which queues it.

    :returns: why that failed, or nothing.
    """
    message = mail(event, channel.to, channel.sender, now)
    # Source: sendmail(1): -t reads the recipients from the headers, -i does not end at a line with a dot.
    reason = run(Command([channel.sendmail, "-t", "-i"], stdin=message, own_group=True), timeout, system)
    if reason == _missing(channel.sendmail):
        reason += ": install msmtp-mta, nullmailer, postfix or another that brings it"
    return reason


def run_command(channel: CommandChannel, event: Event, now: datetime, timeout: float, system: System) -> str:
    """Run the operator's program: the event is in its environment and, as JSON, on its standard input.

    :returns: why that failed, or nothing.
    """
    content = json.dumps(document(event, now)).encode("ascii") + b"\n"
    command = Command(channel.command, variables(event, now), stdin=content, own_group=True)
    return run(command, timeout, system, channel.command[1:])


def run(command: Command, timeout: float, system: System, secrets: Iterable[str] = ()) -> str:
    """Run a program for at most ``timeout`` and :data:`GRACE` seconds.

    :param secrets: what is cut out of its words.
    :returns: why it failed, or nothing.
    """
    try:
        running = system.start(command)
    except FileNotFoundError:
        return _missing(command.argv[0])
    except PermissionError:
        return f"{command.argv[0]} may not be run by this account"
    late = False
    try:
        late = not running.wait(timeout)
    finally:
        # Also when this process is asked to end meanwhile.
        running.stop(GRACE)
    done = running.finish(_LAST_WORDS)
    if late:
        return f"it did not end within {timeout:g} s, and was ended"
    if done.returncode == 0:
        return ""
    last = safe(done.last_error, secrets) if done.stderr.strip() else ""
    how = f"exit code {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
    return f"it ended with {how}" + (f": {text(last, 300)}" if last else "")


def safe(said: str, secrets: Iterable[str]) -> str:
    """What a program said, without addresses and without the secrets that it was given."""
    said = _URL.sub(r"\1\3/…", said)
    for word in sorted(_words(secrets), key=len, reverse=True):
        said = said.replace(word, "***")
    return visible(said)


def _words(secrets: Iterable[str]) -> Iterator[str]:
    for one in secrets:
        hosts = {host for _scheme, _userinfo, host in _URL.findall(one)}
        parts = {one, *re.split(r"[\s=:/?&@,;\"']+", one)} - hosts
        yield from (part for part in parts if len(part) >= _SHORTEST_SECRET)


def _missing(program: str) -> str:
    return f"there is no program {program}"
