# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of an event, in each of the forms, whatever is in it."""

from __future__ import annotations

import email
import email.policy
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from holdfast.reporting.notify_event import KINDS, Event, plain
from holdfast.reporting.notify_message import body, dedup_key, document, mail, pagerduty, slack, subject, variables

SINCE = datetime(2026, 11, 22, 2, 31, tzinfo=ZoneInfo("Europe/Berlin"))
SOON, LATER = SINCE.astimezone(UTC) + timedelta(minutes=1), SINCE.astimezone(UTC) + timedelta(days=1, hours=2)


def event(kind: str = "failure", title: str = "backup FAILED", **more: Any) -> Event:
    facts = {"reason": "no room", "next_step": "Free some.", "since": SINCE, "details": {}, **more}
    return Event("shop", "db1", kind, "backup", title, **facts)


@pytest.mark.parametrize(
    ("what", "now", "line"),
    [
        (event(), SOON, "[holdfast] shop: backup FAILED since 02:31"),
        (
            event("reminder", "backup still FAILED"),
            LATER,
            "[holdfast] shop: backup still FAILED since 2026-11-22 02:31",
        ),
        (event("recovery", "backup works again"), LATER, "[holdfast] shop: backup works again"),
        (event("test", "test of the notifications"), SOON, "[holdfast] shop: test of the notifications"),
    ],
)
def test_a_subject_says_all_that_matters_on_a_telephone(what: Event, now: datetime, line: str) -> None:
    assert subject(what, now) == line


def test_a_mail_says_what_why_since_when_and_what_to_do() -> None:
    assert (
        body(event(details={"exit_code": 6, "ids": ["a", "b"]}), LATER)
        == """\
backup FAILED: cluster shop on db1

Since:      2026-11-22 02:31:00 +0100 (1d 2h ago)
Why:        no room
What to do: Free some.

Details:
  exit_code: 6
  ids: ["a", "b"]

How it is now: holdfast status --cluster shop
"""
    )


def test_the_document_has_the_fields_that_are_documented() -> None:
    found = document(event(details={"n": 1}), SOON)
    assert len(found.pop("id")) == 32
    assert found == {
        "schema": 1, "kind": "failure", "cluster": "shop", "host": "db1", "job": "backup", "title": "backup FAILED",
        "subject": "[holdfast] shop: backup FAILED since 02:31", "reason": "no room", "next_step": "Free some.",
        "since": "2026-11-22T02:31:00+01:00", "time": "2026-11-22T01:32:00+00:00", "details": {"n": 1},
    }  # fmt: skip


def test_a_message_that_is_sent_again_has_the_same_id_and_another_has_not() -> None:
    ids = [document(one, now)["id"] for one, now in [(event(), SOON), (event(), SOON), (event(), LATER), (event("recovery"), SOON)]]  # fmt: skip
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_a_chat_message_calls_nobody_and_hides_no_link() -> None:
    said = slack(event(reason="<!channel> <https://evil|ok> &", next_step=""), SOON)
    assert said == {"text": "[holdfast] shop: backup FAILED since 02:31\non db1: &lt;!channel&gt; &lt;https://evil|ok&gt; &amp;"}  # fmt: skip


def test_an_alert_keeps_its_key_until_it_is_resolved() -> None:
    (begun,), (again,), (over,) = (pagerduty(event(kind), "KEY", LATER) for kind in ("failure", "reminder", "recovery"))
    assert begun["dedup_key"] == again["dedup_key"] == over["dedup_key"] == "holdfast/db1/shop/backup"
    assert [one["event_action"] for one in (begun, again, over)] == ["trigger", "trigger", "resolve"]
    assert "payload" not in over
    payload = begun["payload"]
    assert (payload["source"], payload["severity"], payload["class"]) == ("db1", "critical", "backup")
    assert payload["timestamp"] == "2026-11-22T02:31:00+01:00"


def test_a_test_is_no_alert_of_a_job() -> None:
    trigger, resolve = pagerduty(event("test"), "KEY", SOON)
    assert trigger["dedup_key"] == resolve["dedup_key"] == "holdfast/db1/shop/test"
    assert trigger["payload"]["severity"] == "info"


def test_details_without_end_are_left_out() -> None:
    assert set(document(event(details={"much": ["x" * 3000] * 30}), SOON)["details"]) == {"left_out"}


TEXTS = st.one_of(
    st.text(),
    st.text(st.characters(codec=None)),
    st.sampled_from(["\r\nBcc: x@y", "\n.\n", "\0", "\ud800", "=?utf-8?q?x?=", "x" * 5000]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.binary(), st.datetimes()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.one_of(TEXTS, st.integers()), inner, max_size=4)),
    max_leaves=10,
)  # fmt: skip
EVENTS = st.builds(
    Event, TEXTS, TEXTS, st.sampled_from(KINDS), TEXTS, TEXTS, TEXTS, TEXTS,
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()), st.dictionaries(TEXTS, VALUES, max_size=4),
)  # fmt: skip


@given(EVENTS)
def test_whatever_is_in_an_event_each_form_is_well_formed(one: Event) -> None:
    assert subject(one, SOON).isprintable()
    raw = mail(one, ("ops@example.org", "root"), None, SOON)
    assert raw.isascii()
    assert max(map(len, raw.splitlines())) < 998
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert set(parsed.keys()) == {
        "To", "Subject", "Date", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip
    assert parsed["To"] == "ops@example.org, root"
    for said in (document(one, SOON), slack(one, SOON), *pagerduty(one, "KEY", SOON)):
        assert len(json.dumps(said, allow_nan=False).encode("ascii")) < 200_000
    assert len(dedup_key(one)) <= 255
    for name, value in variables(one, SOON).items():
        assert name.startswith("HOLDFAST_")
        assert "\0" not in value
        value.encode("utf-8")


@given(EVENTS, st.text("QXZ0123456789", min_size=32, max_size=32))
def test_the_routing_key_goes_to_pagerduty_alone(one: Event, key: str) -> None:
    assume(key not in repr(one))
    for said in pagerduty(one, key, SOON):
        assert said.pop("routing_key") == key
        assert key not in json.dumps(said)


@given(VALUES)
def test_every_value_becomes_json(value: Any) -> None:
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == plain(value)
