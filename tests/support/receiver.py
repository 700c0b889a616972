# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A web server that records what it is told, and answers as badly as servers can. The path of a request says how."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """What was received, and where to send it."""

    address: str
    requests: list[Received] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        """An address whose path decides on the answer, see :class:`_Handler`."""
        return f"{self.address}/{path}"


class _Server(ThreadingHTTPServer):
    """A server that knows who keeps what it receives."""

    daemon_threads = True
    # What waits for a client that does not read would else hold the end of the test up.
    block_on_close = False
    receiver: Receiver


@contextlib.contextmanager
def receiving(certificate: Path | None = None) -> Iterator[Receiver]:
    """A server on 127.0.0.1, by TLS with the certificate and key of a file."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        receiver = Receiver(f"{scheme}://127.0.0.1:{server.server_port}")
        server.receiver = receiver
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.ended.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers by the first word of the path (by the last, as a proxy): a method of this class, or ``200`` and the like."""

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_GET

    def _answer(self) -> None:
        assert isinstance(self.server, _Server)
        receiver = self.receiver = self.server.receiver
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        receiver.requests.append(Received(self.command, self.path, dict(self.headers.items()), body))
        self.earlier = sum(one.path == self.path for one in receiver.requests) - 1
        word = self.path.split("/")[-1 if "://" in self.path else 1]
        with contextlib.suppress(OSError):
            if word.isdigit():
                self._status(int(word))
            else:
                getattr(self, word.replace("-", "_"))()

    def _status(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def hang(self) -> None:
        """Accept, and say nothing."""
        self.receiver.ended.wait(60)

    def dribble(self) -> None:
        """A header that never ends, byte for byte."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        self._for_ever(b"x")

    def continues(self) -> None:
        """`100 Continue`, again and again, which is no answer."""
        self._for_ever(b"HTTP/1.1 100 Continue\r\n\r\n")

    def body(self) -> None:
        """An answer whose body never ends."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        self._for_ever(b"x")

    def twice_500(self) -> None:
        """500 to the first two, then 200."""
        self._status(500 if self.earlier < 2 else 200)

    def once_429(self) -> None:
        """429 to the first, and when to come again."""
        if self.earlier:
            self._status(200)
        else:
            self._status(429, Retry_After="2")

    def hours(self) -> None:
        """Come again in an hour."""
        self._status(503, Retry_After="3600")

    def redirect(self) -> None:
        """To a place of ours that would record it."""
        self._status(302, Location=self.receiver.url("200/redirected"))

    def close(self) -> None:
        """Not a word."""

    def garbage(self) -> None:
        """Something that is not HTTP."""
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")

    def _for_ever(self, piece: bytes) -> None:
        while not self.receiver.ended.is_set():
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(0.05)

    def log_message(self, *_arguments: Any) -> None:
        """A test's output is its own."""
