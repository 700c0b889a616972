# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The password of an account: given, or kept in a file of the host that is generated once."""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from ..errors import ConfigError
from ..repository import durable

#: 32 random bytes: nobody types this password, and nobody guesses it.
_RANDOM_BYTES = 32
_LONGEST = 1024


@dataclass(frozen=True)
class Password:
    """A password, and the file that is to hold it. Its value is part of no message, result or diff.

    :param state: of the file: ``current``, ``absent`` or ``outdated``; None where no file was asked for.
    """

    value: str = field(repr=False)
    file: Optional[Path] = None
    state: Optional[str] = None

    @property
    def must_be_written(self) -> bool:
        """Whether the file does not hold it yet."""
        return self.state in ("absent", "outdated")


def decide(given: Optional[str], path: Optional[str]) -> Optional[Password]:
    """The password that is wanted, without writing anything; None where none is.

    What is given goes before what the file holds; where there is neither, a new one is generated.

    :raises ConfigError: a password that cannot be one, or a file that cannot be read or that others may read.
    """
    if given is not None:
        _require_usable(given, "the password")
    if path is None:
        return None if given is None else Password(given)
    file = Path(path)
    if not file.is_absolute():
        raise ConfigError("use", f"password file {path}", "its path is not absolute", "Give an absolute path.")
    held = _read(file)
    if given is None:
        return Password(held or secrets.token_urlsafe(_RANDOM_BYTES), file, "current" if held else "absent")
    return Password(given, file, "absent" if held is None else "current" if held == given else "outdated")


def write(password: Password) -> None:
    """Write the file durably, readable for this account alone; directories that are missing are private too.

    :raises ConfigError: it cannot be written.
    """
    if password.file is None or not password.must_be_written:
        return
    try:
        for directory in [one for one in reversed(password.file.parents) if not one.exists()]:
            durable.make_directory(directory)
        durable.replace_file(password.file, password.value.encode("utf-8") + b"\n")
    except OSError as error:
        raise _unusable("write", password.file, error) from error


def _read(file: Path) -> Optional[str]:
    try:
        facts = os.stat(file)
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigError("read", f"password file {file}", "it is no ordinary file", "Name a file.")
        if facts.st_mode & 0o077:
            raise ConfigError(
                "use",
                f"password file {file}",
                "others than its owner may read it",
                f"Run chmod 600 {file}; if others could log in meanwhile, put another password into it.",
            )
        text = durable.read_file(str(file)).decode("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable("read", file, error) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            "read", f"password file {file}", "it is not UTF-8 text", "Put the password into it."
        ) from error
    password = text[:-1] if text.endswith("\n") else text
    _require_usable(password, f"password file {file}")
    return password


def _require_usable(password: str, what: str) -> None:
    """Refuse what a passfile, a server or a line of a file cannot hold.

    :raises ConfigError: it is empty, too long, has a line break or NUL, or is no text.
    """
    reason = None
    if not password:
        reason = "it is empty"
    elif len(password) > _LONGEST:
        reason = f"it is longer than {_LONGEST} characters"
    elif any(character in password for character in "\r\n\0"):
        reason = "it has a line break or a NUL in it"
    elif any("\ud800" <= character <= "\udfff" for character in password):
        reason = "it is not UTF-8 text"
    if reason:
        raise ConfigError("use", what, reason, "Give a password of one line, or leave it out to have one generated.")


def _unusable(verb: str, file: Path, error: OSError) -> ConfigError:
    reason = f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
    return ConfigError(verb, f"password file {file}", reason, "Run as root, or name a file that this account may use.")
