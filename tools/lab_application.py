# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's sample application, in all its releases, and the proxy in front of it. No registry has these."""

from __future__ import annotations

from tools.lab_engine import say
from tools.lab_images import INPUTS_DIR, build, ensure_base, inputs_hash, up_to_date

APPLICATION = INPUTS_DIR / "application"
PROXY = INPUTS_DIR / "proxy"
SUITE = "trixie"

#: The release of PostgreSQL that the application's compose file names.
POSTGRES = "17"
RELEASES = tuple(sorted(path.stem for path in (APPLICATION / "releases").glob("*.toml")))
IMAGES = (*(f"shop-app:{release}" for release in RELEASES), "shop-proxy:1")


def ensure_image(name: str, mirror: str | None) -> str:
    """Make sure that one of `IMAGES` exists, and return the name that the lab gives it.

    Args:
        name: one of `IMAGES`.
        mirror: the Debian mirror to build from; None is this machine's own.
    """
    image = f"holdfast-lab/{name}"
    repository, _, tag = name.partition(":")
    arguments = {"VERSION": tag} if repository == "shop-app" else {}
    context = APPLICATION if repository == "shop-app" else PROXY
    inputs = inputs_hash(context, tag)
    if not up_to_date(image, inputs):
        base = ensure_base(SUITE, mirror)
        say(f"building {image}")
        build(image, context, inputs, BASE=base, **arguments)
    return image
