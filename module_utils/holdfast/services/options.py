# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the services of a project are deployed: the ``deploy`` object of a cluster's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional
from urllib.parse import urlsplit

from ..config_reader import Reader

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
        read = Reader(raw, where, "deploy", set(cls.__dataclass_fields__))
        strategy = read.mapping("strategy")
        for service, chosen in strategy.items():
            if chosen not in STRATEGIES:
                raise read.bad("strategy", f"Give one of {', '.join(STRATEGIES)} for service {service}.")
        return cls(
            project=read.text("project"),
            directory=read.directory("directory"),
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
    read = Reader(raw, where, "deploy.migrate", set(Migration.__dataclass_fields__))
    if not raw:
        return None
    service = read.text("service")
    if service is None:
        raise read.bad("service", "Name the service whose image carries the migrations.")
    return Migration(
        service, read.texts("command"), read.seconds("lock_timeout", 5, 1), read.seconds("timeout", 3600, 1)
    )


def _health(raw: Mapping[str, Any], where: str) -> Health:
    read = Reader(raw, where, "deploy.health", set(Health.__dataclass_fields__))
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
