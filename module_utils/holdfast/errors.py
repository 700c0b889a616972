# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One tree of errors. Each class has its exit code; each instance says what to do next.

Every message has the form ``Cannot <verb> <object>: <reason>. <next step>``; the details that a
program needs are fields (:attr:`HoldfastError.details`), never something to parse out of the text.
"""

from __future__ import annotations

from typing import Any


class HoldfastError(Exception):
    """The root of all errors that Holdfast raises on purpose.

    :param verb: what was attempted, in the infinitive ("back up", "restore").
    :param obj: what it was attempted on ("cluster shop", "database orders").
    :param reason: why it failed, one sentence without its full stop.
    :param next_step: what the operator does now, one or more sentences.
    :param details: facts for programs (JSON-serialisable).
    """

    exit_code = 1

    def __init__(self, verb: str, obj: str, reason: str, next_step: str, **details: Any) -> None:
        self.verb = verb
        self.obj = obj
        self.reason = reason.strip().rstrip(".")
        self.next_step = next_step.strip()
        self.details: dict[str, Any] = details
        super().__init__(str(self))

    def __str__(self) -> str:
        return f"Cannot {self.verb} {self.obj}: {self.reason}. {self.next_step}"

    def as_fields(self) -> dict[str, Any]:
        """The error as JSON-serialisable fields, for ``--json`` and for a module's ``fail_json``."""
        return {
            "error": type(self).__name__,
            "msg": str(self),
            "reason": self.reason,
            "next_step": self.next_step,
            "exit_code": self.exit_code,
            "details": self.details,
        }


class ConfigError(HoldfastError):
    """The configuration or an argument is wrong: nothing was tried."""

    exit_code = 2


class AccessError(HoldfastError):
    """The server, its container or its tools cannot be reached or used."""

    exit_code = 3


class RepositoryError(HoldfastError):
    """The repository cannot be read or written (missing, full, read-only, not ours)."""

    exit_code = 4


class BusyError(HoldfastError):
    """Another process holds what this one needs; nothing was changed."""

    exit_code = 5


class BackupError(HoldfastError):
    """A backup failed. What had been written is not in the catalogue as a good backup."""

    exit_code = 6


class PreflightError(HoldfastError):
    """A restore or a deployment was refused before anything was touched."""

    exit_code = 7


class IntegrityError(HoldfastError):
    """A backup is not what its manifest says: truncated, altered, incomplete or newer than this code."""

    exit_code = 8


class NotFoundError(HoldfastError):
    """No backup, database or cluster of that name."""

    exit_code = 9


class RestoreError(HoldfastError):
    """A restore failed; the target is as it was before."""

    exit_code = 10


class VerificationError(RestoreError):
    """The restored data are not the data that were backed up; the target is as it was before."""

    exit_code = 11


class GuardError(HoldfastError):
    """The data are not where, or not as, they should be; nothing was touched."""

    exit_code = 12


class DeployError(HoldfastError):
    """A deployment failed; its record says in which state it left the services and the database."""

    exit_code = 13


class DrillError(HoldfastError):
    """A drill found that a backup does not restore to what it should be; its evidence says what is wrong."""

    exit_code = 14


class RunError(HoldfastError):
    """Something that was due could not be done; who is to be told was told."""

    exit_code = 15
