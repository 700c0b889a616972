# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of one cluster: one JSON file that modules and the command line both read.

``<config dir>/<cluster>.json`` is the one truth about a cluster on its host. It holds no secret:
passwords stay in a passfile or a service file that it names.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from .config_monitor import MonitorOptions
from .config_schedule import ScheduleOptions
from .config_verify import VerifyOptions
from .errors import ConfigError
from .postgres.access import AccessConfig, access_from_config
from .postgres.options import Compression
from .repository.retention import RetentionPolicy
from .scheduling.state import DEFAULT_DIR as DEFAULT_STATE_DIR
from .services.options import DeployOptions

DEFAULT_DIR = "/etc/holdfast"
SCHEMA = 1
FINGERPRINT_LEVELS = ("none", "counts", "digest")
_CLUSTER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
#: PostgreSQL keeps lock_timeout as milliseconds in 31 bits.
_LONGEST_LOCK_TIMEOUT = (2**31 - 1) // 1000
#: Source: the engines' own rule for names of volumes.
_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_OBJECTS = ("access", "backup", "retention", "guard", "deploy", "verify", "schedule", "monitor")
_TOP = {"schema", "cluster", "repository", "state_dir", *_OBJECTS}
GUARD_LEVELS = ("error", "warning", "ignore")


@dataclass(frozen=True)
class BackupOptions:
    """How backups of a cluster are taken; every field can be overridden for one run.

    :param jobs: parallel connections of pg_dump and pg_restore.
    :param compression: what is asked for; ``auto`` picks the fastest that the tools at hand have.
    :param fingerprint: ``none``, ``counts`` or ``digest``.
    :param exclude_table_data: pg_dump patterns of tables whose rows are left out.
    :param databases: the databases to back up; empty means all but templates.
    :param role_passwords: keep the roles' password hashes in ``globals.sql``.
    :param lock_timeout: seconds to wait for a table that somebody has locked.
    :param configuration: keep the server's configuration files.
    :param rate_limit: MiB/s that a dump writes at most; None is no limit.
    """

    jobs: int = min(4, os.cpu_count() or 1)
    compression: Compression = field(default_factory=lambda: Compression("auto"))
    fingerprint: str = "digest"
    exclude_table_data: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    role_passwords: bool = True
    lock_timeout: int = 300
    configuration: bool = True
    rate_limit: Optional[int] = None

    @classmethod
    def from_config(cls, raw: Mapping[str, Any], where: str) -> BackupOptions:
        """Read the ``backup`` object of a configuration.

        :raises ConfigError: an unknown key, or a value of the wrong type or out of range.
        """
        known = set(cls.__dataclass_fields__)
        unknown = sorted(set(raw) - known)
        if unknown:
            raise _bad(where, f"backup has unknown keys {unknown}", f"Known keys: {', '.join(sorted(known))}.")
        _require_text(raw, where, "backup")
        values = {name: value for name, value in raw.items() if value is not None}
        for name in ("jobs", "lock_timeout", "rate_limit"):
            if name in values and (
                isinstance(values[name], bool) or not isinstance(values[name], int) or values[name] < 1
            ):
                raise _bad(where, f"backup.{name} is {values[name]!r}", "Give a whole number of at least 1.")
        if values.get("lock_timeout", 1) > _LONGEST_LOCK_TIMEOUT:
            raise _bad(
                where,
                f"backup.lock_timeout is {values['lock_timeout']!r}",
                f"Give at most {_LONGEST_LOCK_TIMEOUT} seconds.",
            )
        if values.get("fingerprint", "digest") not in FINGERPRINT_LEVELS:
            raise _bad(
                where,
                f"backup.fingerprint is {values['fingerprint']!r}",
                f"Give one of {', '.join(FINGERPRINT_LEVELS)}.",
            )
        for name in ("role_passwords", "configuration"):
            if not isinstance(values.get(name, True), bool):
                raise _bad(where, f"backup.{name} is {values[name]!r}", "Give true or false.")
        for name in ("exclude_table_data", "databases"):
            if name in values:
                values[name] = _strings(values[name], where, f"backup.{name}")
        if "compression" in values:
            values["compression"] = _compression(values["compression"], where)
        return cls(**values)


