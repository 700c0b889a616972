# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever the other side does, telling it ends in time, raises nothing, and shows no secret."""

from __future__ import annotations

import email
import email.policy
import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.config_notify import NotifyOptions
from holdfast.reporting import notify_program
from holdfast.reporting.notify import deliver, ping
from holdfast.reporting.notify_event import Event, Outcome
from holdfast.reporting.notify_http import limit
from holdfast.system import System
from tests.support.clusters import Cluster
from tests.support.processes import mentioning, until
from tests.support.receiver import Receiver, receiving
from tests.support.servers import Server

SECRET = "T0CafeB0BeefXsecret"
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
SYSTEM = System(now=lambda: NOW)
EVENT = Event(
    "shop", "db1", "failure", "backup", "backup FAILED", "pg_dump: error: no room", "Free some space.",
    NOW - timedelta(minutes=89), {"exit_code": 6},
)  # fmt: skip


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def options(*channels: dict[str, Any], **more: Any) -> NotifyOptions:
    return NotifyOptions.from_mapping({"schema": 1, "channels": list(channels), "timeout": 1, **more}, "test")


def webhook(url: str, **more: Any) -> dict[str, Any]:
    return {"kind": "webhook", "url": url, **more}


def told(chosen: NotifyOptions, event: Event = EVENT) -> Outcome:
    """The outcome of the only channel, which has to come within its limit."""
    began = time.monotonic()
    (outcome,) = deliver(chosen, event, SYSTEM)
    assert time.monotonic() - began < limit(chosen.timeout, chosen.attempts) + 0.5
    assert SECRET not in str(outcome.as_dict())
    return outcome


def script(path: Path, text: str) -> str:
    path.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_a_webhook_is_told_in_json(receiver: Receiver) -> None:
    sent = options(webhook(receiver.url(f"200/{SECRET}?a={SECRET}"), headers={"Authorization": f"Bearer {SECRET}"}))
    assert told(sent).ok
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", f"/200/{SECRET}?a={SECRET}")
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert request.headers["Content-Type"] == "application/json"
    assert request.json["subject"] == "[holdfast] shop: backup FAILED since 02:31"
    assert (request.json["kind"], request.json["reason"]) == ("failure", "pg_dump: error: no room")
    assert request.json["details"] == {"exit_code": 6}


def test_what_slack_takes_is_sent_as_such(receiver: Receiver) -> None:
    assert told(options(webhook(receiver.url("200"), format="slack"))).ok
    assert set(receiver.requests[0].json) == {"text"}


def test_the_name_and_password_of_an_address_are_sent_as_a_header(receiver: Receiver) -> None:
    assert told(options(webhook(receiver.url("200").replace("//", f"//ops:{SECRET}%21@")))).ok
    assert receiver.requests[0].headers["Authorization"].startswith("Basic b3BzOl")
    assert receiver.requests[0].headers["Host"] == receiver.address.removeprefix("http://")


@pytest.mark.parametrize("way", ["hang", "dribble", "continues"])
def test_a_server_that_never_answers_is_given_up(receiver: Receiver, way: str) -> None:
    outcome = told(options(webhook(receiver.url(f"{way}/{SECRET}")), attempts=2))
    assert (outcome.ok, outcome.attempts) == (False, 2)
    assert outcome.reason == "it did not answer within 1 s"
    assert len(receiver.requests) == 2


def test_a_body_without_end_is_not_waited_for(receiver: Receiver) -> None:
    outcome = told(options(webhook(receiver.url("body"))))
    assert outcome.ok
    assert outcome.seconds < 1


def test_a_server_that_does_not_speak_tls_is_given_up(receiver: Receiver) -> None:
    assert not told(options(webhook(receiver.url("200").replace("http", "https")), attempts=2)).ok


def test_a_server_that_accepts_and_does_not_speak_tls_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = told(options(webhook(f"https://127.0.0.1:{silent.getsockname()[1]}/{SECRET}"), attempts=2))
    assert outcome.reason == "it did not answer within 1 s"


def test_a_name_that_takes_for_ever_to_resolve_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_named: time.sleep(30))
    outcome = told(options(webhook(f"https://example.org/{SECRET}"), attempts=1))
    assert outcome.reason == "it did not answer within 1 s"


def test_a_server_in_trouble_is_asked_again(receiver: Receiver) -> None:
    outcome = told(options(webhook(receiver.url("twice-500"))))
    assert (outcome.ok, outcome.attempts) == (True, 3)
    assert len({request.json["id"] for request in receiver.requests}) == 1


