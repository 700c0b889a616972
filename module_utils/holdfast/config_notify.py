# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom Holdfast tells, and how: ``<cluster>.notify`` beside the configuration of a cluster.

It holds secrets (a webhook's address is one), so only its owner may read it, and nothing of it but kinds, hosts and
mail addresses is ever shown.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit

from .config_reader import Reader
from .errors import ConfigError
from .reporting.notify_channels import (
    FORMATS,
    PAGERDUTY,
    SENDMAIL,
    Channel,
    CommandChannel,
    EmailChannel,
    PagerDutyChannel,
    Ping,
    SecretUrl,
    WebhookChannel,
)

SCHEMA = 1
_TOP = {"schema", "channels", "ping", "remind", "timeout", "attempts"}
_LARGEST = 1 << 20
_PRINTABLE = re.compile(r"[!-~]+")
#: An address, or the name of a local account; neither may be taken for an option, a program or two.
_MAILBOX = re.compile(r"[A-Za-z0-9_.+=~][A-Za-z0-9_.+=~'-]*(@[A-Za-z0-9][A-Za-z0-9.-]*)?")
#: Source: RFC 9110, 5.6.2 "Tokens".
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[ -~]*")
#: What the client itself says of a request.
_OWN_HEADERS = {"host", "content-length", "transfer-encoding", "connection"}
#: The values of these may be shown in a message: they are numbers and words of ours.
_HARMLESS = {"schema", "remind", "timeout", "attempts", "start", "fail"}
_PLAIN_KEY = re.compile(r"[a-z_]{1,20}")


@dataclass(frozen=True)
class NotifyOptions:
    """Whom to tell, and how patiently.

    :param remind: how often a failure that lasts is told again; zero tells it once.
    :param timeout: seconds that one attempt, or one program, may take.
    :param attempts: how often a request is made before it is given up.
    """

    channels: tuple[Channel, ...] = ()
    ping: Optional[Ping] = None
    remind: timedelta = timedelta(hours=24)
    timeout: int = 10
    attempts: int = 3

    @classmethod
    def from_mapping(cls, raw: Any, where: str) -> NotifyOptions:
        """Validate what has been read.

        :param where: what to call it in a message.
        :raises ConfigError: anything that is missing, unknown, of the wrong type or out of range.
        """
        if not isinstance(raw, dict):
            raise _bad(where, "it is not a JSON object", "Let it begin with {\"schema\": 1, \"channels\": [ … ]}.")  # fmt: skip
        read = _Private(raw, where, "notify", _TOP)
        if isinstance(raw.get("schema"), bool) or raw.get("schema") != SCHEMA:
            raise read.bad("schema", f"This Holdfast reads schema {SCHEMA}.")
        channels = read.raw.get("channels", [])
        if not isinstance(channels, list):
            raise read.bad("channels", "Give a list of channels.")
        hours = read.raw.get("remind", 24)
        if isinstance(hours, bool) or not isinstance(hours, (int, float)) or not 0 <= hours <= 8760:
            raise read.bad("remind", "Give hours from 0 (never remind) to 8760.")
        return cls(
            channels=tuple(_channel(one, where, f"notify.channels[{n}]") for n, one in enumerate(channels)),
            ping=_ping(read.mapping("ping"), where) if "ping" in read.raw else None,
            remind=timedelta(hours=hours),
            timeout=read.whole("timeout", 10, 1, 300),
            attempts=read.whole("attempts", 3, 1, 10),
        )


class _Private(Reader):
    """A reader whose messages show no value that could be a secret, nor a key that could be one."""

    def __init__(self, raw: Mapping[str, Any], where: str, name: str, known: set[str]) -> None:
        if any(key not in known and not _PLAIN_KEY.fullmatch(key) for key in raw):
            raise _bad(where, f"{name} has unknown keys", f"Known keys: {', '.join(sorted(known))}.")
        super().__init__(raw, where, name, known)

    def bad(self, key: str, next_step: str, shown: bool = True) -> ConfigError:
        if key not in self.raw:
            return self._error(f"{self.name}.{key} is missing", next_step)
        return super().bad(key, next_step, shown and key in _HARMLESS and isinstance(self.raw[key], (bool, int, float)))

    def needed(self, key: str, next_step: str) -> str:
        """A text that has to be given, of printable ASCII without spaces."""
        value = self.raw.get(key)
        if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
            raise self.bad(key, next_step)
        return value

    def url(self, key: str) -> SecretUrl:
        """An address of http or https."""
        step = "Give an address that begins with https:// (or http://), percent-encoded."
        value = self.needed(key, step)
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        # A backslash, and what else never belongs into an address, is read differently by different programs.
        if not usable or re.search(r'[\\<>"{}|^`]', value):
            raise self.bad(key, step)
        return SecretUrl(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.raw.get(key, default)
        if not isinstance(value, bool):
            raise self.bad(key, "Give true or false.")
        return value


def load(path: Path) -> NotifyOptions:
    """Read the file; where there is none, nobody is told.

    :raises ConfigError: it is not readable, not private, not JSON, or not valid.
    """
    where = str(path)
    try:
        # A pipe in its place would block until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return NotifyOptions()
    except OSError as error:
        raise _bad(where, os.strerror(error.errno or 0), "Run as its owner, or render it again with the agent role.") from error  # fmt: skip
    try:
        _require_private(os.fstat(descriptor), where)
        content = os.read(descriptor, _LARGEST + 1)
        if len(content) > _LARGEST:
            raise _bad(where, "it is larger than 1 MiB", "Render it again with the agent role.")
        raw = json.loads(content.decode("utf-8"))
    except OSError as error:
        raise _bad(where, os.strerror(error.errno or 0), "Render it again with the agent role.") from error
    except (ValueError, RecursionError):
        # What the parser says may quote the file.
        raise _bad(where, "it is not valid JSON", "Mend it, or render it again with the agent role.") from None
    finally:
        os.close(descriptor)
    return NotifyOptions.from_mapping(raw, where)


def _require_private(found: os.stat_result, where: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _bad(where, "it is not a file", "Render it again with the agent role.")
    if found.st_mode & 0o077:
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        step = f"It holds secrets: chmod 0600 {where}, and replace those that others may have read."
        raise _bad(where, f"its mode is {mode}, so that others than its owner can use it", step)
    if found.st_uid not in (0, os.geteuid()):
        # It names programs to run: another account must not choose what this one runs.
        owner = _account(found.st_uid)
        raise _bad(where, f"it belongs to {owner}", f"Run as {owner}, or give the file to this account.")


def _account(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"account {number}"


def _channel(raw: Any, where: str, name: str) -> Channel:
    if not isinstance(raw, dict):
        raise _bad(where, f"{name} is no JSON object", 'Give an object such as {"kind": "email", "to": ["root"]}.')
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in _CHANNELS:
        raise _bad(where, f"{name}.kind is not one that is known", f"Give one of {', '.join(_CHANNELS)}.")
    known, read = _CHANNELS[kind]
    found: Channel = read(_Private(raw, where, name, {"kind", *known}))
    return found


def _email(read: _Private) -> EmailChannel:
    step = "Give addresses such as ops@example.org, or names of local accounts."
    to, sender = read.texts("to"), read.text("from")
    if not to or not all(_MAILBOX.fullmatch(one) for one in to):
        raise read.bad("to", step)
    if sender is not None and not _MAILBOX.fullmatch(sender):
        raise read.bad("from", step)
    return EmailChannel(to, sender, read.directory("sendmail") or SENDMAIL)


def _webhook(read: _Private) -> WebhookChannel:
    headers = read.mapping("headers")
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise read.bad("headers", "Give names and values of HTTP headers, each one line of plain ASCII.")
        if name.lower() in _OWN_HEADERS:
            raise read.bad("headers", f"Leave {name.lower()} out: it follows from the request.")
    form = read.raw.get("format", "json")
    if form not in FORMATS:
        raise read.bad("format", f"Give one of {', '.join(FORMATS)}.")
    return WebhookChannel(read.url("url"), headers, form)


def _pagerduty(read: _Private) -> PagerDutyChannel:
    key = read.needed("routing_key", "Give the integration key of the service.")
    return PagerDutyChannel(key, read.url("url") if "url" in read.raw else SecretUrl(PAGERDUTY))


def _command(read: _Private) -> CommandChannel:
    command = read.texts("command")
    if not command:
        raise read.bad("command", "Give the program and its arguments as a list.")
    return CommandChannel(command)


_CHANNELS: dict[str, tuple[set[str], Any]] = {
    "email": ({"to", "from", "sendmail"}, _email),
    "webhook": ({"url", "headers", "format"}, _webhook),
    "pagerduty": ({"routing_key", "url"}, _pagerduty),
    "command": ({"command"}, _command),
}


def _ping(raw: Mapping[str, Any], where: str) -> Ping:
    read = _Private(raw, where, "notify.ping", {"url", "start", "fail"})
    return Ping(read.url("url"), read.flag("start", False), read.flag("fail", True))


def _bad(where: str, reason: str, next_step: str) -> ConfigError:
    return ConfigError("read", f"configuration {where}", reason, next_step)
