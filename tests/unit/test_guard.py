# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guard compares and how it weighs it, where no server is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from holdfast.config import ClusterConfig
from holdfast.errors import AccessError, ConfigError
from holdfast.operations.checks import Check, worst
from holdfast.operations.guard import guard
from holdfast.operations.guard_compose import configured_volume
from holdfast.operations.guard_survey import GuardRequest, Survey
from holdfast.postgres import datadir, volume
from holdfast.postgres.compose import Project
from holdfast.postgres.identity import differences
from holdfast.postgres.image import declared_volumes, default_data_directory, major_of
from holdfast.reporting.show_guard import guard as shown
from holdfast.system import System

IDENTITY = {
    "engine": "docker",
    "container": "c1",
    "image": "i1",
    "started_at": "t1",
    "system_identifier": "7",
    "volume": "v1",
    "data_directory": "/d",
}
CANDIDATE = {"content": "services: {}", "project": "p", "service": "db", "directory": "/opt/p", "volume": "p_data"}


def config(guard: Mapping[str, Any] | None = None, source: Path | None = None) -> ClusterConfig:
    """A cluster in a container."""
    raw = {"schema": 1, "cluster": "shop", "repository": "/r", "access": {"kind": "container", "container": "db"}}
    return ClusterConfig.from_mapping({**raw, "guard": guard or {}}, "test", source)


@pytest.mark.parametrize("key", ["container", "started_at", "system_identifier", "volume", "data_directory"])
def test_a_server_that_differs_in_one_fact_is_another_one(key: str) -> None:
    (found,) = differences(IDENTITY, {**IDENTITY, key: "other"})
    assert found == f"{key} was {IDENTITY[key]}, is other"


def test_a_server_is_itself() -> None:
    assert differences(IDENTITY, IDENTITY) == []


def test_a_fact_that_could_not_be_seen_is_no_difference_but_nothing_at_all_is() -> None:
    assert differences({**IDENTITY, "system_identifier": None}, IDENTITY) == []
    assert differences(IDENTITY, dict.fromkeys(IDENTITY)) != []


@pytest.mark.parametrize("given", [{}, [], "x", {"identity": None}, {"started_at": "t"}])
def test_what_is_no_identity_is_refused(given: Any) -> None:
    with pytest.raises(ConfigError, match="earlier result"):
        GuardRequest.from_arguments(None, given)


def test_an_identity_may_be_given_with_the_whole_result_around_it() -> None:
    assert GuardRequest.from_arguments(None, {"verdict": "ok", "identity": IDENTITY}).identity == IDENTITY
    assert GuardRequest.from_arguments(None, IDENTITY).identity == IDENTITY


@pytest.mark.parametrize(("level", "verdict"), [("error", "error"), ("warning", "warning"), ("ignore", "ok")])
def test_a_finding_weighs_what_the_policy_says(level: str, verdict: str) -> None:
    survey = Survey("shop")
    survey.ok("data", "fine")
    survey.by_policy(level, "fsync", "fsync is off", "Set it.")
    assert survey.as_dict()["verdict"] == verdict


def test_the_verdict_is_the_worst_result() -> None:
    assert worst([]) == "ok"
    assert worst([Check("a", "warning", ""), Check("b", "error", ""), Check("c", "ok", "")]) == "error"


def test_what_is_shown_has_a_line_for_each_check_and_what_to_do() -> None:
    survey = Survey("shop")
    survey.ok("data", "fine")
    survey.fail("volume", "it is\nanother one", "Correct it.")
    assert shown(survey.as_dict()).splitlines() == [
        "ok       data: fine",
        "error    volume: it is\\nanother one",
        "         Correct it.",
        "cluster shop: error",
    ]


@pytest.mark.parametrize(
    ("environment", "reference", "major"),
    [
        (["PG_MAJOR=17"], "whatever", 17),
        (["PG_MAJOR=17"], "postgres:18", 17),
        ([], "postgres:18.1-alpine", 18),
        ([], "example.org:5000/library/postgres:16", 16),
        ([], "timescale/timescaledb:2", None),
        ([], "postgres:latest", None),
        ([], "postgres", None),
    ],
)
def test_an_image_says_its_version_or_its_tag_does(environment: list[str], reference: str, major: int | None) -> None:
    assert major_of({"Config": {"Env": environment}}, reference) == major


