# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to reach a server, as the configuration says it. No secret is ever part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Optional, Union

from ..errors import ConfigError

ENGINES = ("docker", "podman")


@dataclass(frozen=True)
class HostAccess:
    """A server of the host itself.

    :param host: host name, address, or the directory of the Unix socket; None leaves it to the service file or libpq.
    :param bin_dir: where the server's own client programs are; None finds them by the server's version.
    :param service: name in a libpq service file, which may hold all the rest.
    :param restore_user: the account that restores connect as, which need more rights than backups; None means ``user``.
    """

    host: Optional[str] = None
    port: Optional[int] = None
    user: Optional[str] = None
    database: str = "postgres"
    passfile: Optional[str] = None
    service: Optional[str] = None
    service_file: Optional[str] = None
    bin_dir: Optional[str] = None
    restore_user: Optional[str] = None


@dataclass(frozen=True)
class ContainerAccess:
    """A server in a container, found by its name or by compose project and service.

    :param restore_user: the account that restores connect as, which need more rights than backups; None means ``user``.
    """

    engine: str = "docker"
    container: Optional[str] = None
    project: Optional[str] = None
    service: Optional[str] = None
    user: str = "postgres"
    port: int = 5432
    database: str = "postgres"
    passfile: Optional[str] = None
    restore_user: Optional[str] = None

    @property
    def label(self) -> str:
        """What to call the container in a message."""
        return self.container or f"{self.project}/{self.service}"


AccessConfig = Union[HostAccess, ContainerAccess]


def as_user(access: AccessConfig, user: Optional[str]) -> AccessConfig:
    """The same server, reached as another account; None changes nothing."""
    return replace(access, user=user) if user else access


def access_from_config(raw: Mapping[str, Any], where: str) -> AccessConfig:
    """Read the ``access`` object of a configuration.

    :param where: what to call the configuration in a message.
    :raises ConfigError: an unknown kind or key, a wrong type, a password given in the open.
    """
    kinds: dict[str, Any] = {"host": HostAccess, "container": ContainerAccess}
    kind = raw.get("kind")
    if kind not in kinds:
        raise _bad(where, f"access.kind is {kind!r}", "Give 'host' or 'container'.")
    if "password" in raw:
        raise _bad(
            where,
            "access.password is set",
            "Put the password into a passfile (mode 0600) and name it as access.passfile.",
        )
    fields = kinds[kind].__dataclass_fields__
    values = {key: value for key, value in raw.items() if key != "kind" and value is not None}
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise _bad(
            where, f"access has unknown keys {unknown}", f"For kind {kind} it knows: {', '.join(sorted(fields))}."
        )
    for key, value in values.items():
        if key == "port":
            if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
                raise _bad(where, f"access.port is {value!r}", "Give a number from 1 to 65535.")
        elif not isinstance(value, str) or not value or "\0" in value:
            raise _bad(where, f"access.{key} is {value!r}", "Give a non-empty string.")
    access: AccessConfig = kinds[kind](**values)
    if isinstance(access, ContainerAccess):
        _check_container(access, where)
    return access


def _check_container(access: ContainerAccess, where: str) -> None:
    if access.engine not in ENGINES:
        raise _bad(where, f"access.engine is {access.engine!r}", f"Give one of {', '.join(ENGINES)}.")
    by_name, by_project = bool(access.container), bool(access.project and access.service)
    if by_name == by_project or bool(access.project) != bool(access.service):
        raise _bad(
            where, "access does not say which container", "Give either 'container', or both 'project' and 'service'."
        )


def _bad(where: str, reason: str, next_step: str) -> ConfigError:
    return ConfigError("read", f"configuration {where}", reason, next_step)
