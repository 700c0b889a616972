# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shop: it takes orders, keeps them in PostgreSQL, and leaves without dropping one.

    GET  /health        200: send me requests; 503: do not, I am leaving or have no database
    GET  /version       {"version": "1"}
    GET  /orders        {"count": 7}
    GET  /orders/KEY    200 or 404
    POST /orders        {"key": "KEY"}: 201 as soon as the order is committed, 409 where there is one already

On SIGTERM it says at /health that it is leaving, and serves on for SHOP_DRAIN_SECONDS, so that the proxy
can notice. Then it stops listening, finishes what it has begun, and exits.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

PORT = 8000
RELEASE: dict[str, Any] = tomllib.loads((Path(__file__).parent / "release.toml").read_text())
LEAVE = {signal.SIGTERM, signal.SIGINT}
FINISH_SECONDS = 10
DATABASE_SECONDS = 3


class Shop(ThreadingHTTPServer):
    """The server, which knows what is still to be answered."""

    request_queue_size = 128
    # Not the threads are waited for but the answers: a thread may belong to a client that asks nothing more.
    daemon_threads = True

    def __init__(self, pool: ConnectionPool) -> None:
        super().__init__(("", PORT), Handler)
        self.pool = pool
        self.draining = False
        self._unanswered = 0
        self._answered = threading.Condition()

    def process_request(self, request: Any, client_address: Any) -> None:
        # A connection is accepted for the sake of a request, which its thread may not have read yet.
        self.begin()
        super().process_request(request, client_address)

    def begin(self) -> None:
        with self._answered:
            self._unanswered += 1

    def end(self) -> None:
        with self._answered:
            self._unanswered -= 1
            self._answered.notify_all()

    def finish(self) -> bool:
        """Wait until all that was asked is answered, and return whether it is."""
        with self._answered:
            return self._answered.wait_for(lambda: self._unanswered == 0, FINISH_SECONDS)


class Handler(BaseHTTPRequestHandler):
    server: Shop
    protocol_version = "HTTP/1.1"
    server_version = f"shop/{RELEASE['version']}"
    sys_version = ""
    timeout = FINISH_SECONDS
    # Headers and body leave in two writes, and nothing is to be gained by letting the second wait.
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.busy = True

    def parse_request(self) -> bool:
        if not self.busy:  # a further request of the same connection
            self.busy = True
            self.server.begin()
        return super().parse_request()

    def handle_one_request(self) -> None:
        super().handle_one_request()
        self.rest()

    def finish(self) -> None:
        super().finish()
        self.rest()

    def rest(self) -> None:
        if self.busy:
            self.busy = False
            self.server.end()

    def do_GET(self) -> None:
        if self.path == "/version":
            self.answer(200, {"version": RELEASE["version"]})
        elif self.path == "/health" and self.server.draining:
            self.answer(503, {"error": "leaving"})
        elif self.path == "/health":
            self.query("SELECT 1")
        elif self.path == "/orders":
            self.query("SELECT count(*) AS count FROM orders")
        elif self.path.startswith("/orders/"):
            self.query("SELECT key FROM orders WHERE key = %s", self.path.removeprefix("/orders/"))
        else:
            self.answer(404, {"error": "no such page"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            key = json.loads(body)["key"]
        except (KeyError, TypeError, ValueError):
            self.answer(400, {"error": 'not of the form {"key": "KEY"}'})
            return
        if self.path != "/orders":
            self.answer(404, {"error": "no such page"})
        elif "channel" in RELEASE:
            self.query("INSERT INTO orders (key, channel) VALUES (%s, %s) RETURNING key", key, RELEASE["channel"])
        else:
            self.query("INSERT INTO orders (key) VALUES (%s) RETURNING key", key)

    def query(self, statement: str, *values: str) -> None:
        """Answer with the first row of a statement, once it is committed."""
        try:
            with self.server.pool.connection() as connection:
                cursor = connection.execute(statement, values)
                names = [column.name for column in cursor.description]
                row = cursor.fetchone()
        except psycopg.errors.UniqueViolation:
            self.answer(409, {"error": "there is such an order"})
        except psycopg.Error as error:
            self.log_error("%s", error)
            self.answer(503, {"error": str(error)})
        else:
            if row is None:
                self.answer(404, {"error": "no such order"})
            else:
                self.answer(201 if self.command == "POST" else 200, dict(zip(names, row, strict=True)))

    def answer(self, status: int, content: dict[str, Any]) -> None:
        if RELEASE.get("fault") == "answers 500":
            status, content = 500, {"error": "this release is broken"}
        body = json.dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.server.draining:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing of what went well."""


def main() -> int:
    # First of all, and for all threads: the signal waits until it is asked for below. A handler runs in the main
    # thread alone, and with one, a stop in eight went unnoticed while other threads served requests.
    signal.pthread_sigmask(signal.SIG_BLOCK, LEAVE)
    if RELEASE.get("fault") == "exits":
        print("shop: Cannot start: SHOP_MAIL_SERVER is not set.", file=sys.stderr)
        return 1
    pool = ConnectionPool(
        os.environ["DATABASE_URL"],
        min_size=2,
        max_size=20,
        timeout=DATABASE_SECONDS,
        # A database that was restarted leaves dead connections behind: none is handed out unasked, and new
        # ones are tried again and again without a growing pause.
        check=ConnectionPool.check_connection,
        reconnect_timeout=1,
        kwargs={"connect_timeout": DATABASE_SECONDS},
        open=True,
    )
    shop = Shop(pool)
    threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    print(f"shop: release {RELEASE['version']} listens on port {PORT}")

    signal.sigwait(LEAVE)
    print("shop: leaving")
    shop.draining = True
    time.sleep(float(os.environ.get("SHOP_DRAIN_SECONDS", "4")))
    shop.shutdown()
    shop.server_close()
    finished = shop.finish()
    pool.close()
    print("shop: left" if finished else "shop: left, and some requests without an answer")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