def test_a_server_that_stays_in_trouble_is_asked_no_more_than_told(receiver: Receiver) -> None:
    outcome = told(options(webhook(receiver.url(f"500/{SECRET}"))))
    assert (outcome.ok, outcome.reason) == (False, "it answered 500 (Internal Server Error)")
    assert len(receiver.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_not_argued_with(receiver: Receiver, status: int) -> None:
    outcome = told(options(webhook(receiver.url(f"{status}/{SECRET}"))))
    assert outcome.reason.startswith(f"it answered {status} (")
    assert len(receiver.requests) == 1


def test_a_server_that_is_busy_is_asked_again_when_it_says(receiver: Receiver) -> None:
    outcome = told(options(webhook(receiver.url("once-429"))))
    assert (outcome.ok, outcome.attempts) == (True, 2)
    assert outcome.seconds >= 2


def test_a_timeout_of_the_server_is_tried_again(receiver: Receiver) -> None:
    assert told(options(webhook(receiver.url("408")), attempts=2)).attempts == 2


def test_a_server_that_wants_to_be_asked_in_an_hour_is_not_waited_for(receiver: Receiver) -> None:
    outcome = told(options(webhook(receiver.url("hours"))))
    assert outcome.reason.endswith("asks to be left alone for 3600 s")
    assert outcome.seconds < 1


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    outcome = told(options(webhook(receiver.url("redirect"))))
    assert outcome.reason == "it answered 302 (Found): give the address that it redirects to"
    assert [request.path for request in receiver.requests] == ["/redirect"]


@pytest.mark.parametrize(
    ("way", "reason"),
    [("close", "it closed the connection without an answer"), ("garbage", "what it answered is not HTTP")],
)
def test_an_answer_that_is_none_is_a_failure(receiver: Receiver, way: str, reason: str) -> None:
    assert told(options(webhook(receiver.url(f"{way}/{SECRET}")), attempts=2)).reason == reason


def test_nobody_listening_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    outcome = told(options(webhook(f"http://127.0.0.1:{port}/{SECRET}"), attempts=2))
    assert outcome.reason == "it cannot be reached (Connection refused)"
    assert outcome.attempts == 2


def test_a_name_that_does_not_exist_is_a_failure() -> None:
    outcome = told(options(webhook(f"http://nowhere.invalid/{SECRET}"), attempts=1, timeout=5))
    assert not outcome.ok
    assert outcome.reason in ("its name cannot be resolved", "it did not answer within 5 s")


def test_a_certificate_has_to_be_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = tmp_path / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "-", "-out", "-", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"],
        check=True, stdout=certificate.open("wb"), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with receiving(certificate) as receiver:
        refused = told(options(webhook(receiver.url(f"200/{SECRET}"))))
        assert refused.reason.startswith("its certificate is not trusted (")
        assert receiver.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert told(options(webhook(receiver.url("200")))).ok


def test_a_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", receiver.address)
    assert told(options(webhook("http://hooks.example.org/200"))).ok
    assert [request.path for request in receiver.requests] == ["http://hooks.example.org/200"]


def test_every_channel_gets_its_turn(receiver: Receiver, tmp_path: Path) -> None:
    chosen = options(
        webhook(receiver.url("hang")), {"kind": "command", "command": ["/nowhere/program"]},
        {"kind": "email", "to": ["root"], "sendmail": "/nowhere/sendmail"}, webhook(receiver.url("200")), attempts=1,
    )  # fmt: skip
    outcomes = deliver(chosen, EVENT, SYSTEM)
    assert [one.ok for one in outcomes] == [False, False, False, True]
    assert "install" in outcomes[2].reason


def test_an_event_that_nobody_thought_of_raises_nothing(receiver: Receiver) -> None:
    odd: dict[Any, Any] = {"a": float("nan"), 1: object(), "\ud800": {"x": b"\xff"}, "loop": []}
    odd["loop"].append(odd["loop"])
    event = Event("shop", "db1", "failure", "backup", "\ud800\0\n", "\r\n" * 9999, "x" * 99999, NOW, odd)
    chosen = options(
        webhook(receiver.url("200")), webhook(receiver.url("200"), format="slack"), {"kind": "pagerduty", "routing_key": "k", "url": receiver.url("202")},
        {"kind": "email", "to": ["root"], "sendmail": "/bin/true"}, {"kind": "command", "command": ["/bin/true"]},
    )  # fmt: skip
    assert [one.reason for one in deliver(chosen, event, SYSTEM)] == [""] * 5
    assert all(request.json for request in receiver.requests)


def test_pagerduty_is_told_when_it_begins_and_when_it_is_over(receiver: Receiver) -> None:
    chosen = options({"kind": "pagerduty", "routing_key": SECRET, "url": receiver.url("202")})
    recovery = Event("shop", "db1", "recovery", "backup", "backup works again", "", "", NOW)
    assert told(chosen).ok
    assert told(chosen, recovery).ok
    begun, over = (request.json for request in receiver.requests)
    assert (begun["event_action"], over["event_action"]) == ("trigger", "resolve")
    assert begun["dedup_key"] == over["dedup_key"]
    assert begun["routing_key"] == SECRET
    assert begun["payload"]["severity"] == "critical"


def test_a_test_leaves_no_alert_open(receiver: Receiver) -> None:
    chosen = options({"kind": "pagerduty", "routing_key": SECRET, "url": receiver.url("202")})
    assert told(chosen, Event("shop", "db1", "test", "test", "test", "", "", NOW)).ok
    assert [request.json["event_action"] for request in receiver.requests] == ["trigger", "resolve"]


def test_a_test_of_a_pagerduty_that_hangs_ends_in_time(receiver: Receiver) -> None:
    chosen = options({"kind": "pagerduty", "routing_key": SECRET, "url": receiver.url("hang")}, attempts=2)
    assert not told(chosen, Event("shop", "db1", "test", "test", "test", "", "", NOW)).ok


def test_the_dead_mans_switch_is_pinged(receiver: Receiver) -> None:
    chosen = options(ping={"url": receiver.url(f"200/{SECRET}?rid=1"), "start": True})
    for what, reason in (("start", ""), ("success", ""), ("fail", "no room\nat all")):
        outcome = ping(chosen, what, SYSTEM, reason)
        assert outcome is not None
        assert (outcome.ok, SECRET in str(outcome)) == (True, False)
    assert [(one.method, one.path, one.body) for one in receiver.requests] == [
        ("POST", f"/200/{SECRET}/start?rid=1", b""),
        ("GET", f"/200/{SECRET}?rid=1", b""),
        ("POST", f"/200/{SECRET}/fail?rid=1", b"no room\nat all"),
    ]


def test_only_what_was_asked_for_is_pinged(receiver: Receiver) -> None:
    chosen = options(ping={"url": receiver.url("200"), "fail": False})
    assert ping(options(), "success", SYSTEM) is None
    assert (ping(chosen, "start", SYSTEM), ping(chosen, "fail", SYSTEM)) == (None, None)
    assert receiver.requests == []


def test_a_backup_does_not_wait_long_for_a_switch_that_hangs(receiver: Receiver) -> None:
    began = time.monotonic()
    outcome = ping(options(ping={"url": receiver.url("hang"), "start": True}), "start", SYSTEM)
    assert outcome is not None
    assert (outcome.ok, outcome.attempts) == (False, 1)
    assert time.monotonic() - began < 1.5


def recorded(folder: Path) -> str:
    """A sendmail that keeps what it is given, as one does that queues."""
    return script(
        folder / "sendmail",
        f"import json, sys\njson.dump([sys.argv[1:], sys.stdin.buffer.read().decode('ascii')], open({str(folder / 'mail')!r}, 'w'))\n",
    )


def test_a_mail_is_handed_to_sendmail(tmp_path: Path) -> None:
    sendmail = recorded(tmp_path)
    chosen = options(
        {"kind": "email", "to": ["ops@example.org", "root"], "from": "pg@example.org", "sendmail": sendmail}
    )
    assert told(chosen).ok
    argv, raw = json.loads((tmp_path / "mail").read_text())
    message = email.message_from_string(raw, policy=email.policy.default)
    assert argv == ["-t", "-i"]
    assert (message["To"], message["From"]) == ("ops@example.org, root", "pg@example.org")
    assert message["Subject"] == "[holdfast] shop: backup FAILED since 02:31"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "What to do: Free some space." in message.get_content()
    assert "1h 29m ago" in message.get_content()


def test_no_line_of_an_event_becomes_a_header(tmp_path: Path) -> None:
    sendmail = recorded(tmp_path)
    evil = "FAILED\r\nBcc: evil@example.org\n\n.\nTo: evil@example.org ü"
    event = Event("shop", "db1", "failure", "backup", evil, evil, evil, NOW, {evil: evil})
    assert told(options({"kind": "email", "to": ["root"], "sendmail": sendmail}), event).ok
    raw = json.loads((tmp_path / "mail").read_text())[1]
    message = email.message_from_string(raw, policy=email.policy.default)
    assert (message["Bcc"], message.get_all("To")) == (None, ["root"])
    assert "\n" not in message["Subject"]
    assert max(map(len, raw.splitlines())) < 998


def test_a_sendmail_that_fails_says_why(tmp_path: Path) -> None:
    sendmail = script(tmp_path / "sendmail", "import sys; print('queue is full', file=sys.stderr); sys.exit(75)")
    outcome = told(options({"kind": "email", "to": ["root"], "sendmail": sendmail}))
    assert outcome.reason == "it ended with exit code 75: queue is full"


def test_a_command_gets_the_event_twice(tmp_path: Path) -> None:
    text = f"import json, os, sys\njson.dump([sys.argv[1:], dict(os.environ), json.load(sys.stdin)], open({str(tmp_path / 'out')!r}, 'w'))\n"
    assert told(options({"kind": "command", "command": [script(tmp_path / "tell", text), SECRET]})).ok
    argv, environment, document = json.loads((tmp_path / "out").read_text())
    assert argv == [SECRET]
    assert environment["HOLDFAST_KIND"] == document["kind"] == "failure"
    assert environment["HOLDFAST_SUBJECT"] == document["subject"]
    assert environment["HOLDFAST_REASON"] == "pg_dump: error: no room"


def test_a_command_that_fails_tells_no_secret(tmp_path: Path) -> None:
    said = f"import sys; print('curl: https://u:{SECRET}@hooks.example.org/{SECRET}: error', sys.argv[1][-19:], file=sys.stderr); sys.exit(22)"
    command = [script(tmp_path / "tell", said), f"https://hooks.example.org/services/{SECRET}"]
    outcome = told(options({"kind": "command", "command": command}))
    assert outcome.reason == "it ended with exit code 22: curl: https://hooks.example.org/… error ***"


@pytest.mark.parametrize("deaf", [False, True])
def test_a_command_that_hangs_is_ended_with_all_it_started(tmp_path: Path, deaf: bool) -> None:
    asleep = f"{60 + os.getpid() / 1e7:.7f}"
    text = "import signal, subprocess, sys\n"
    if deaf:
        text += "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    text += f"subprocess.Popen(['/bin/sleep', {asleep!r}]).wait()\n"
    began = time.monotonic()
    (outcome,) = deliver(options({"kind": "command", "command": [script(tmp_path / "tell", text)]}), EVENT, SYSTEM)
    assert time.monotonic() - began < 1 + notify_program.GRACE + 1.5
    assert outcome.reason == "it did not end within 1 s, and was ended"
    until(lambda: not mentioning(asleep), "what it started is ended")


def test_a_command_that_leaves_something_running_is_not_waited_for(tmp_path: Path) -> None:
    text = "import subprocess\nprint(subprocess.Popen(['/bin/sleep', '5']).pid)\n"
    outcome = told(options({"kind": "command", "command": [script(tmp_path / "tell", text)]}, timeout=3))
    assert outcome.ok
    assert outcome.seconds < 3


def test_a_command_that_reads_nothing_is_not_wrong() -> None:
    event = Event("shop", "db1", "failure", "backup", "t", "", "", NOW, {"much": ["x" * 3000] * 15})
    assert told(options({"kind": "command", "command": ["/bin/true"]}), event).ok


def test_a_file_that_cannot_be_run_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "tell"
    path.write_text("")
    path.chmod(stat.S_IRUSR)
    outcome = told(options({"kind": "command", "command": [str(path)]}))
    assert outcome.reason == f"{path} may not be run by this account"


def test_the_program_tests_the_channels_and_prints_no_secret(receiver: Receiver, tmp_path: Path) -> None:
    nowhere = Server(tmp_path, tmp_path, tmp_path, 1, "18.0")  # nobody asks the server
    cluster = Cluster("shop", nowhere, tmp_path, tmp_path / "repository", tmp_path)
    cluster.configure(schema=1, cluster="shop", repository="/r", access={"kind": "host", "host": "/s", "user": "u"})
    path = tmp_path / "shop.notify"
    for word, code in (("200", 0), ("404", 1)):
        channels = [webhook(receiver.url(f"{word}/{SECRET}"), headers={"X-Key": SECRET})]
        path.write_text(json.dumps({"schema": 1, "channels": channels, "ping": {"url": receiver.url(SECRET)}}))
        path.chmod(0o600)
        for form in ([], ["--json"]):
            done = cluster.holdfast("notify", "--test", *form)
            assert (done.returncode, SECRET in done.stdout + done.stderr) == (code, False)
            assert receiver.address in done.stdout
    path.chmod(0o644)
    done = cluster.holdfast("notify", "--json")
    assert (done.returncode, done.json["error"]) == (2, "ConfigError")
    assert [request.json["kind"] for request in receiver.requests] == ["test"] * 4
