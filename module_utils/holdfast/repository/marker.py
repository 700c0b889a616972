# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The marker: the file that says which repository a directory is, so that an empty mount point is none."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from ..errors import RepositoryError
from . import durable

MARKER = "holdfast-repository.json"
_SCHEMA = 1


def make_repository(path: Path, cluster: str, created: str) -> Mapping[str, Any]:
    """Make the directories of a new repository, where nothing is yet, and its marker.

    :raises RepositoryError: something is there already, or it cannot be written.
    """
    try:
        path.mkdir(mode=durable.DIRECTORY_MODE, parents=True, exist_ok=True)
        if (path / MARKER).exists():
            raise RepositoryError("create", f"repository {path}", "there is one already", "Use it as it is.")
        for left in path.glob(f".{MARKER}.*.tmp"):
            left.unlink()  # by a run that was killed
        foreign = sorted(set(os.listdir(path)) - {"lost+found", "backups", "state"})
        if foreign:
            raise RepositoryError(
                "create",
                f"repository {path}",
                f"the directory holds other things ({', '.join(foreign[:5])})",
                "Give an empty directory: a repository shares its directory with nothing.",
                found=foreign[:50],
            )
        os.chmod(path, durable.DIRECTORY_MODE)
        for name in ("backups", "state"):
            (path / name).mkdir(mode=durable.DIRECTORY_MODE, exist_ok=True)
        marker = {"schema": _SCHEMA, "id": secrets.token_hex(16), "cluster": cluster, "created": created}
        durable.replace_file(path / MARKER, durable.to_json(marker))
    except OSError as error:
        durable.refuse(error, "create", path)
    return marker


def read_marker(path: Path, cluster: str, expected_id: Optional[str]) -> Mapping[str, Any]:
    """Read the marker of a repository and see that it is the right one.

    :param expected_id: the id that this host remembers; None when it remembers none.
    :raises RepositoryError: no marker, not readable, another cluster's, or another one than remembered.
    """
    try:
        marker = json.loads((path / MARKER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RepositoryError(
            "open",
            f"repository {path}",
            f"there is no {MARKER} in it",
            "If its disk is not mounted, mount it. If this is a new cluster, run 'holdfast init' (or the agent role) once.",
            path=str(path),
        ) from None
    except OSError as error:
        durable.refuse(error, "open", path)
    except ValueError as error:
        raise RepositoryError(
            "open", f"repository {path}", f"its {MARKER} is damaged ({error})", "Restore that file from a copy."
        ) from error
    if not isinstance(marker, dict) or marker.get("schema") != _SCHEMA or not isinstance(marker.get("id"), str):
        raise RepositoryError(
            "open", f"repository {path}", f"its {MARKER} is of an unknown form", "Use the Holdfast that made it."
        )
    if marker.get("cluster") != cluster:
        raise RepositoryError(
            "open",
            f"repository {path}",
            f"it belongs to cluster {marker.get('cluster')!r}, not to {cluster!r}",
            "Give every cluster a repository directory of its own.",
            cluster=marker.get("cluster"),
        )
    if expected_id is not None and marker["id"] != expected_id:
        raise RepositoryError(
            "open",
            f"repository {path}",
            "it is another one than this host used until now",
            "Is the right disk mounted there? If the change is meant, remove the <cluster>.repository-id file beside the configuration.",
            found=marker["id"],
            expected=expected_id,
        )
    return marker
