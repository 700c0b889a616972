# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sign evidence with an SSH key, so that an auditor can check it with stock tools (``ssh-keygen -Y verify``)."""

from __future__ import annotations

from pathlib import Path

from ..errors import AccessError
from ..system import Command, System, private_directory

#: What the signature is for: one for evidence is none for anything else. Source: ssh-keygen(1), "-n namespace".
NAMESPACE = "holdfast-evidence"


def sign(path: Path, key: str, system: System) -> bytes:
    """The signature of a file.

    :param key: path of a private key, or of a public one whose private one an agent holds.
    :raises AccessError: there is no ssh-keygen, or it refuses the key.
    """
    try:
        # ssh-keygen writes the signature beside what it signs, and asks before it writes over one.
        with private_directory("signature") as private:
            copy = private / path.name
            copy.write_bytes(path.read_bytes())
            done = system.run(Command(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", NAMESPACE, str(copy)]))
            if done.returncode != 0:
                raise _refused(path, done.last_error)
            return copy.with_name(copy.name + ".sig").read_bytes()
    except OSError as error:
        raise _refused(path, str(error)) from error


def _refused(path: Path, reason: str) -> AccessError:
    return AccessError(
        "sign", str(path), reason,
        "Make verify.signing_key an SSH key without a passphrase that this account can read; the evidence is there unsigned.",
    )  # fmt: skip
