"""The reference is generated: what is committed is what the sources say now."""

from __future__ import annotations

import pytest

from tools import completion, reference


@pytest.fixture(scope="module")
def wanted() -> dict[str, str]:
    return reference.pages()


def test_the_reference_is_up_to_date(wanted: dict[str, str]) -> None:
    committed = {path.name: path.read_text() for path in reference.TARGET.glob("*.md") if reference.is_generated(path)}
    outdated = {name for name in wanted.keys() | committed.keys() if wanted.get(name) != committed.get(name)}
    assert outdated == set(), "run `make docs`"


@pytest.mark.parametrize(
    ("marked", "read"),
    [
        ("C(pg_dump) of O(cluster)", "`pg_dump` of `cluster`"),
        ("V(a \\(b\\)), then", "`a (b)`, then"),
        ("M(community.docker.docker_volume)", "`community.docker.docker_volume`"),
        ("the POSIX(7) page", "the POSIX(7) page"),
        ("L(the manual, ../a.md)", "[the manual](../a.md)"),
    ],
)
def test_the_markup_of_ansible_becomes_markdown(marked: str, read: str) -> None:
    assert reference.prose(marked) == read


def test_the_completion_is_up_to_date() -> None:
    assert completion.TARGET.read_text() == completion.completion(), "make docs writes it anew"
