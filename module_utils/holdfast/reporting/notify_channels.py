# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways to tell somebody. What is secret of them (addresses, headers, keys, arguments) is in no text about them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional, Union
from urllib.parse import unquote, urlsplit, urlunsplit

#: Source: PagerDuty, "Events API v2: Send an alert event".
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
SENDMAIL = "/usr/sbin/sendmail"
FORMATS = ("json", "slack")


@dataclass(frozen=True, repr=False)
class SecretUrl:
    """An address whose path, query and userinfo are secrets. As text it is ``https://host/…``.

    :param value: the address itself.
    """

    value: str

    @property
    def shown(self) -> str:
        """What may be shown of it."""
        parts = urlsplit(self.value)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}/…"

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return self.shown

    def below(self, word: str) -> SecretUrl:
        """The address with one more word at the end of its path."""
        parts = urlsplit(self.value)
        return SecretUrl(urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{word}")))

    def for_request(self) -> tuple[str, dict[str, str]]:
        """The address without its userinfo, and the header that says it instead. Source: RFC 7617."""
        parts = urlsplit(self.value)
        userinfo, at, host = parts.netloc.rpartition("@")
        user, _colon, password = userinfo.partition(":")
        token = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode("ascii")
        plain = urlunsplit(parts._replace(netloc=host, fragment=""))
        return plain, {"Authorization": f"Basic {token}"} if at else {}


@dataclass(frozen=True)
class EmailChannel:
    """Mail by the local sendmail program.

    :param to: addresses, or local accounts. :param sender: None leaves it to the mail system.
    """

    to: tuple[str, ...]
    sender: Optional[str] = None
    sendmail: str = SENDMAIL

    kind = "email"

    @property
    def name(self) -> str:
        """What may be shown of it."""
        return f"email to {', '.join(self.to)}"


@dataclass(frozen=True)
class WebhookChannel:
    """A POST of JSON to an address."""

    url: SecretUrl
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    format: str = "json"

    kind = "webhook"

    @property
    def name(self) -> str:
        """What may be shown of it."""
        return f"webhook {self.url}"


@dataclass(frozen=True)
class PagerDutyChannel:
    """PagerDuty's Events API v2, or what speaks it."""

    routing_key: str = field(repr=False)
    url: SecretUrl = field(default_factory=lambda: SecretUrl(PAGERDUTY))

    kind = "pagerduty"

    @property
    def name(self) -> str:
        """What may be shown of it."""
        return f"pagerduty {self.url}"


@dataclass(frozen=True)
class CommandChannel:
    """A program of the operator's; its arguments may hold secrets."""

    command: tuple[str, ...] = field(repr=False)

    kind = "command"

    @property
    def name(self) -> str:
        """What may be shown of it."""
        return f"command {self.command[0]}"


Channel = Union[EmailChannel, WebhookChannel, PagerDutyChannel, CommandChannel]


@dataclass(frozen=True)
class Ping:
    """A dead man's switch: somebody else's server that raises the alarm when nothing is heard.

    :param start: say also that a backup begins. :param fail: say also that one failed.
    """

    url: SecretUrl
    start: bool = False
    fail: bool = True
