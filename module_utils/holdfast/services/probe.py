# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask an application over HTTP: whether it is well, and for how long it was not while it was updated."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Optional
from urllib.parse import urlsplit, urlunsplit

_TIMEOUT = 5.0
_INTERVAL = 0.2
_POLL = 0.5


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer: it may be the very one that is expected."""

    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


#: Straight to the address: a proxy that this host has for the internet does not know the application.
_OPENER = urllib.request.build_opener(_NoRedirect(), urllib.request.ProxyHandler({}))


def shown(url: str) -> str:
    """An address without the password, and without the query, which may hold one."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def ask(url: str, status: tuple[int, ...], timeout: float = _TIMEOUT) -> Optional[str]:
    """Ask once.

    :returns: why the answer is not good; None if it is.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "holdfast", "Connection": "close"})
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            got = answer.status
            answer.read(65536)
    except urllib.error.HTTPError as error:
        got = error.code
        error.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return f"no answer ({reason})"
    return None if got in status else f"it answered {got}, not {' or '.join(map(str, status))}"


def wait_until_good(question: Callable[[], Optional[str]], seconds: float) -> Optional[str]:
    """Ask until the answer is good.

    :returns: why the last answer was not good, if none was in that time.
    """
    until = time.monotonic() + seconds
    while True:
        problem = question()
        if problem is None or time.monotonic() >= until:
            return problem
        time.sleep(_POLL)


@dataclass
class Watch:
    """Asks an address all the time while the block runs, one request after the other.

    :ivar asked: number of requests. :ivar failed: how many of them got no good answer.
    :ivar gap: the longest time in seconds from a first bad answer to the next good one.
    """

    url: Optional[str]
    status: tuple[int, ...]
    asked: int = 0
    failed: int = 0
    gap: float = 0.0
    _since: Optional[float] = None
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: Optional[threading.Thread] = None

    def __enter__(self) -> Watch:
        # What did not answer before has no gap to be measured.
        if self.url is not None and ask(self.url, self.status) is None:
            self._thread = threading.Thread(target=self._run, args=[self.url], daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._note_good(time.monotonic())

    def as_dict(self) -> Optional[dict[str, Any]]:
        """As JSON; None if nothing was measured."""
        if self._thread is None:
            return None
        return {"url": shown(str(self.url)), "requests": self.asked, "failed": self.failed, "gap": round(self.gap, 3)}

    def _run(self, url: str) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            problem = ask(url, self.status)
            self.asked += 1
            if problem is None:
                self._note_good(time.monotonic())
            else:
                self.failed += 1
                self._since = began if self._since is None else self._since
            self._ended.wait(_INTERVAL)

    def _note_good(self, now: float) -> None:
        if self._since is not None:
            self.gap, self._since = max(self.gap, now - self._since), None
