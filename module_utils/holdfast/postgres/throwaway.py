# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A throwaway server: as the real one as can be, reached by nobody else, and nothing of it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Optional, TypeVar

from ..errors import AccessError
from .access import AccessConfig

READY_SECONDS = 120
POLL = 0.1
#: What the real server is started with and a copy needs too, to take the same data and statements.
_INHERITED = (
    "shared_preload_libraries", "max_connections", "max_locks_per_transaction", "max_prepared_transactions",
    "max_worker_processes", "wal_level",
)  # fmt: skip
#: Nobody misses these data after a crash, so nothing waits for a disk. Source: PostgreSQL documentation,
#: "Non-Durable Settings". Tablespaces are made inside of its own directory, wherever the real ones are.
_FAST = {
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "archive_mode": "off",
    "autovacuum": "off", "max_wal_size": "4GB", "checkpoint_timeout": "1h", "shared_buffers": "256MB",
    "allow_in_place_tablespaces": "on",
}  # fmt: skip
#: A copy of a standby's primary, or of one with little WAL, must not ask for slots that its level does not have.
_MINIMAL = {"max_wal_senders": "0"}

_Self = TypeVar("_Self", bound="Throwaway")


@dataclass(frozen=True)
class Original:
    """What a throwaway has to know of the server that it stands in for.

    :param superuser: name of the role that made the cluster.
    :param settings: its settings of those that a copy needs too.
    """

    superuser: str
    settings: Mapping[str, str]

    @classmethod
    def ask(cls, connection: Any) -> Original:
        """Ask the real server.

        :param connection: to any of its databases.
        """
        (superuser,) = connection.execute("SELECT rolname FROM pg_roles WHERE oid = 10").fetchone()
        # An account that may not read a setting is told nothing of it.
        rows = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(_INHERITED)]
        ).fetchall()
        return cls(superuser, dict(rows))

    def with_least_wal(self) -> Original:
        """For a copy in which nothing but a restore happens: what is loaded into a new table needs no WAL then.

        Source: PostgreSQL documentation, "Disable WAL Archival and Streaming Replication".
        """
        return replace(self, settings={**self.settings, "wal_level": "minimal"})

    def copied_settings(self) -> dict[str, str]:
        """What a copy is started with."""
        minimal = _MINIMAL if self.settings.get("wal_level") == "minimal" else {}
        return {**_FAST, **self.settings, **minimal}


@dataclass(frozen=True)
class Limits:
    """What a throwaway may take of its host.

    :param memory: bytes; None sets no limit.
    :param cpus: processors; None sets no limit.
    """

    memory: Optional[int] = None
    cpus: Optional[float] = None


class Throwaway:
    """A server that is gone when the block ends; what a killed process left of it, the next one removes.

    Whoever makes ones of a label holds a lock for it: there is one of a label at a time.

    :ivar access: how to reach it.
    """

    access: AccessConfig

    def __enter__(self: _Self) -> _Self:
        self.remove()
        try:
            self.start()
        except BaseException:
            with suppress(AccessError):
                self.remove()
            raise
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        # What ends a block by an error is told; what it leaves then, the next one removes.
        with nullcontext() if error is None else suppress(AccessError):
            self.remove()

    def start(self) -> None:
        """Start it, and wait until it answers.

        :raises AccessError: it does not.
        """
        raise NotImplementedError

    def remove(self) -> None:
        """Remove all that there is of its label; nothing is no failure."""
        raise NotImplementedError

    def log(self, since: str = "") -> str:
        """What the server has written.

        :param since: only from this instant on, where that can be told.
        """
        raise NotImplementedError


def failed_to_start(reason: str) -> AccessError:
    """The error of a throwaway that does not start."""
    return AccessError(
        "start", "a throwaway server like the database's own", reason,
        "See that there is room and memory for it, and run this again. The database itself was not touched.",
    )  # fmt: skip
