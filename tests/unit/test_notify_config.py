# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that says who is told: private, checked as a whole, and never quoted."""

from __future__ import annotations

import json
import os
import string
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from holdfast.config_notify import NotifyOptions, load
from holdfast.errors import ConfigError
from holdfast.reporting.notify_channels import EmailChannel, SecretUrl, WebhookChannel
from holdfast.reporting.notify_program import safe

GOOD: dict[str, Any] = {
    "schema": 1,
    "channels": [
        {"kind": "email", "to": ["ops@example.org", "root"], "from": "pg@example.org"},
        {"kind": "webhook", "url": "https://hooks.example.org:8443/T0/B0?k=v", "headers": {"X-Token": "abc"}, "format": "slack"},
        {"kind": "pagerduty", "routing_key": "R0123456789"},
        {"kind": "command", "command": ["/usr/local/bin/tell", "--loud"]},
    ],
    "ping": {"url": "https://hc.example.org/uuid", "start": True},
    "remind": 1.5,
    "timeout": 5,
    "attempts": 2,
}  # fmt: skip


def one(**channel: Any) -> dict[str, Any]:
    return {"schema": 1, "channels": [channel]}


def written(folder: Path, content: str, mode: int = 0o600) -> Path:
    path = folder / "shop.notify"
    path.write_text(content)
    path.chmod(mode)
    return path


def test_everything_that_is_said_is_read(tmp_path: Path) -> None:
    options = load(written(tmp_path, json.dumps(GOOD)))
    assert [channel.name for channel in options.channels] == [
        "email to ops@example.org, root", "webhook https://hooks.example.org:8443/…",
        "pagerduty https://events.pagerduty.com/…", "command /usr/local/bin/tell",
    ]  # fmt: skip
    assert (options.remind, options.timeout, options.attempts) == (timedelta(minutes=90), 5, 2)
    assert options.ping is not None
    assert (options.ping.start, options.ping.fail) == (True, True)


def test_nothing_said_is_the_usual() -> None:
    options = NotifyOptions.from_mapping(one(kind="email", to=["root"]), "test")
    assert options.channels == (EmailChannel(("root",), None, "/usr/sbin/sendmail"),)
    assert (options.ping, options.remind, options.timeout, options.attempts) == (None, timedelta(days=1), 10, 3)


def test_without_a_file_nobody_is_told(tmp_path: Path) -> None:
    assert load(tmp_path / "shop.notify") == NotifyOptions()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, json.dumps(GOOD), mode)
    with pytest.raises(ConfigError, match="chmod 0600") as refused:
        load(path)
    assert f"its mode is {mode:04o}" in str(refused.value)


def test_a_file_of_another_account_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, json.dumps(GOOD))
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ConfigError, match=r"it belongs to .*Run as"):
        load(path)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "shop.notify", 0o600)
    with pytest.raises(ConfigError, match="it is not a file"):
        load(tmp_path / "shop.notify")
    with pytest.raises(ConfigError, match="it is not a file"):
        load(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "[]", '"x"', " " * (2 << 20), "\ufeff{}"])
def test_what_is_not_json_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(ConfigError, match=r"not valid JSON|not a JSON object|larger than"):
        load(written(tmp_path, content))


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ({}, "notify.schema is missing"),
        ({"schema": 2}, "notify.schema is 2"),
        ({"schema": True}, "notify.schema"),
        ({"schema": 1, "channel": []}, "unknown keys ['channel']"),
        ({"schema": 1, "channels": {}}, "notify.channels"),
        ({"schema": 1, "channels": ["root"]}, "notify.channels[0] is no JSON object"),
        (one(), "notify.channels[0].kind"),
        (one(kind="sms"), "email, webhook, pagerduty, command"),
        (one(kind="email"), "notify.channels[0].to is missing"),
        (one(kind="email", to="root"), "notify.channels[0].to"),
        (one(kind="email", to=["a@b\nBcc: c@d"]), "notify.channels[0].to"),
        (one(kind="email", to=["-oQ/tmp"]), "notify.channels[0].to"),
        (one(kind="email", to=["|/bin/sh"]), "notify.channels[0].to"),
        (one(kind="email", to=["/etc/passwd"]), "notify.channels[0].to"),
        (one(kind="email", to=["a@b, c@d"]), "notify.channels[0].to"),
        (one(kind="email", to=["root"], **{"from": "a b"}), "notify.channels[0].from"),
        (one(kind="email", to=["root"], sendmail="sendmail"), "absolute path"),
        (one(kind="webhook"), "notify.channels[0].url is missing"),
        (one(kind="webhook", url=["https://h/x"]), "notify.channels[0].url"),
        (one(kind="webhook", url="ftp://h/x"), "https://"),
        (one(kind="webhook", url="file:///etc/passwd"), "https://"),
        (one(kind="webhook", url="https:///x"), "https://"),
        (one(kind="webhook", url="https://h:99999/x"), "https://"),
        (one(kind="webhook", url="https://[::1/x"), "https://"),
        (one(kind="webhook", url="https://h/a b"), "https://"),
        (one(kind="webhook", url="https://h\\@evil/x"), "https://"),
        (one(kind="webhook", url="https://h/x\r\nHost: evil"), "https://"),
        (one(kind="webhook", url="https://h/", headers=["X"]), "notify.channels[0].headers"),
        (one(kind="webhook", url="https://h/", headers={"X": "a\r\nY: b"}), "notify.channels[0].headers"),
        (one(kind="webhook", url="https://h/", headers={"X Y": "a"}), "notify.channels[0].headers"),
        (one(kind="webhook", url="https://h/", headers={"Content-Length": "1"}), "Leave content-length out"),
        (one(kind="webhook", url="https://h/", format="xml"), "json, slack"),
        (one(kind="pagerduty"), "notify.channels[0].routing_key is missing"),
        (one(kind="pagerduty", routing_key=7), "notify.channels[0].routing_key"),
        (one(kind="command"), "notify.channels[0].command"),
        (one(kind="command", command="tell"), "notify.channels[0].command"),
        (one(kind="email", to=["root"], url="https://h/"), "unknown keys ['url']"),
        ({"schema": 1, "ping": "https://h/"}, "notify.ping"),
        ({"schema": 1, "ping": {}}, "notify.ping.url is missing"),
        ({"schema": 1, "ping": {"url": "https://h/", "start": 1}}, "notify.ping.start is 1"),
        ({"schema": 1, "remind": -1}, "notify.remind is -1"),
        ({"schema": 1, "remind": float("nan")}, "notify.remind"),
        ({"schema": 1, "timeout": 0}, "notify.timeout is 0"),
        ({"schema": 1, "attempts": 11}, "notify.attempts is 11"),
    ],
)
def test_what_is_wrong_is_named(raw: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        NotifyOptions.from_mapping(raw, "test")
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://user:pw@Host.example/p?q#f", "https://host.example/…"),
        ("http://127.0.0.1:8080/p", "http://127.0.0.1:8080/…"),
        ("https://[2001:db8::1]:1/p", "https://[2001:db8::1]:1/…"),
    ],
)
def test_of_an_address_its_host_is_shown(value: str, shown: str) -> None:
    assert str(SecretUrl(value)) == repr(SecretUrl(value)) == f"{SecretUrl(value)}" == shown


