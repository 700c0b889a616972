# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a program of this host reaches the server now: a container's address is another one when it is made anew.

The exporter of the monitoring reads it from a file, in its own variables. The password is not among them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional
from urllib.parse import quote, urlencode

from ..config import ClusterConfig
from ..errors import AccessError, ConfigError
from ..postgres import engine
from ..postgres.access import ContainerAccess, HostAccess
from ..postgres.container import ContainerPlace
from ..repository import durable
from ..system import Command, System

ACCOUNT = "holdfast_monitoring"
APPLICATION = "holdfast_exporter"
#: To measure a table that somebody has locked, an exporter would wait, and tell nothing of all the rest meanwhile.
OPTIONS = "-clock_timeout=500"
_PORT = 5432
_EVERYWHERE = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "localhost": "127.0.0.1", "::": "::1"}
_LISTEN_LINE = 5  # of postmaster.pid, counted from 0


@dataclass(frozen=True)
class EndpointRequest:
    """What is asked for.

    :param environment: the file that is written.
    :param account: who connects.
    :param database: None is the maintenance database of the configuration.
    :param restart: a unit of systemd to restart where the file has changed.
    """

    environment: str
    account: str = ACCOUNT
    database: Optional[str] = None
    restart: Optional[str] = None


@dataclass(frozen=True)
class Endpoint:
    """A server's address, or the directory of its socket."""

    host: str
    port: int

    @property
    def text(self) -> str:
        """For people: ``172.18.0.2:5432``, ``[::1]:5432`` or ``/run/postgresql:5432``."""
        return f"{self._bracketed}:{self.port}"

    def uri(self, database: str) -> str:
        """What follows the account in a connection URI. Source: PostgreSQL documentation, "Connection URIs"."""
        options = {"sslmode": "disable", "application_name": APPLICATION, "options": OPTIONS}
        if self.host.startswith("/"):
            options = {"host": self.host, "port": str(self.port), **options}
        place = "" if self.host.startswith("/") else self.text
        # A plus would stay one: it is no space in these.
        return f"{place}/{quote(database, safe='')}?{urlencode(options, quote_via=quote)}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def find(config: ClusterConfig, system: System) -> Endpoint:
    """Ask where the server is now.

    :raises AccessError: no such container, it does not run, or it has no address that this host reaches.
    """
    access = config.access
    if isinstance(access, ContainerAccess):
        return Endpoint(_of_container(access, system, config.cluster), access.port)
    if access.service and not access.host:
        raise ConfigError(
            "find", f"the endpoint of cluster {config.cluster}", "its access names a libpq service and no host",
            "Set access.host (and access.port) as well: the exporter reads no service files.",
        )  # fmt: skip
    port = access.port or _PORT
    return Endpoint(_of_host(access, port), port)


def write(config: ClusterConfig, request: EndpointRequest, system: System) -> dict[str, Any]:
    """Write the environment of the exporter, unless the file says the same already.

    :returns: ``changed``, ``endpoint``, ``environment`` and ``restarted``.
    :raises AccessError: the server cannot be found; what the file says stays.
    :raises ConfigError: the file cannot be written, or a name cannot be in it.
    """
    database = request.database or config.access.database
    for name in (database, request.account):
        # The exporter would take the rest for something else, and write the whole of it, password included, into its log.
        if not name.isprintable() or any(character.isspace() for character in name):
            raise ConfigError("write", request.environment, f"{name!r} cannot be in it", "Give a name without spaces.")
    found = find(config, system)
    lines = {"DATA_SOURCE_URI": found.uri(database), "DATA_SOURCE_USER": quote(request.account, safe="")}
    content = "".join(f'{key}="{_escaped(value)}"\n' for key, value in lines.items()).encode()
    path = Path(request.environment)
    changed = _content(path) != content
    if changed:
        try:
            durable.replace_file(path, content)
            # No secret is in it, and whoever runs the exporter reads it.
            os.chmod(path, 0o644)
        except OSError as error:
            raise ConfigError(
                "write", str(path), str(error.strerror), "Make its directory, or name another file."
            ) from error
    restarted = request.restart if changed else None
    if restarted:
        _restart(restarted, system)
    return {
        "changed": changed, "cluster": config.cluster, "endpoint": found.text, "environment": str(path),
        "restarted": restarted,
    }  # fmt: skip


def _of_container(access: ContainerAccess, system: System, cluster: str) -> str:
    facts = engine.find(access, system)
    if access.engine == "podman" and os.geteuid() != 0:
        # The network of a user's containers is theirs alone; their files can be reached by that user.
        place = ContainerPlace(access, system, (os.geteuid(), os.getegid()), f"{cluster}-endpoint", facts)
        return str(place.connect_params(access.database)["host"])
    address = engine.address(facts)
    if address is None:
        raise engine.refusal(
            access, "it has no address in a network of this host",
            "Put it into a bridge network, as compose does, or set access to a host and port that reach it.",
        )  # fmt: skip
    return address


def _of_host(access: HostAccess, port: int) -> str:
    """A server that listens is reached by its address: by its socket it would ask who the account of the system is."""
    if access.host and not access.host.startswith("/"):
        return access.host
    directory = access.host or next(
        (known for known in ("/run/postgresql", "/var/run/postgresql", "/tmp") if _lock_file(known, port).exists()),
        "/run/postgresql",
    )
    listens = _listens(_lock_file(directory, port))
    return _EVERYWHERE.get(listens, listens) if listens else directory


def _lock_file(directory: str, port: int) -> Path:
    return Path(directory) / f".s.PGSQL.{port}.lock"


def _listens(lock: Path) -> str:
    """The first address that a server listens at, or "": its second line names the data directory.

    Source: PostgreSQL, src/include/utils/pidfile.h.
    """
    try:
        data = Path(lock.read_text(encoding="utf-8", errors="surrogateescape").splitlines()[1])
        lines = (data / "postmaster.pid").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except (OSError, IndexError):
        return ""
    return lines[_LISTEN_LINE].strip() if len(lines) > _LISTEN_LINE else ""


def _escaped(value: str) -> str:
    """For a value in double quotes. Source: systemd.exec(5), EnvironmentFile=."""
    for special in ("\\", '"', "$", "`"):
        value = value.replace(special, f"\\{special}")
    return value


def _content(path: Path) -> Optional[bytes]:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _restart(unit: str, system: System) -> None:
    done = system.run(Command(["systemctl", "try-restart", "--no-block", "--", unit]))
    if done.returncode != 0:
        raise AccessError("restart", unit, done.last_error, f"See 'systemctl status {unit}'.")
