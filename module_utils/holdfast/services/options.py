# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the services of a project are deployed: the ``deploy`` object of a cluster's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional
from urllib.parse import urlsplit

from ..errors import ConfigError

STRATEGIES = ("rolling", "recreate")
#: Of what compose looks for by itself in a project's directory. Source: the compose specification, "Compose file".
DEFAULT_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


@dataclass(frozen=True)
class Migration:
    """How the schema is brought up to a new version.

    :param service: the service whose image carries the migrations.
    :param command: run in a one-off container of that service; empty where the image's own command migrates.
    :param lock_timeout: seconds that a statement may wait for a lock, while everybody else waits behind it.
    :param timeout: seconds that all of it may take.
    """

    service: str
    command: tuple[str, ...] = ()
    lock_timeout: int = 5
    timeout: int = 3600


@dataclass(frozen=True)
class Health:
    """What must hold after the services were updated.

    :param url: asked with GET; redirects are not followed.
    :param status: what it may answer.
    :param sql: a query whose first value must be true.
    :param database: where the query is asked; None is the maintenance database.
    :param timeout: seconds until it has to hold.
    """

    url: Optional[str] = None
    status: tuple[int, ...] = (200,)
    sql: Optional[str] = None
    database: Optional[str] = None
    timeout: int = 30


@dataclass(frozen=True)
class DeployOptions:
    """How the services of a cluster's applications are deployed.

    :param project: name of the compose project; None is the database's own.
    :param directory: the project's directory; None is the one that its containers were made from.
    :param files: its compose files; empty means those that its containers were made from.
    :param services: those that a deployment may update; empty means all but the database.
    :param strategy: by service, ``rolling`` or ``recreate``, where the choice made from the compose file is not the right one.
    :param start_timeout: seconds until a new container has to be healthy.
    :param settle: seconds that the proxy is given to find a new container.
    :param drain_command: run in an old container before it is stopped, to have the proxy leave it.
    :param drain: seconds between that and the stop.
    :param unchanged: patterns of tables (``public.ledger*``) whose rows a deployment must leave as many as they were.
    """

    project: Optional[str] = None
    directory: Optional[str] = None
    files: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    strategy: Mapping[str, str] = field(default_factory=dict)
    migrate: Optional[Migration] = None
    health: Health = field(default_factory=Health)
    start_timeout: int = 120
    settle: int = 5
    drain_command: tuple[str, ...] = ()
    drain: int = 0
    unchanged: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, raw: Mapping[str, Any], where: str) -> DeployOptions:
        """Read the ``deploy`` object of a configuration.

        :param where: what to call the configuration in a message.
        :raises ConfigError: an unknown key, or a value of the wrong type or out of range.
        """
        read = _Reader(raw, where, "deploy", set(cls.__dataclass_fields__))
        directory = read.text("directory")
        if directory is not None and not os.path.isabs(directory):
            raise read.bad("directory", "Give an absolute path.")
        strategy = read.mapping("strategy")
        for service, chosen in strategy.items():
            if chosen not in STRATEGIES:
                raise read.bad("strategy", f"Give one of {', '.join(STRATEGIES)} for service {service}.")
        return cls(
            project=read.text("project"),
            directory=directory,
            files=read.texts("files"),
            services=read.texts("services"),
            strategy=strategy,
            migrate=_migration(read.mapping("migrate"), where),
            health=_health(read.mapping("health"), where),
            start_timeout=read.seconds("start_timeout", 120, 1),
            settle=read.seconds("settle", 5),
            drain_command=read.texts("drain_command"),
            drain=read.seconds("drain", 0),
            unchanged=read.texts("unchanged"),
        )


def _migration(raw: Mapping[str, Any], where: str) -> Optional[Migration]:
    read = _Reader(raw, where, "deploy.migrate", set(Migration.__dataclass_fields__))
    if not raw:
        return None
    service = read.text("service")
    if service is None:
        raise read.bad("service", "Name the service whose image carries the migrations.")
    return Migration(
        service, read.texts("command"), read.seconds("lock_timeout", 5, 1), read.seconds("timeout", 3600, 1)
    )


def _health(raw: Mapping[str, Any], where: str) -> Health:
    read = _Reader(raw, where, "deploy.health", set(Health.__dataclass_fields__))
    url = read.text("url")
    if url is not None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
        raise read.bad("url", "Give an address that begins with http:// or https://.", shown=False)
    status = raw.get("status", [200])
    status = [status] if isinstance(status, int) else status
    if not isinstance(status, (list, tuple)) or not status or not all(_is_status(one) for one in status):
        raise read.bad("status", "Give a status of HTTP such as 200, or a list of them.")
    return Health(
        url=url,
        status=tuple(status),
        sql=read.text("sql"),
        database=read.text("database"),
        timeout=read.seconds("timeout", 30, 1),
    )


def _is_status(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599


class _Reader:
    """Reads the fields of one object, with one form of message for what is wrong."""

    def __init__(self, raw: Mapping[str, Any], where: str, name: str, known: set[str]) -> None:
        self.raw = {key: value for key, value in raw.items() if value is not None}
        self.where = where
        self.name = name
        unknown = sorted(set(raw) - known)
        if unknown:
            raise self._error(f"{name} has unknown keys {unknown}", f"Known keys: {', '.join(sorted(known))}.")

    def text(self, key: str) -> Optional[str]:
        value = self.raw.get(key)
        if value is not None and (not isinstance(value, str) or not value or "\0" in value):
            raise self.bad(key, "Give a non-empty string.")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.raw.get(key, [])
        texts = isinstance(value, (list, tuple)) and all(isinstance(one, str) and one for one in value)
        if not texts or any("\0" in one for one in value):
            raise self.bad(key, "Give a list of non-empty strings.")
        return tuple(value)

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.raw.get(key, {})
        if not isinstance(value, Mapping):
            raise self.bad(key, "Give a JSON object.")
        return dict(value)

    def seconds(self, key: str, default: int, least: int = 0) -> int:
        value = self.raw.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 86400:
            raise self.bad(key, f"Give a whole number of seconds from {least} to 86400.")
        return value

    def bad(self, key: str, next_step: str, shown: bool = True) -> ConfigError:
        value = f"{self.raw.get(key)!r}" if shown else "not one that can be used"
        return self._error(f"{self.name}.{key} is {value}", next_step)

    def _error(self, reason: str, next_step: str) -> ConfigError:
        return ConfigError("read", f"configuration {self.where}", reason, next_step)