def test_the_stock_image_has_its_data_elsewhere_from_18_on() -> None:
    assert default_data_directory("postgres:17") == "/var/lib/postgresql/data"
    assert default_data_directory("postgres:18") == "/var/lib/postgresql/18/docker"
    assert declared_volumes(None, "postgres:17") == ["/var/lib/postgresql/data"]
    assert declared_volumes(None, "postgres:18") == ["/var/lib/postgresql"]
    assert declared_volumes({"Config": {"Volumes": {"/x": {}}}}, "postgres:18") == ["/x"]


def test_links_out_of_a_data_directory_are_followed(tmp_path: Path) -> None:
    (tmp_path / "pg_tblspc").mkdir()
    (tmp_path / "pg_wal").symlink_to("/wal")
    (tmp_path / "pg_tblspc" / "16400").symlink_to("../../space")

    found = datadir.parts("/pg/data", datadir.links(tmp_path), lambda _path: None, [])

    assert [(part.name, part.path) for part in found] == [
        ("tablespace 16400", "/pg/space"),
        ("WAL directory", "/wal"),
    ]
    assert datadir.links(tmp_path / "absent") is None
    by_server = datadir.parts("/pg/data", None, lambda _path: None, ["/space"])
    assert [(part.name, part.path) for part in by_server] == [("tablespace", "/space")]


@pytest.mark.parametrize("place", [".", "pg", "18/docker"])
def test_a_data_directory_in_a_volume_is_found_and_its_databases_are_none(tmp_path: Path, place: str) -> None:
    directory = tmp_path / place
    (directory / "base" / "1").mkdir(parents=True)
    (directory / "global").mkdir()
    for one in (directory, directory / "base" / "1"):
        (one / "PG_VERSION").write_text("17\n")
    assert volume.data_directories(str(tmp_path)) == [(place, 17)]
    assert volume.pg_version(str(directory)) == 17
    assert volume.pg_version(str(tmp_path / "absent")) is None


def test_a_project_is_found_again_by_the_labels_of_its_container() -> None:
    labels = {
        "project": "shop",
        "service": "db",
        "project.working_dir": "/opt/shop",
        "project.config_files": "compose.yml,/etc/over.yml",
        "project.environment_file": "/opt/shop/.env",
    }
    found = Project.of_container({f"com.docker.compose.{key}": value for key, value in labels.items()})
    assert found == Project("shop", "db", "/opt/shop", ("/opt/shop/compose.yml", "/etc/over.yml"), ("/opt/shop/.env",))
    assert Project.of_container({"com.docker.compose.project": "shop"}) is None


def test_the_volume_that_the_host_is_configured_for_is_known(tmp_path: Path) -> None:
    file = tmp_path / "shop.json"
    assert configured_volume(config(source=file)) is None
    for content in ("{", "[]", json.dumps({"guard": None}), json.dumps({"guard": {"volume": 7}})):
        file.write_text(content)
        assert configured_volume(config(source=file)) is None
    file.write_text(json.dumps({"guard": {"volume": "shop_data"}}))
    assert configured_volume(config(source=file)) == "shop_data"
    assert configured_volume(config({"volume": "other"}, source=file)) == "other"


def test_on_a_host_without_an_engine_there_is_nothing_to_lose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    found = guard(config(), GuardRequest.from_arguments(CANDIDATE, None), System())

    assert found["verdict"] == "ok"
    assert found["compose"]["action"] == "create"
    assert found["engine"] == {"present": False, "compose": None}
    with pytest.raises(AccessError, match="there is no docker on this host"):
        guard(config(), GuardRequest(), System())


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"fsync": "maybe"}, "guard.fsync"),
        ({"checksums": True}, "guard.checksums"),
        ({"volume": ""}, "guard.volume"),
        ({"volume": "a/b"}, "guard.volume"),
        ({"volume": 7}, "guard.volume"),
        ({"volum": "x"}, "unknown keys ['volum']"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(section: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config(section)
    assert told in str(refused.value)


def test_a_policy_has_the_defaults_that_a_dba_would_choose() -> None:
    found = config({"volume": None, "collation": "warning"}).guard
    assert (found.volume, found.checksums, found.fsync, found.collation) == (None, "warning", "error", "warning")
    assert config({"volume": "/srv/pg"}).guard.volume == "/srv/pg"
