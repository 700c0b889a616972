# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How drills are carried out, as a configuration says it; and whose fault a failure is."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from holdfast.config_verify import WEIGHED, VerifyOptions
from holdfast.errors import ConfigError
from holdfast.postgres.blame import last_words, machine_error, machine_failed


def test_nothing_said_is_the_usual() -> None:
    options = VerifyOptions.from_config({}, "test")
    assert (options.jobs, options.memory, options.cpus, options.checks) == (None, None, None, None)
    assert (options.smoke.command, options.levels) == ((), WEIGHED)


def test_everything_that_is_said_is_read() -> None:
    options = VerifyOptions.from_config(
        {
            "jobs": 3, "directory": "/srv/drills", "memory": 2048, "cpus": 1.5, "checks": "/etc/holdfast/checks",
            "check_timeout": 10, "smoke": {"command": ["check"], "service": "web", "timeout": 5},
            "levels": {"sequences": "error", "amcheck": "ignore"}, "signing_key": "/etc/key",
        },
        "test",
    )  # fmt: skip
    assert (options.memory, options.cpus, options.smoke.service) == (2 << 30, 1.5, "web")
    assert options.levels == {**WEIGHED, "sequences": "error", "amcheck": "ignore"}


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ({"job": 2}, "job"),
        ({"jobs": 0}, "verify.jobs"),
        ({"jobs": True}, "verify.jobs"),
        ({"directory": "drills"}, "absolute path"),
        ({"memory": 100}, "verify.memory"),
        ({"memory": "2g"}, "verify.memory"),
        ({"cpus": 0}, "verify.cpus"),
        ({"cpus": "all"}, "verify.cpus"),
        ({"checks": "checks"}, "absolute path"),
        ({"check_timeout": 0}, "verify.check_timeout"),
        ({"smoke": {"service": "web"}}, "verify.smoke.command"),
        ({"smoke": "true"}, "verify.smoke"),
        ({"smoke": {"command": "true"}}, "verify.smoke.command"),
        ({"levels": {"fingerprint": "ignore"}}, "fingerprint"),
        ({"levels": {"amcheck": "off"}}, "verify.levels.amcheck"),
        ({"signing_key": "key"}, "absolute path"),
    ],
)
def test_what_is_wrong_is_named(raw: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match="verify") as refused:
        VerifyOptions.from_config(raw, "test")
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("returncode", "text"),
    [
        (125, ""), (127, "OCI runtime attempted to invoke a command that was not found"), (-9, ""), (137, ""),
        (1, 'pg_restore: error: COPY failed: ERROR:  could not extend file "base/1/2": No space left on device'),
        (1, "server closed the connection unexpectedly"),
        (1, "ERROR:  out of memory"),
    ],
)  # fmt: skip
def test_what_the_machine_did_is_not_the_backups_fault(returncode: int, text: str) -> None:
    assert machine_failed(returncode, text)


@pytest.mark.parametrize(
    "text",
    [
        'ERROR:  duplicate key value violates unique constraint "orders_pkey"',
        "pg_restore: error: could not read from input file: end of file",
        'ERROR:  role "nobody" does not exist',
        'ERROR:  type "public.vector" does not exist',
        "pg_restore: error: could not uncompress data: incorrect data check",
    ],
)
def test_what_the_data_did_is(text: str) -> None:
    assert not machine_failed(1, text)


def test_errors_of_the_server_are_told_apart_by_their_class() -> None:
    assert machine_error(psycopg.errors.DiskFull())
    assert machine_error(psycopg.errors.AdminShutdown())
    assert machine_error(psycopg.OperationalError("connection failed"))
    assert not machine_error(psycopg.errors.UndefinedTable())
    assert not machine_error(psycopg.errors.QueryCanceled())
    assert not machine_error(psycopg.errors.DataCorrupted())


def test_of_the_log_of_a_server_that_went_down_its_reasons_are_told() -> None:
    log = """
2026-11-25 10:00:00.000 UTC [17] LOG:  checkpoint starting: wal
2026-11-25 10:00:01.000 UTC [19] PANIC:  could not write to file "pg_wal/xlogtemp.19": No space left on device
2026-11-25 10:00:01.100 UTC [1] LOG:  server process (PID 19) was terminated by signal 6: Aborted
2026-11-25 10:00:01.200 UTC [20] ERROR:  could not extend file "base/16387/17684": wrote only 4096 of 8192 bytes at block 6047
2026-11-25 10:00:01.200 UTC [20] HINT:  Check free disk space.
2026-11-25 10:00:01.300 UTC [21] HINT:  Check free disk space.
"""
    assert last_words(log) == (
        'PANIC: could not write to file "pg_wal/xlogtemp.19": No space left on device | HINT: Check free disk space.'
    )
    assert last_words("LOG:  database system is ready to accept connections") == ""
