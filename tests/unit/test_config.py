# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A configuration that is wrong is refused with exit code 2 and the name of what is wrong."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest

from holdfast import cli
from holdfast.config import BackupOptions, ClusterConfig, load
from holdfast.errors import ConfigError
from holdfast.postgres.access import ContainerAccess, HostAccess
from holdfast.repository.retention import TIERS

GOOD: dict[str, Any] = {
    "schema": 1,
    "cluster": "shop",
    "repository": "/var/backups/holdfast/shop",
    "access": {"kind": "host", "host": "/run/postgresql", "port": 5432, "user": "postgres"},
    "backup": {"jobs": 2, "compression": "auto", "fingerprint": "digest"},
    "retention": {"timezone": "Europe/Berlin", "minimum": 3, "daily": "7 days"},
}
ABSENT = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    """A good configuration with one value changed: `backup.jobs`; an absent one is taken away."""
    raw = copy.deepcopy(GOOD)
    *sections, key = path.split(".")
    where = raw
    for section in sections:
        where = where[section]
    if value is ABSENT:
        del where[key]
    else:
        where[key] = value
    return raw


def write(directory: Path, content: Any, name: str = "shop") -> Path:
    path = directory / f"{name}.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def refusal(raw: Any) -> str:
    with pytest.raises(ConfigError) as refused:
        ClusterConfig.from_mapping(raw, "/etc/holdfast/shop.json")
    assert refused.value.exit_code == 2
    return str(refused.value)


BAD = [
    ("schema", ABSENT, "schema"),
    ("schema", 2, "schema"),
    ("schema", "1", "schema"),
    ("schema", True, "schema"),
    ("cluster", ABSENT, "'cluster'"),
    ("cluster", "", "cluster name"),
    ("cluster", "../shop", "cluster name"),
    ("cluster", "-v", "cluster name"),
    ("cluster", "shop/eu", "cluster name"),
    ("cluster", "shop\n", "cluster name"),
    ("cluster", "s" * 64, "cluster name"),
    ("cluster", 7, "cluster name"),
    ("cluster", None, "cluster name"),
    ("repository", ABSENT, "'repository'"),
    ("repository", "backups", "repository"),
    ("repository", "", "repository"),
    ("repository", 7, "repository"),
    ("repository", "/var/\0", "repository"),
    ("repository", "/var/\ud800", "repository"),
    ("retentions", {}, "retentions"),
    ("access", ABSENT, "'access'"),
    ("access", None, "access"),
    ("access", "host", "access"),
    ("access.kind", ABSENT, "access.kind"),
    ("access.kind", "ssh", "access.kind"),
    ("access.port", 0, "access.port"),
    ("access.port", 65536, "access.port"),
    ("access.port", "5432", "access.port"),
    ("access.port", True, "access.port"),
    ("access.port", 54.32, "access.port"),
    ("access.user", "", "access.user"),
    ("access.user", 7, "access.user"),
    ("access.user", "a\0b", "access.user"),
    ("access.user", "a\ud800", "access.user"),
    ("access.password", "secret", "access.password"),
    ("access.password", None, "access.password"),
    ("access.hostname", "db", "hostname"),
    ("access.bin_dir", ["/usr/bin"], "access.bin_dir"),
    ("access.container", "shop-db-1", "container"),
    ("backup", None, "backup"),
    ("backup", [], "backup"),
    ("backup.job", 2, "job"),
    ("backup.jobs", 0, "backup.jobs"),
    ("backup.jobs", -1, "backup.jobs"),
    ("backup.jobs", "2", "backup.jobs"),
    ("backup.jobs", 1.5, "backup.jobs"),
    ("backup.jobs", True, "backup.jobs"),
    ("backup.lock_timeout", 0, "backup.lock_timeout"),
    ("backup.lock_timeout", 2**31, "backup.lock_timeout"),
    ("backup.rate_limit", 0, "backup.rate_limit"),
    ("backup.rate_limit", 1.5, "backup.rate_limit"),
    ("backup.rate_limit", True, "backup.rate_limit"),
    ("backup.compression", "brotli", "backup.compression"),
    ("backup.compression", "gzip:10", "backup.compression"),
    ("backup.compression", "gzip:0", "backup.compression"),
    ("backup.compression", "zstd:-1", "backup.compression"),
    ("backup.compression", "zstd:²", "backup.compression"),
    ("backup.compression", "none:1", "backup.compression"),
    ("backup.compression", True, "backup.compression"),
    ("backup.fingerprint", "deep", "backup.fingerprint"),
    ("backup.fingerprint", True, "backup.fingerprint"),
    ("backup.fingerprint", [], "backup.fingerprint"),
    ("backup.exclude_table_data", "audit", "backup.exclude_table_data"),
    ("backup.exclude_table_data", [""], "backup.exclude_table_data"),
    ("backup.exclude_table_data", [7], "backup.exclude_table_data"),
    ("backup.exclude_table_data", ["a\0b"], "backup.exclude_table_data"),
    ("backup.databases", {"shop": 1}, "backup.databases"),
    ("backup.databases", ["shop", None], "backup.databases"),
    ("backup.databases", ["\udcff"], "backup.databases"),
    ("backup.role_passwords", "no", "backup.role_passwords"),
    ("backup.role_passwords", 0, "backup.role_passwords"),
    ("backup.configuration", "all", "backup.configuration"),
    ("retention", None, "retention"),
    ("retention", "7 days", "retention"),
    ("retention.hourly", "1 day", "hourly"),
    ("retention.minimum", 0, "minimum"),
    ("retention.minimum", "3", "minimum"),
    ("retention.minimum", True, "minimum"),
    ("retention.daily", "7", "daily"),
    ("retention.daily", 7, "daily"),
    ("retention.daily", "seven days", "daily"),
    ("retention.daily", "-7 days", "daily"),
    ("retention.daily", "1.5 days", "daily"),
    ("retention.failed", "soon", "failed"),
    ("retention.timezone", "Berlin", "time zone 'Berlin'"),
    ("retention.timezone", "", "time zone ''"),
    ("retention.timezone", "../etc/passwd", "time zone"),
    ("retention.timezone", 1, "time zone 1"),
]


