# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a service's compose file says about how it can be deployed, and which image it is to have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import ConfigError
from holdfast.postgres.mounts import Mount
from holdfast.services.pins import Pins, is_pins, override_name
from holdfast.services.service import Service, check_image, repository_of


def service(name: str = "web", mounts: tuple[Mount, ...] = (), **facts: Any) -> Service:
    return Service(name, "app:1", "hash", facts, mounts, {})


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"ports": [{"target": 8000}]},
        {"ports": [{"target": 8000, "published": "0"}]},
        {"ports": ["8000", "8000/tcp"]},
        {"ports": ["0:8000"]},
        {"expose": ["8000"]},
        {"network_mode": "bridge"},
        {"networks": {"default": None}},
        {"networks": ["default"]},
    ],
)
def test_a_service_can_run_twice(facts: dict[str, Any]) -> None:
    assert service(**facts).why_only_one() == []


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"ports": [{"target": 80, "published": "8080"}]}, "it publishes a fixed port (8080)"),
        ({"ports": ["8080:80"]}, "it publishes a fixed port (8080)"),
        ({"ports": ["127.0.0.1:8080:80/tcp"]}, "it publishes a fixed port (8080)"),
        ({"container_name": "web"}, "it has a fixed container name (web)"),
        ({"network_mode": "host"}, "its network mode is host"),
        ({"networks": {"default": {"ipv4_address": "172.30.0.9"}}}, "it has a fixed address"),
    ],
)
def test_a_service_cannot_run_twice(facts: dict[str, Any], why: str) -> None:
    assert service(**facts).why_only_one() == [why]


def test_two_should_not_write_to_the_same_place() -> None:
    data, settings = Mount("/data", "volume", "redis_data"), Mount("/etc/app", "bind", "/opt/app", writable=False)
    assert service(mounts=(settings, Mount("/tmp", "memory"))).why_only_one() == []
    assert service(mounts=(data,)).why_only_one() == ["two would write to the same place (redis_data)"]


@pytest.mark.parametrize(
    ("facts", "image", "has"),
    [
        ({"healthcheck": {"test": ["CMD", "true"]}}, None, True),
        ({"healthcheck": {"disable": True}}, {"Config": {"Healthcheck": {"Test": ["CMD", "true"]}}}, False),
        ({"healthcheck": {"test": ["NONE"]}}, None, False),
        ({}, {"Config": {"Healthcheck": {"Test": ["CMD", "true"]}}}, True),
        ({}, {"Config": {}}, False),
        ({}, None, False),
    ],
)
def test_a_healthcheck_is_the_files_or_the_images(facts: Any, image: Any, has: bool) -> None:
    assert service(**facts).has_healthcheck(image) is has


def test_replicas_are_what_the_file_asks_for() -> None:
    assert service().replicas is None
    assert service(scale=3).replicas == 3
    assert service(deploy={"replicas": 2}).replicas == 2


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("app", "app"),
        ("app:1", "app"),
        ("reg:5000/app", "reg:5000/app"),
        ("reg:5000/team/app:1", "reg:5000/team/app"),
        ("reg:5000/app:1@sha256:abc", "reg:5000/app"),
        ("app@sha256:abc", "app"),
    ],
)
def test_the_name_of_an_image_without_its_tag(reference: str, repository: str) -> None:
    assert repository_of(reference) == repository


@pytest.mark.parametrize("name", ["", "-v", "a b", "a\nb", "ä"])
def test_what_cannot_be_an_image_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        check_image(name)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "compose.yml").write_text("services: {web: {image: 'app:1'}}\n")
    return tmp_path


def pins(directory: Path, *files: str) -> Pins:
    return Pins.read(str(directory), tuple(str(directory / file) for file in files or ("compose.yml",)))


def test_images_are_kept_where_compose_finds_them(directory: Path) -> None:
    deployed = pins(directory).for_deployment({"web": "app:1"}, {"web": "app:2"})
    deployed.write()
    assert (directory / "compose.override.yml").exists()
    again = pins(directory)
    assert (again.images, again.instead_of, again.found_by_compose) == ({"web": "app:2"}, {"web": "app:1"}, True)


def test_a_deployment_without_an_image_keeps_what_the_last_one_set(directory: Path) -> None:
    pins(directory).for_deployment({"web": "app:1"}, {"web": "app:2"}).write()
    assert pins(directory).for_deployment({"web": "app:1"}, {}).images == {"web": "app:2"}


def test_a_compose_file_that_was_changed_since_then_wins(directory: Path) -> None:
    pins(directory).for_deployment({"web": "app:1"}, {"web": "app:2"}).write()
    deployed = pins(directory).for_deployment({"web": "app:3"}, {})
    assert deployed.images == {}
    deployed.write()
    assert not (directory / "compose.override.yml").exists()


def test_the_image_that_the_file_names_needs_none(directory: Path) -> None:
    assert pins(directory).for_deployment({"web": "app:1"}, {"web": "app:1"}).images == {}


def test_a_file_of_somebody_elses_is_left_alone(directory: Path) -> None:
    theirs = directory / "compose.override.yml"
    theirs.write_text("services: {web: {environment: {A: b}}}\n")
    found = pins(directory)
    assert (found.path.name, found.found_by_compose) == ("holdfast.images.yml", False)
    assert not is_pins(theirs)


def test_a_project_of_several_files_keeps_them_beside(directory: Path) -> None:
    assert pins(directory, "compose.yml", "more.yml").path.name == "holdfast.images.yml"


def test_a_file_that_was_damaged_is_refused(directory: Path) -> None:
    pins(directory).for_deployment({"web": "app:1"}, {"web": "app:2"}).write()
    path = directory / "compose.override.yml"
    path.write_text(path.read_text()[:-10])
    with pytest.raises(ConfigError, match="not as Holdfast wrote it"):
        pins(directory)


def test_compose_1_wants_the_version_of_the_format_in_every_file(directory: Path) -> None:
    (directory / "compose.yml").write_text('version: "3.8"\nservices: {web: {image: "app:1"}}\n')
    assert '"version": "3.8"' in pins(directory).for_deployment({"web": "app:1"}, {"web": "app:2"}).to_text()


def test_the_name_that_compose_looks_for() -> None:
    assert override_name(("/opt/shop/docker-compose.yaml",)) == "docker-compose.override.yaml"
    assert override_name(()) == "compose.override.yml"
