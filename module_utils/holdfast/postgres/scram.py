# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a password is the one that a server keeps, told without sending it anywhere.

The server keeps no password but a verifier, ``SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>``.
Source: PostgreSQL documentation, "pg_authid"; RFC 5802 section 3. New verifiers are libpq's own work.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import stringprep
import unicodedata

_BASE64 = r"([A-Za-z0-9+/]+={0,2})"
_VERIFIER = re.compile(rf"SCRAM-SHA-256\$(\d{{1,9}}):{_BASE64}\${_BASE64}:{_BASE64}")
#: RFC 4013 section 2.3 and, as a stored password is prepared, 2.5.
_PROHIBITED = (
    stringprep.in_table_a1, stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3,
    stringprep.in_table_c4, stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7,
    stringprep.in_table_c8, stringprep.in_table_c9,
)  # fmt: skip


def matches(verifier: str, password: str) -> bool:
    """Whether a verifier is of this password. One of another kind (``md5…``) never is: it is to be replaced."""
    found = _VERIFIER.fullmatch(verifier)
    if not found:
        return False
    iterations, salt, stored_key, _server_key = found.groups()
    try:
        expected, salt_bytes = base64.b64decode(stored_key, validate=True), base64.b64decode(salt, validate=True)
    except binascii.Error:
        return False
    salted = hashlib.pbkdf2_hmac("sha256", prepare(password), salt_bytes, max(1, int(iterations)))
    client_key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), expected)


def prepare(password: str) -> bytes:
    """The bytes that a password stands for: SASLprep, or as they are where that refuses them.

    Source: RFC 4013, and pg_saslprep() of PostgreSQL's src/common/saslprep.c, whose callers go on with the raw
    password where it is no proper one.
    """
    raw = password.encode("utf-8")
    if password.isascii():
        return raw
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in password
        if not stringprep.in_table_b1(character) or stringprep.in_table_c12(character)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    if not mapped or any(table(character) for character in normal for table in _PROHIBITED):
        return raw
    if any(stringprep.in_table_d1(character) for character in normal) and (
        any(stringprep.in_table_d2(character) for character in normal)
        or not (stringprep.in_table_d1(normal[0]) and stringprep.in_table_d1(normal[-1]))
    ):
        return raw
    return normal.encode("utf-8")
