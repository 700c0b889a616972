# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One set of the catalogue, and the state that follows from its manifest and its marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..errors import IntegrityError
from .manifest import Manifest


@dataclass(frozen=True)
class Entry:
    """One set as the catalogue knows it.

    :param manifest: None when it cannot be read; then ``problem`` says why.
    :param marks: the content of its state file.
    """

    id: str
    manifest: Optional[Manifest]
    problem: Optional[str]
    marks: Mapping[str, Any]

    @property
    def state(self) -> str:
        """``corrupt``, ``failed``, ``proven`` or ``complete``."""
        if self.manifest is None or self.marks.get("check", {}).get("result") == "corrupt":
            return "corrupt"
        if self.manifest.outcome == "failed" or self.marks.get("drill", {}).get("result") == "failed":
            return "failed"
        names = {one["name"] for one in self.manifest.facts["databases"]}
        return "proven" if names and names <= self.proved else "complete"

    @property
    def proved(self) -> set[str]:
        """The databases of it that have been restored with the fingerprint that they had."""
        return set(self.marks.get("proof", {}).get("databases", {}))

    @property
    def known(self) -> Manifest:
        """The manifest of a set that can be read.

        :raises IntegrityError: this one's cannot.
        """
        if self.manifest is None:
            raise IntegrityError(
                "use", f"backup {self.id}", str(self.problem), "Use another backup (holdfast list).", id=self.id
            )
        return self.manifest

    @property
    def pinned(self) -> bool:
        return bool(self.marks.get("pin"))

    @property
    def of_something_wrong(self) -> bool:
        """Whether only a restore took it, of what it was about to replace."""
        return self.manifest is not None and self.manifest.tiers == ("safety",)

    @property
    def sound(self) -> bool:
        """Whether it can be restored from, as far as is known."""
        return self.state in ("complete", "proven")
