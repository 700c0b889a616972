#!/usr/bin/env python3
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Customers of the shop on this very machine: some orders, some questions, at a constant rate.

    load.py --seconds 60 --report load.json [--rate 60] [--threads 8] [--stop-file stop]

Every second request places an order under a key of its own, and every other asks for one that was confirmed
before. Nothing is tried twice: what got no answer, or another one than it should, has failed. One half of the
threads makes a connection for each request, the other keeps its own. It ends by itself, on SIGTERM, and when
the stop file appears; then it writes what it saw.
"""

from __future__ import annotations

import argparse
import collections
import datetime
import http.client
import json
import os
import random
import secrets
import signal
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

MAX_SECONDS = 900
MAX_RATE = 200
MAX_REQUESTS = 100_000
MAX_THREADS = 32
TIMEOUT_SECONDS = 10
SHOWN_FAILURES = 20


class Load:
    """What is asked, and what came of it."""

    def __init__(self, address: str, options: argparse.Namespace) -> None:
        self.address = address
        self.stop_file: Path | None = options.stop_file
        self.interval = options.threads / options.rate
        self.limit = min(MAX_REQUESTS, int(options.seconds * options.rate))
        self.began = time.monotonic()
        self.ends = self.began + options.seconds
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.requests = 0
        self.failed = 0
        self.failures: list[dict[str, str]] = []
        self.acknowledged: list[str] = []
        self.versions: collections.Counter[str] = collections.Counter()
        self.slowest = 0.0

    def customer(self, number: int, threads: int) -> None:
        """Ask again and again until it is time to stop."""
        keeps_connection = number % 2 == 1
        run = f"{secrets.token_hex(6)}-{number}"
        connection = None
        due = self.began + self.interval * number / threads
        while not self.stop.wait(max(0.0, due - time.monotonic())):
            with self.lock:
                turn = self.requests
                if turn >= self.limit or time.monotonic() >= self.ends:
                    break
                self.requests += 1
                known = random.choice(self.acknowledged) if self.acknowledged else None
            if connection is None or not keeps_connection:
                connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_SECONDS)
            if turn % 2 == 0:
                self.order(connection, f"{run}-{turn}")
            else:
                self.ask(connection, "GET", f"/orders/{known}" if known else "/orders", 200)
            if not keeps_connection:
                connection.close()
            # Whoever had to wait does not make up for it: the load must not grow where the shop is slow.
            due = max(due + self.interval, time.monotonic())
        if connection is not None:
            connection.close()

    def order(self, connection: http.client.HTTPConnection, key: str) -> None:
        if self.ask(connection, "POST", "/orders", 201, json.dumps({"key": key})):
            with self.lock:
                self.acknowledged.append(key)

    def ask(
        self, connection: http.client.HTTPConnection, method: str, path: str, expected: int, body: str | None = None
    ) -> bool:
        """Ask once, note what came of it, and return whether that was what it should be."""
        began = time.monotonic()
        headers = {"Content-Type": "application/json"} if body else {}
        version = ""
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            version = answer.headers.get("Server", "")
            reason = "" if answer.status == expected else f"{answer.status} {content[:200].decode(errors='replace')}"
        except (OSError, http.client.HTTPException) as error:
            connection.close()  # the next request makes a new one
            reason = f"{type(error).__name__}: {error}"
        with self.lock:
            self.slowest = max(self.slowest, time.monotonic() - began)
            if version:
                self.versions[version] += 1
            if reason:
                self.failed += 1
                if len(self.failures) < SHOWN_FAILURES:
                    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
                    self.failures.append({"time": now, "request": f"{method} {path}", "reason": reason.strip()})
        return not reason

    def run(self, threads: int) -> None:
        customers = [threading.Thread(target=self.customer, args=(number, threads)) for number in range(threads)]
        for customer in customers:
            customer.start()
        while any(customer.is_alive() for customer in customers):
            if self.stop_file is not None and self.stop_file.exists():
                self.stop.set()
            time.sleep(0.1)

    def report(self) -> dict[str, object]:
        return {
            "requests": self.requests,
            "failed": self.failed,
            "failures": self.failures,
            "acknowledged": self.acknowledged,
            "seconds": round(time.monotonic() - self.began, 1),
            "slowest_ms": round(self.slowest * 1000),
            "versions": dict(self.versions),
        }


def bounded(kind: type[int] | type[float], highest: int) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value <= highest:
            raise argparse.ArgumentTypeError(f"not between 0 and {highest}: {text}")
        return value

    return number


def local(text: str) -> str:
    """HOST:PORT of a URL on this machine; nobody else is to be put under load."""
    url = urllib.parse.urlsplit(text)
    if url.scheme != "http" or url.hostname != "127.0.0.1":
        raise argparse.ArgumentTypeError(f"not http://127.0.0.1: {text}")
    return url.netloc


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=bounded(float, MAX_SECONDS), required=True)
    parser.add_argument("--rate", type=bounded(float, MAX_RATE), default=60, help="requests a second (%(default)s)")
    parser.add_argument("--threads", type=bounded(int, MAX_THREADS), default=8, help="customers (%(default)s)")
    parser.add_argument("--report", type=Path, required=True, help="where to write what came of it, as JSON")
    parser.add_argument("--stop-file", type=Path, help="end early when this file appears")
    parser.add_argument("--url", type=local, default="http://127.0.0.1:8080", help="%(default)s")
    options = parser.parse_args()

    load = Load(options.url, options)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: load.stop.set())
    load.run(options.threads)
    unfinished = options.report.with_name(f"{options.report.name}.unfinished")
    unfinished.write_text(json.dumps(load.report(), indent=1) + "\n")
    os.replace(unfinished, options.report)
    print(f"{load.requests} requests, {load.failed} failed")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