@dataclass(frozen=True)
class GuardPolicy:
    """What the guard expects, and how much each finding that an operator may accept weighs.

    :param volume: name of the volume that must hold the data, or an absolute path; None expects no certain one.
    """

    volume: Optional[str] = None
    checksums: str = "warning"
    fsync: str = "error"
    full_page_writes: str = "error"
    collation: str = "error"
    compose: str = "error"

    @classmethod
    def from_config(cls, raw: Mapping[str, Any], where: str) -> GuardPolicy:
        """Read the ``guard`` object of a configuration.

        :raises ConfigError: an unknown key or level, or a volume that is no name and no absolute path.
        """
        known = set(cls.__dataclass_fields__)
        unknown = sorted(set(raw) - known)
        if unknown:
            raise _bad(where, f"guard has unknown keys {unknown}", f"Known keys: {', '.join(sorted(known))}.")
        values = {name: value for name, value in raw.items() if value is not None}
        for name in known - {"volume"}:
            if values.get(name, "error") not in GUARD_LEVELS:
                raise _bad(where, f"guard.{name} is {values[name]!r}", f"Give one of {', '.join(GUARD_LEVELS)}.")
        volume = values.get("volume", "/")
        if not isinstance(volume, str) or not (os.path.isabs(volume) or _VOLUME.fullmatch(volume)):
            raise _bad(where, f"guard.volume is {volume!r}", "Give the name of a volume, or an absolute path.")
        _require_text(raw, where, "guard")
        return cls(**values)