@pytest.mark.parametrize(("path", "value", "named"), BAD, ids=[f"{path}={value!r}" for path, value, _named in BAD])
def test_a_wrong_value_is_refused_by_name(path: str, value: Any, named: str) -> None:
    message = refusal(changed(path, value))
    assert named in message
    assert message.startswith("Cannot ")


@pytest.mark.parametrize("raw", [None, [], "shop", 7, True])
def test_what_is_no_object_is_refused(raw: Any) -> None:
    assert "not a JSON object" in refusal(raw)


def test_a_policy_that_would_keep_nothing_is_refused() -> None:
    assert "would keep nothing" in refusal({**GOOD, "retention": dict.fromkeys(TIERS, "0 days")})


@pytest.mark.parametrize(
    ("access", "named"),
    [
        ({}, "which container"),
        ({"container": "db", "project": "shop", "service": "db"}, "which container"),
        ({"project": "shop"}, "which container"),
        ({"service": "db"}, "which container"),
        ({"container": "db", "service": "db"}, "which container"),
        ({"container": "db", "engine": "lxc"}, "access.engine"),
        ({"container": "db", "host": "/run"}, "host"),
        ({"container": "db", "bin_dir": "/usr/bin"}, "bin_dir"),
    ],
)
def test_a_container_has_to_be_named_in_one_way(access: dict[str, Any], named: str) -> None:
    assert named in refusal({**GOOD, "access": {"kind": "container", **access}})


def test_what_is_absent_or_null_has_its_default() -> None:
    least = {"schema": 1, "cluster": "shop", "repository": "/r", "access": {"kind": "host"}}
    config = ClusterConfig.from_mapping(least, "x")
    assert (config.access, config.backup) == (HostAccess(), BackupOptions())
    assert (config.retention.timezone, config.retention.minimum) == ("UTC", 3)
    nulls = {**least, "backup": dict.fromkeys(BackupOptions.__dataclass_fields__), "retention": {"daily": None}}
    assert ClusterConfig.from_mapping(nulls, "x") == config


def test_a_container_is_found_by_name_or_by_project_and_service() -> None:
    by_name = ClusterConfig.from_mapping(changed("access", {"kind": "container", "container": "shop-db-1"}), "x")
    assert by_name.access == ContainerAccess(container="shop-db-1")
    raw = changed("access", {"kind": "container", "engine": "podman", "project": "shop", "service": "db"})
    by_project = ClusterConfig.from_mapping(raw, "x").access
    assert isinstance(by_project, ContainerAccess)
    assert (by_project.engine, by_project.label) == ("podman", "shop/db")


def test_a_cluster_is_read_from_the_file_of_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    config = load("shop", str(tmp_path))
    assert (config.cluster, config.source, str(config.repository)) == ("shop", path, GOOD["repository"])


def test_the_only_cluster_need_not_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_CONFIG_DIR", str(tmp_path))
    with pytest.raises(ConfigError, match=r"0 clusters are configured .* Run the agent role"):
        load(None)
    write(tmp_path, GOOD)
    (tmp_path / ".shop.json").write_text("an editor's copy")
    assert load(None).cluster == "shop"
    write(tmp_path, GOOD, "crm")
    with pytest.raises(ConfigError, match=r"Name one with --cluster: crm, shop\."):
        load(None)


def test_a_file_has_the_name_of_its_cluster(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "crm")
    with pytest.raises(ConfigError, match="it says cluster 'shop'"):
        load("crm", str(tmp_path))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"{'schema': 1}", b"\xff\xfe", b"[" * 100_000, json.dumps(GOOD).encode()[:-1]],
    ids=["empty", "begun", "python", "binary", "deep", "truncated"],
)
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ConfigError, match=f"Cannot read configuration {path}: "):
        load("shop", str(tmp_path))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop.json").mkdir()
    with pytest.raises(ConfigError, match="Make it readable for this account"):
        load("shop", str(tmp_path))


def test_a_cluster_that_is_not_configured_is_told_with_those_that_are(tmp_path: Path) -> None:
    write(tmp_path, {**GOOD, "cluster": "crm"}, "crm")
    with pytest.raises(ConfigError, match=r"Clusters configured there: crm\.") as refused:
        load("shop", str(tmp_path))
    assert refused.value.details == {"config_dir": str(tmp_path), "known": ["crm"]}


@pytest.mark.parametrize("name", ["../shop", "shop/", ".", "-", "a b", "ö", "x" * 64])
def test_a_name_that_is_no_file_name_never_reaches_the_disk(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is not a plain name"):
        load(name, str(tmp_path))


@pytest.mark.parametrize(("path", "value", "named"), [BAD[1], BAD[17], BAD[47], BAD[-1]])
def test_the_program_ends_with_2_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str, value: Any, named: str
) -> None:
    write(tmp_path, changed(path, value))
    assert cli.main(["list", "--cluster", "shop", "--config-dir", str(tmp_path), "--json"]) == 2
    said = capsys.readouterr()
    assert named in said.err
    assert json.loads(said.out)["exit_code"] == 2


def test_a_setting_of_one_run_is_checked_like_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"backup\.jobs is 0"):
        BackupOptions.from_config({"jobs": 0}, "of this run")


def test_jobs_are_few_by_default() -> None:
    assert 1 <= BackupOptions().jobs <= min(4, os.cpu_count() or 1)
