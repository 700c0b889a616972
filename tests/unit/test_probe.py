# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking an application whether it is well: real answers of a real server on this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from holdfast.services import probe


class Application(ThreadingHTTPServer):
    """Answers with the status that the path names, or with its own while it is told to."""

    status: int | None = None
    daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Application)
        status = self.server.status or int(self.path.strip("/").partition("?")[0])
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the tests look at the answers."""


@pytest.fixture
def application() -> Iterator[Application]:
    with Application(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_status_that_is_expected_is_good(application: Application) -> None:
    assert probe.ask(f"{application.url}/200", (200,)) is None
    assert probe.ask(f"{application.url}/204", (200, 204)) is None


def test_another_status_is_not(application: Application) -> None:
    assert probe.ask(f"{application.url}/500", (200, 204)) == "it answered 500, not 200 or 204"


def test_a_redirect_is_an_answer_and_not_followed(application: Application) -> None:
    assert probe.ask(f"{application.url}/302", (302,)) is None
    assert probe.ask(f"{application.url}/302", (200,)) == "it answered 302, not 200"


def test_nobody_who_answers_is_said() -> None:
    assert "refused" in (probe.ask("http://127.0.0.1:9/", (200,)) or "")


def test_a_password_in_an_address_is_not_shown() -> None:
    assert probe.shown("https://user:hunter2@shop.example/health?token=x") == "https://shop.example/health"


def test_it_is_asked_until_it_is_well(application: Application) -> None:
    application.status = 503
    threading.Timer(0.8, lambda: setattr(application, "status", 200)).start()
    assert probe.wait_until_good(lambda: probe.ask(application.url, (200,)), 10) is None


def test_what_stays_unwell_is_told(application: Application) -> None:
    told = probe.wait_until_good(lambda: probe.ask(f"{application.url}/503", (200,)), 0.6)
    assert told == "it answered 503, not 200"


def test_the_longest_gap_is_measured(application: Application) -> None:
    application.status = 200
    with probe.Watch(application.url, (200,)) as watch:
        for seconds in (0.5, 1.2, 0.4):
            time.sleep(0.5)
            application.status = 503
            time.sleep(seconds)
            application.status = 200
        time.sleep(0.5)
    told = watch.as_dict()
    assert told is not None
    assert told["failed"] > 0
    # It is asked five times a second, so a gap begins and ends up to so much off.
    assert 0.9 < told["gap"] < 1.9


def test_what_did_not_answer_before_has_no_gap(application: Application) -> None:
    application.status = 503
    with probe.Watch(application.url, (200,)) as watch:
        time.sleep(0.3)
    assert watch.as_dict() is None


def test_nothing_to_ask_is_no_measurement() -> None:
    with probe.Watch(None, (200,)) as watch:
        pass
    assert watch.as_dict() is None