#: Long enough, and of letters that no message of ours has in a row.
SECRETS = st.text(string.digits + "QXZ", min_size=12, max_size=40)
JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just([]), st.just({}))


@given(SECRETS, st.sampled_from(["https", "http"]))
def test_no_secret_is_in_any_text_about_the_options(secret: str, scheme: str) -> None:
    raw = {
        "schema": 1, "ping": {"url": f"{scheme}://{secret}:{secret}@h.example/{secret}"},
        "channels": [
            {"kind": "webhook", "url": f"{scheme}://h.example/{secret}?a={secret}", "headers": {"X-Key": secret}},
            {"kind": "pagerduty", "routing_key": secret}, {"kind": "command", "command": ["tell", secret]},
        ],
    }  # fmt: skip
    options = NotifyOptions.from_mapping(raw, "test")
    texts = [repr(options), str(options), *(channel.name for channel in options.channels), str(options.ping)]
    assert not any(secret in text for text in texts)
    webhook = options.channels[0]
    assert isinstance(webhook, WebhookChannel)
    assert secret in webhook.url.below("fail").value


@given(SECRETS, JUNK, st.data())
def test_no_secret_is_in_an_error_whatever_else_is_wrong(secret: str, junk: Any, data: st.DataObject) -> None:
    """A secret in any place, in any wrapping, beside anything."""
    wrapped = data.draw(st.sampled_from([
        secret, f"https://h.example/{secret}", f" https://h/{secret}", f"ftp://h/{secret}", [secret], {secret: secret},
        {"url": secret}, f"https://{secret}\n@h/", f"https://h:{secret}/",
    ]))  # fmt: skip
    kind = data.draw(st.sampled_from(["email", "webhook", "pagerduty", "command", secret, junk]))
    keys = st.sampled_from(
        ["to", "from", "url", "headers", "format", "routing_key", "command", "sendmail", "kind2", "x"]
    )
    channel = {"kind": kind, data.draw(keys): wrapped, data.draw(keys): junk}
    raw = {"schema": 1, "channels": [channel], data.draw(st.sampled_from(["ping", "remind", "timeout", "attempts", "schema"])): wrapped}  # fmt: skip
    if data.draw(st.booleans()):
        raw = {"schema": 1, "channels": [channel]}
    # Mail addresses and the name of a program are no secrets.
    assume(not isinstance(wrapped, list) or kind not in ("email", "command"))
    try:
        shown = repr(NotifyOptions.from_mapping(raw, "test"))
    except ConfigError as error:
        shown = f"{error} {error.as_fields()} {error.__cause__!r}"
    assert secret not in shown


@given(SECRETS)
def test_no_secret_is_in_the_error_about_a_file(secret: str) -> None:
    for content in (secret, f'{{"schema": 1, "{secret}": 2}}', f'{{"a": "{secret}"', f'["{secret}"]'):
        with tempfile.TemporaryDirectory() as folder:
            path = written(Path(folder), content)
            with pytest.raises(ConfigError) as refused:
                load(path)
            assert secret not in str(refused.value.as_fields())


@given(SECRETS, st.text(max_size=20))
def test_no_secret_is_in_what_a_program_said(secret: str, between: str) -> None:
    said = f"{between}{secret}{between} https://h.example/{secret} {secret}@h:{secret}"
    assert secret not in safe(said, ["-x", f"https://u:{secret}@h.example/a/{secret}?b={secret}", f"Key: {secret}"])
