"""The verifier of a password: what libpq makes of a password is told from what it makes of another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import pq

from holdfast.postgres import scram

#: From pg_authid of a server: 4096 iterations.
KNOWN = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
    ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)  # of "pencil", RFC 7677 section 3


def verifier_of(password: str) -> str:
    """What libpq would have the server keep."""
    with_libpq = pq.PGconn.connect_start(b"host=/nowhere")
    return with_libpq.encrypt_password(password.encode(), b"somebody", b"scram-sha-256").decode()


def test_the_example_of_the_rfc_matches() -> None:
    assert scram.matches(KNOWN, "pencil")
    assert not scram.matches(KNOWN, "Pencil")


@pytest.mark.parametrize(
    "password",
    [
        "plain",
        "it's a \\ pass:word",
        " spaces ",
        "żółć 日本 🐘",
        "soft\u00adhyphen",
        "\u00aa\u2168",
        "non\u00a0breaking\u2003space",
        "zero\u200bwidth",
        "\u00ad",
        "\u0627\u0031",
        "\u0627\u0031\u0628",
        "a\u0627",
        "\u0007\u00e9",
        "e\u0301",
        "\ufb01",
        "\U0001fae0",
        "\u0221",
    ],
)
def test_it_matches_what_libpq_makes_of_the_same_password_and_of_no_other(password: str) -> None:
    verifier = verifier_of(password)
    assert scram.matches(verifier, password)
    assert not scram.matches(verifier, password + "x")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_it_agrees_with_libpq_on_any_text(password: str) -> None:
    assert scram.matches(verifier_of(password), password)


@pytest.mark.parametrize(
    "verifier",
    [
        "",
        "md5a6343a68d964ca596d9752250d54bb8a",
        "SCRAM-SHA-256$4096:AAAA$AAAA",
        "SCRAM-SHA-256$4096:A===$AAAA:AAAA",
        "SCRAM-SHA-256$0:AAAA$AAAA:AAAA",
        "SCRAM-SHA-1$4096:AAAA$AAAA:AAAA",
        KNOWN + "x",
    ],
)
def test_what_is_no_scram_verifier_matches_nothing(verifier: str) -> None:
    assert not scram.matches(verifier, "pencil")
