# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of services, and the images that deployments leave behind, whatever happened before."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from holdfast.services.pins import Pins
from holdfast.services.service import Service, in_order

SERVICES = st.sampled_from(["web", "worker", "mail"])
TAGS = st.sampled_from(["app:1", "app:2", "app:3"])


@given(st.dictionaries(st.sampled_from("abcdefg"), st.sets(st.sampled_from("abcdefg")), max_size=7))
def test_every_service_once_each_after_those_it_needs(needs: dict[str, set[str]]) -> None:
    acyclic = {name: {other for other in others if other < name} for name, others in needs.items()}
    services = {
        name: Service(name, "app:1", "", {"depends_on": dict.fromkeys(others)}, (), {})
        for name, others in acyclic.items()
    }
    ordered = in_order(services)
    assert sorted(ordered) == sorted(acyclic)
    for name, others in acyclic.items():
        assert all(ordered.index(other) < ordered.index(name) for other in others if other in acyclic)


@given(st.lists(st.tuples(st.booleans(), SERVICES, TAGS), max_size=8))
def test_the_last_word_on_an_image_counts_whoever_said_it(history: list[tuple[bool, str, str]]) -> None:
    """Somebody edits the compose file, somebody deploys an image: each in turn decides."""
    base = {"web": "app:1", "worker": "app:1", "mail": "app:1"}
    meant = dict(base)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "compose.yml"
        file.write_text("services: {}\n")
        for by_hand, service, tag in history:
            before = base[service]
            if by_hand:
                base[service] = tag
            # Who writes what stood there already has said nothing.
            if not by_hand or tag != before:
                meant[service] = tag
            pins = Pins.read(directory, (str(file),)).for_deployment(base, {} if by_hand else {service: tag})
            pins.write()
        images = {**base, **Pins.read(directory, (str(file),)).images}
    assert images == meant
