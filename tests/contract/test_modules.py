"""A module does what its documentation says: same options, documented results, examples that parse."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests.contract.library import NAMES, ROOT, SOURCES, argument_spec, documentation

DOCUMENTS = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
LINES_OF_CODE = 80

every_module = pytest.mark.parametrize("name", NAMES)


def facts(options: Mapping[str, Mapping[str, Any]], inner: str) -> dict[str, dict[str, Any]]:
    """Reduce options, from documentation or from code, to what both of them state."""
    return {
        name: {
            "type": option.get("type", "str"),
            "required": bool(option.get("required", False)),
            "default": option.get("default"),
            "choices": list(option["choices"]) if option.get("choices") else None,
            "elements": option.get("elements"),
            "aliases": sorted(option.get("aliases", [])),
            "options": facts(option.get(inner) or {}, inner),
        }
        for name, option in options.items()
    }


def lines_of_code(source: str) -> int:
    """Count the lines below the documentation that hold more than a comment or a docstring."""
    tree = ast.parse(source)
    below = max(
        node.end_lineno or 0
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in DOCUMENTS
    )
    texts: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            texts.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    silent = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    spoken = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in silent
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len({line for line in spoken - texts if line > below})


def undocumented(results: Mapping[str, Mapping[str, Any]], where: str = "") -> list[str]:
    """List the results, at every depth, that lack a description or a type, or do not say when they come."""
    lacking = []
    for name, result in results.items():
        wanted = {"description", "type"} if where else {"description", "type", "returned"}
        lacking += [f"{where}{name}: {word}" for word in sorted(wanted) if not result.get(word)]
        lacking += undocumented(result.get("contains") or {}, f"{where}{name}.")
    return lacking


@every_module
def test_documented_options_are_the_arguments(name: str) -> None:
    assert facts(documentation()[name]["doc"]["options"], "suboptions") == facts(argument_spec(name), "options")


@every_module
def test_every_result_is_documented(name: str) -> None:
    assert undocumented(documentation()[name]["return"]) == []


@every_module
def test_it_says_what_it_supports(name: str) -> None:
    assert {"check_mode", "diff_mode", "idempotent"} <= set(documentation()[name]["doc"]["attributes"])


@every_module
def test_the_examples_use_it_with_options_that_it_has(name: str) -> None:
    tasks = yaml.safe_load(documentation()[name]["examples"])
    own = [task[name] for task in tasks if name in task]
    assert own
    assert set().union(*own) <= set(documentation()[name]["doc"]["options"])


@pytest.mark.parametrize("source", SOURCES, ids=NAMES)
def test_it_is_thin(source: Any) -> None:
    assert lines_of_code(source.read_text()) <= LINES_OF_CODE


def test_fragments_are_used() -> None:
    sources = "".join(source.read_text() for source in SOURCES)
    fragments = [path.stem for path in (ROOT / "plugins" / "doc_fragments").glob("*.py")]
    assert [fragment for fragment in fragments if f"- {fragment}" not in sources] == []
