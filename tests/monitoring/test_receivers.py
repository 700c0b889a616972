"""Whom an inventory has told of alarms: what the role refuses, and that no secret is read by others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import playbooks

WEBHOOK = {"name": "ops", "webhook": {"url": "https://user:hunter2@hooks.example.org/a"}}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"holdfast_receivers": [{"name": "ops", "email": {"to": "a@example.org", "auth_secret": "hunter2"}}]},
            "Receiver ops has email.auth_secret: a secret,",
        ),
        (
            {
                "holdfast_receivers": [
                    {**WEBHOOK, "pagerduty": [{"http_config": {"basic_auth": {"password": "hunter2"}}}]}
                ]
            },
            "Receiver ops has pagerduty.http_config.basic_auth.password: a secret, and others can read the configuration of"
            " Alertmanager. Put it into a file on that host, and give password_file",
        ),
        (
            {"holdfast_receivers": [{**WEBHOOK, "slack": {"http_config": {"oauth2": {"client_secret": "hunter2"}}}}]},
            "Receiver ops has slack.http_config.oauth2.client_secret: a secret,",
        ),
        (
            {"holdfast_receivers": [WEBHOOK], "alerting_email": {"smtp_auth_password": "hunter2"}},
            "alerting_email has smtp",
        ),
        ({"holdfast_receivers": [WEBHOOK, WEBHOOK]}, "Two receivers have the same name."),
        ({"holdfast_receivers": [{"name": "a b", "email": {"to": "hunter2"}}]}, "A receiver has the name 'a b'."),
        ({"holdfast_receivers": [{"name": "ops", "email": "hunter2"}]}, "Receiver ops has no settings in email."),
        (
            {"holdfast_receivers": [{**WEBHOOK, "severities": ["page"]}]},
            "Receiver ops has severities other than warning and",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_without_a_secret(variables: dict[str, Any], said: str, tmp_path: Path) -> None:
    play = playbooks.inventory(tmp_path, {"here": None}).play("tests/monitoring/receivers.yml", **variables)
    assert play.returncode != 0
    assert said in " ".join(play.said.split())
    assert "hunter2" not in play.said


def test_secrets_in_files_and_those_that_are_put_there_are_accepted(tmp_path: Path) -> None:
    files = {"basic_auth": {"username": "a", "password_file": "/root/a"}, "tls_config": {"key_file": "/root/key"}}
    receivers = [
        {**WEBHOOK, "severities": ["critical"]},
        {"name": "mail", "email": [{"to": "a@example.org", "auth_password": "hunter2"}]},
        {"name": "pager", "pagerduty": {"routing_key": "hunter2", "http_config": files}},
    ]
    email = {"smtp_smarthost": "mail.example.org:25", "smtp_auth_password_file": "/root/password"}
    here = playbooks.inventory(tmp_path, {"here": None})
    here.play("tests/monitoring/receivers.yml", holdfast_receivers=receivers, alerting_email=email).require_success()
