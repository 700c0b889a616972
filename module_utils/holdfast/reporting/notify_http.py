# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that end: whatever the other side does, all attempts are over within a limit of the real clock.

The time-outs of sockets count from byte to byte, and there is none for names that do not resolve. So each attempt runs
in a thread of its own, is waited for as long as it may take, and is cut off then.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Optional
from urllib.error import URLError

from .. import __version__
from .notify_channels import SecretUrl

#: Seconds before the second attempt; each pause is twice the one before it, up to the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 8.0
#: Source: RFC 9110: these two of the 4xx say that the same request may pass later.
_LATER = {408, 429}


@dataclass(frozen=True)
class Request:
    """One request. What of it could be a secret is in no text about it."""

    url: SecretUrl
    method: str = "GET"
    body: Optional[bytes] = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Sent:
    """How it ended. :param reason: why it failed, in words of ours: an answer could repeat a secret."""

    ok: bool
    reason: str
    attempts: int


@dataclass(frozen=True)
class _Answer:
    ok: bool
    reason: str = ""
    again: bool = False
    wait: float = 0.0


def pauses(attempts: int) -> list[float]:
    """Seconds between the attempts."""
    return [min(_FIRST_PAUSE * 2**number, _LONGEST_PAUSE) for number in range(attempts - 1)]


def limit(timeout: float, attempts: int) -> float:
    """Seconds within which :func:`send` returns."""
    return timeout * attempts + sum(pauses(attempts))


def send(request: Request, timeout: float, attempts: int) -> Sent:
    """Send it, again if that may help. It returns within :func:`limit` seconds.

    Redirects are not followed: the message and its headers are meant for the address that was given.

    :param timeout: seconds for one attempt, all of it: name, connection, TLS, request and answer.
    """
    until = time.monotonic() + limit(timeout, attempts)
    answer = _Answer(False)
    for number, pause in enumerate([*pauses(attempts), 0.0], 1):
        answer = _Attempt(request, timeout).within(max(0.0, min(timeout, until - time.monotonic())))
        wait = max(pause, answer.wait)
        if answer.ok or not answer.again or number == attempts:
            break
        if time.monotonic() + wait >= until:
            return Sent(False, f"{answer.reason}, and asks to be left alone for {wait:.0f} s", number)
        time.sleep(wait)
    return Sent(answer.ok, answer.reason, number)


class _Attempt:
    """One attempt, which can be cut off."""

    def __init__(self, request: Request, timeout: float) -> None:
        self._request = request
        self._timeout = timeout
        self._connection: Optional[http.client.HTTPConnection] = None
        self._answer: Optional[_Answer] = None

    def within(self, seconds: float) -> _Answer:
        """Its answer, or that there was none."""
        thread = threading.Thread(target=self._ask, daemon=True)
        thread.start()
        thread.join(seconds)
        answer = self._answer
        if answer is None:
            self._hang_up()
            return _Answer(False, f"it did not answer within {self._timeout:g} s", again=True)
        return answer

    def _ask(self) -> None:
        try:
            self._answer = self._exchange()
        except Exception as error:
            self._answer = _explain(error, self._timeout)

    def _exchange(self) -> _Answer:
        url, authorization = self._request.url.for_request()
        headers = {"User-Agent": f"holdfast/{__version__}", **authorization, **self._request.headers}
        asked = urllib.request.Request(url, self._request.body, headers, method=self._request.method)
        opener = urllib.request.OpenerDirector()
        # Nothing but these: no files, no redirects.
        for handler in (urllib.request.ProxyHandler(), _Plain(self._remember), _Secure(self._remember)):
            opener.add_handler(handler)
        # The status is the answer; a body could go on for ever.
        with opener.open(asked, timeout=self._timeout) as response:
            return _judge(response.status, response.headers.get("Retry-After"))

    def _remember(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def _hang_up(self) -> None:
        """Wake the thread up that waits for the other side."""
        waiting = self._connection.sock if self._connection else None
        if waiting is not None:
            with contextlib.suppress(OSError):
                waiting.shutdown(socket.SHUT_RDWR)


def _kept(make: Callable[..., http.client.HTTPConnection], remember: Callable[[Any], None]) -> Any:
    """Makes connections that can be hung up from outside."""

    def connect(host: str, **how: Any) -> http.client.HTTPConnection:
        connection = make(host, **how)
        remember(connection)
        return connection

    return connect


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, remember: Callable[[Any], None]) -> None:
        super().__init__()
        self._connect = _kept(http.client.HTTPConnection, remember)

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connect, req)


class _Secure(urllib.request.HTTPSHandler):
    def __init__(self, remember: Callable[[Any], None]) -> None:
        super().__init__()
        trusting = functools.partial(http.client.HTTPSConnection, context=ssl.create_default_context())
        self._connect = _kept(trusting, remember)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connect, req)


def _judge(status: int, retry_after: Optional[str]) -> _Answer:
    if 200 <= status < 300:
        return _Answer(True)
    try:
        phrase = f" ({HTTPStatus(status).phrase})"
    except ValueError:
        phrase = ""
    wait = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0.0
    if 300 <= status < 400:
        return _Answer(False, f"it answered {status}{phrase}: give the address that it redirects to")
    return _Answer(False, f"it answered {status}{phrase}", again=status in _LATER or status >= 500, wait=wait)


def _explain(error: BaseException, timeout: float) -> _Answer:
    """Why there is no answer, without the words of the error: they can hold the address."""
    if isinstance(error, URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    if isinstance(error, ssl.SSLCertVerificationError):
        return _Answer(False, f"its certificate is not trusted ({error.verify_message})")
    # Not TimeoutError: before Python 3.10 that is another class.
    if isinstance(error, socket.timeout):
        return _Answer(False, f"it did not answer within {timeout:g} s", again=True)
    if isinstance(error, socket.gaierror):
        return _Answer(False, "its name cannot be resolved", again=True)
    if isinstance(error, http.client.RemoteDisconnected):
        return _Answer(False, "it closed the connection without an answer", again=True)
    if isinstance(error, http.client.HTTPException):
        return _Answer(False, "what it answered is not HTTP", again=True)
    if isinstance(error, ssl.SSLError):
        return _Answer(False, "no encrypted connection can be made", again=True)
    if isinstance(error, OSError) and error.errno:
        return _Answer(False, f"it cannot be reached ({os.strerror(error.errno)})", again=True)
    return _Answer(False, f"it cannot be asked ({type(error).__name__})", again=isinstance(error, OSError))