@dataclass(frozen=True)
class ClusterConfig:
    """Everything Holdfast knows about one cluster before it asks the server."""

    cluster: str
    repository: Path
    access: AccessConfig
    backup: BackupOptions
    retention: RetentionPolicy
    source: Optional[Path] = None
    guard: GuardPolicy = field(default_factory=GuardPolicy)
    deploy: DeployOptions = field(default_factory=DeployOptions)
    verify: VerifyOptions = field(default_factory=VerifyOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    monitor: MonitorOptions = field(default_factory=MonitorOptions)
    state_dir: Path = Path(DEFAULT_STATE_DIR)

    @classmethod
    def from_mapping(cls, raw: Any, where: str, source: Optional[Path] = None) -> ClusterConfig:
        """Validate a configuration that has been read.

        :param where: what to call it in a message.
        :raises ConfigError: anything that is missing, unknown or of the wrong type.
        """
        if not isinstance(raw, dict):
            raise _bad(where, "it is not a JSON object", "Compare it with docs/reference/configuration.md.")
        unknown = sorted(set(raw) - _TOP)
        if unknown:
            raise _bad(where, f"it has unknown keys {unknown}", f"Known keys: {', '.join(sorted(_TOP))}.")
        if isinstance(raw.get("schema"), bool) or raw.get("schema") != SCHEMA:
            raise _bad(where, f"its schema is {raw.get('schema')!r}", f"This Holdfast reads schema {SCHEMA}.")
        for key in ("cluster", "repository", "access"):
            if key not in raw:
                raise _bad(where, f"{key!r} is missing", "Compare it with docs/reference/configuration.md.")
        for key in ("repository", "access"):
            _require_text(raw[key], where, key)
        repository = raw["repository"]
        if not isinstance(repository, str) or not os.path.isabs(repository):
            raise _bad(where, f"repository is {repository!r}", "Give an absolute path.")
        state_dir = raw.get("state_dir", DEFAULT_STATE_DIR)
        if not isinstance(state_dir, str) or not os.path.isabs(state_dir):
            raise _bad(where, f"state_dir is {state_dir!r}", "Give an absolute path.")
        for key in _OBJECTS:
            if not isinstance(raw.get(key, {}), dict):
                raise _bad(where, f"{key} is {raw[key]!r}", "Give a JSON object.")
        retention = RetentionPolicy.from_config(raw.get("retention", {}))
        return cls(
            cluster=cluster_name(raw["cluster"]),
            repository=Path(repository),
            access=access_from_config(raw["access"], where),
            backup=BackupOptions.from_config(raw.get("backup", {}), where),
            retention=retention,
            source=source,
            guard=GuardPolicy.from_config(raw.get("guard", {}), where),
            deploy=DeployOptions.from_config(raw.get("deploy", {}), where),
            verify=VerifyOptions.from_config(raw.get("verify", {}), where),
            schedule=ScheduleOptions.from_config(raw.get("schedule", {}), where, retention.timezone),
            monitor=MonitorOptions.from_config(raw.get("monitor", {}), where),
            state_dir=Path(state_dir),
        )


def cluster_name(value: Any) -> str:
    """Check the name of a cluster: it becomes a file name.

    :raises ConfigError: anything but letters, digits, dot, dash and underscore.
    """
    if not isinstance(value, str) or not _CLUSTER.fullmatch(value):
        raise ConfigError(
            "use",
            f"cluster name {value!r}",
            "it is not a plain name",
            "Use letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 63 of them.",
        )
    return value


def load(cluster: Optional[str], config_dir: Optional[str] = None) -> ClusterConfig:
    """Read and validate the configuration of a cluster.

    :param cluster: its name; None picks the only one that is configured on this host.
    :param config_dir: where the files are; None means ``$HOLDFAST_CONFIG_DIR`` or ``/etc/holdfast``.
    :raises ConfigError: no such file, not readable, not JSON, or not valid.
    """
    directory = Path(config_dir or os.environ.get("HOLDFAST_CONFIG_DIR") or DEFAULT_DIR)
    path = directory / f"{cluster_name(cluster)}.json" if cluster else _only_one(directory)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(names_in(directory)) or "none"
        raise ConfigError(
            "find",
            f"cluster {cluster}",
            f"there is no {path}",
            f"Clusters configured there: {known}. Run the agent role for this host, or pass --config-dir.",
            config_dir=str(directory),
            known=names_in(directory),
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(str(path), str(error), "Make it readable for this account.") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise _bad(
            str(path), f"it is not valid JSON ({error})", "Mend it, or render it again with the agent role."
        ) from error
    config = ClusterConfig.from_mapping(raw, str(path), path)
    if config.cluster != path.stem:
        raise _bad(
            str(path),
            f"it says cluster {config.cluster!r}",
            "The file is named after its cluster: rename one of the two.",
        )
    return config


def names_in(directory: Path) -> list[str]:
    """The clusters that are configured below a directory, sorted."""
    return sorted(path.stem for path in directory.glob("*.json") if _CLUSTER.fullmatch(path.stem))


def _only_one(directory: Path) -> Path:
    names = names_in(directory)
    if len(names) != 1:
        raise ConfigError(
            "choose",
            "a cluster",
            f"{len(names)} clusters are configured in {directory}",
            f"Name one with --cluster: {', '.join(names)}."
            if names
            else "Run the agent role for this host, or pass --config-dir.",
        )
    return directory / f"{names[0]}.json"


def _require_text(value: Any, where: str, name: str) -> None:
    """Refuse text that no file, program or server can be told: it would fail half-way, and less clearly.

    :raises ConfigError: a NUL, or half of a surrogate pair, which JSON can write.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _require_text(inner, where, f"{name}.{key}")
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _require_text(inner, where, name)
    elif isinstance(value, str) and ("\0" in value or any("\ud800" <= character <= "\udfff" for character in value)):
        raise _bad(where, f"{name} is {value!r}", "Give plain text: it has a character that cannot be used.")


def _compression(value: Any, where: str) -> Compression:
    known = "Give auto, none, gzip, zstd or lz4, with a level if you like: zstd:1."
    if not isinstance(value, str) or not value.isascii():
        raise _bad(where, f"backup.compression is {value!r}", known)
    try:
        return Compression.parse(value)
    except ConfigError as error:
        raise _bad(where, f"backup.compression is {value!r}", error.next_step) from error


def _strings(value: Any, where: str, name: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) and item for item in value):
        raise _bad(where, f"{name} is {value!r}", "Give a list of non-empty strings.")
    return tuple(value)


def _bad(where: str, reason: str, next_step: str) -> ConfigError:
    return ConfigError("read", f"configuration {where}", reason, next_step)
