"""Write docs/reference: what modules, roles and the program say about themselves, for people to read.

    python tools/reference.py

A page that begins with GENERATED is this program's, and a contract test compares it with what this would
write. Other pages below docs/reference are somebody's own: they are listed in the index and left alone.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "module_utils"))

from holdfast import cli  # noqa: E402 -- it is installed nowhere, so its path has to come first

TARGET = ROOT / "docs" / "reference"
GENERATED = "<!-- Written by `make docs`. Change the module, the role or the program, not this page. -->\n"
PROGRAM = "holdfast"
COLUMNS = 100

# Ansible's markup of documentation: a letter, and an argument in which a backslash quotes a parenthesis.
MARKUP: dict[str, Callable[[str], str]] = {
    "B": lambda text: f"**{text}**",
    "I": lambda text: f"*{text}*",
    "M": lambda text: f"[`{text}`]({text}.md)" if (ROOT / "library" / f"{text}.py").exists() else f"`{text}`",
    "U": lambda text: f"<{text}>",
    "L": lambda text: "[{}]({})".format(*re.split(r",\s*", text, maxsplit=1)),
    **dict.fromkeys(("C", "E", "O", "P", "RV", "V"), lambda text: f"`{text}`"),
}
MARKED = re.compile(rf"\b({'|'.join(MARKUP)})\(((?:[^)\\]|\\.)*)\)")


def prose(text: str) -> str:
    """Translate Ansible's markup to Markdown's."""
    return MARKED.sub(lambda found: MARKUP[found[1]](re.sub(r"\\(.)", r"\1", found[2])), text.strip())


def paragraphs(value: str | list[str] | None) -> list[str]:
    """Return a description, which may be one string or several, as paragraphs."""
    return [prose(text) for text in ([value] if isinstance(value, str) else value or [])]


def literal(value: object) -> str:
    """Show a default or a choice as one would type it in YAML."""
    return f"`{json.dumps(value) if isinstance(value, (bool, list, dict)) else value}`"


def described(name: str, facts: list[str], description: list[str], depth: int) -> list[str]:
    """Describe one option or result as an item of a list, its further paragraphs indented below."""
    indent = "  " * depth
    first, *rest = description or [""]
    lines = [f"{indent}- **`{name}`** ({', '.join(facts)}): {first}"]
    for paragraph in rest:
        lines += ["", f"{indent}  {paragraph}"]
    return [*lines, ""]


def options(documented: Mapping[str, Mapping[str, Any]], depth: int = 0) -> list[str]:
    """List options and, below each, its own."""
    lines: list[str] = []
    for name, option in documented.items():
        facts = [option.get("type", "str")]
        if option.get("elements"):
            facts[0] += f" of {option['elements']}"
        if option.get("required"):
            facts.append("required")
        if option.get("default") is not None:
            facts.append(f"default {literal(option['default'])}")
        description = paragraphs(option.get("description"))
        choices = option.get("choices")
        if isinstance(choices, dict):
            described_choices = [
                f"{literal(choice)} ({' '.join(paragraphs(text))})" for choice, text in choices.items()
            ]
            description.append(f"One of {', '.join(described_choices)}.")
        elif choices:
            description.append(f"One of {', '.join(map(literal, choices))}.")
        lines += described(name, facts, description, depth)
        lines += options(option.get("suboptions") or option.get("options") or {}, depth + 1)
    return lines


def results(documented: Mapping[str, Mapping[str, Any]], depth: int = 0) -> list[str]:
    """List what a module returns and, below each, what is in it."""
    lines: list[str] = []
    for name, result in documented.items():
        facts = [result.get("type", "str")]
        if result.get("elements"):
            facts[0] += f" of {result['elements']}"
        if result.get("returned"):
            facts.append(f"returned: {result['returned']}")
        lines += described(name, facts, paragraphs(result.get("description")), depth)
        lines += results(result.get("contains") or {}, depth + 1)
    return lines


def module_page(name: str, documented: Mapping[str, Any]) -> str:
    """Write the page of a module."""
    doc = documented["doc"]
    lines = [GENERATED, f"# {name}: {prose(doc['short_description'])}", ""]
    for paragraph in paragraphs(doc.get("description")):
        lines += [paragraph, ""]
    if doc.get("requirements"):
        lines += ["## Requirements", "", *(f"- {prose(text)}" for text in doc["requirements"]), ""]
    lines += ["## Options", "", *options(doc.get("options") or {})]
    if doc.get("attributes"):
        lines += ["## Attributes", "", "| attribute | support | meaning |", "| --- | --- | --- |"]
        for attribute, facts in doc["attributes"].items():
            meaning = " ".join(paragraphs(facts.get("description")) + paragraphs(facts.get("details")))
            lines.append(f"| {attribute} | {facts.get('support', '')} | {meaning} |")
        lines.append("")
    if doc.get("notes"):
        lines += ["## Notes", "", *(f"- {text}" for text in paragraphs(doc["notes"])), ""]
    lines += ["## Examples", "", "```yaml", documented["examples"].strip(), "```", ""]
    lines += ["## Return values", "", *results(documented["return"] or {})]
    return "\n".join(lines).rstrip() + "\n"


def role_page(name: str, documented: Mapping[str, Any]) -> str:
    """Write the page of a role, with each of its entry points."""
    lines = [GENERATED, f"# Role {name}", ""]
    for entry_point, spec in sorted(documented["entry_points"].items(), key=lambda item: item[0] != "main"):
        lines += [f"## {entry_point}: {prose(spec['short_description'])}", ""]
        for paragraph in paragraphs(spec.get("description")):
            lines += [paragraph, ""]
        lines += options(spec.get("options") or {})
    return "\n".join(lines).rstrip() + "\n"


def help_of(parser: argparse.ArgumentParser) -> list[str]:
    """Return the lines of a command's help, the same whoever asks: no terminal's width, no colours."""
    # Pythons break the usage in different places, so it is asked for in one line and broken here.
    with patch.dict(os.environ, COLUMNS="9999", NO_COLOR="1"):
        usage = parser.format_usage()
    parser.usage = argparse.SUPPRESS
    with patch.dict(os.environ, COLUMNS=str(COLUMNS), NO_COLOR="1"):
        rest = parser.format_help()
    indent = " " * len("usage: ")
    broken = textwrap.wrap(usage, COLUMNS, subsequent_indent=indent, break_on_hyphens=False)
    return [*broken, "", *(line.rstrip() for line in rest.strip().splitlines())]


def program_page() -> str:
    """Write the page of the program: the help of each of its commands."""
    program = cli.parser()
    (commands,) = (action for action in program._actions if isinstance(action, argparse._SubParsersAction))
    helps = {PROGRAM: program, **{f"{PROGRAM} {name}": parser for name, parser in commands.choices.items()}}
    lines = [GENERATED, f"# {PROGRAM}: the program on the host", ""]
    for title, parser in helps.items():
        if parser is not program:
            lines += [f"## {title}", ""]
        lines += ["```text", *help_of(parser), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def ansible_doc(kind: str, names: list[str]) -> dict[str, dict[str, Any]]:
    """Ask ansible-doc, which merges the fragments, about modules or roles of this project."""
    if not names:
        return {}
    command = [sys.executable, "-m", "ansible.cli.doc", "--json", "--type", kind, *names]
    if kind == "role":
        command += ["--roles-path", str(ROOT / "roles")]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    asked = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    documented: dict[str, dict[str, Any]] = json.loads(asked.stdout)
    return documented


def modules() -> dict[str, dict[str, Any]]:
    """Return module → its `doc`, `examples` and `return`."""
    return ansible_doc("module", sorted(path.stem for path in (ROOT / "library").glob("*.py")))


def roles() -> dict[str, dict[str, Any]]:
    """Return role → its `entry_points`."""
    specified = sorted(path.parents[1].name for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))
    return ansible_doc("role", specified)


def is_generated(path: Path) -> bool:
    """Whether a page is this program's to write and to remove."""
    return path.read_text().startswith(GENERATED)


def pages() -> dict[str, str]:
    """Return every page of the reference: file name → text."""
    index = [GENERATED, "# Reference", "", f"- [{PROGRAM}]({PROGRAM}.md): the program on the host"]
    written = {f"{PROGRAM}.md": program_page()}
    for name, documented in modules().items():
        written[f"{name}.md"] = module_page(name, documented)
        index.append(f"- [{name}]({name}.md): {prose(documented['doc']['short_description'])}")
    for name, documented in roles().items():
        written[f"role-{name}.md"] = role_page(name, documented)
        summary = documented["entry_points"]["main"]["short_description"]
        index.append(f"- [role {name}](role-{name}.md): {prose(summary)}")
    for path in sorted(TARGET.glob("*.md")):
        if not is_generated(path):
            title = path.read_text().partition("\n")[0].removeprefix("# ")
            index.append(f"- [{title}]({path.name})")
    written["README.md"] = "\n".join(index) + "\n"
    return written


def main() -> None:
    """Write the pages, and remove those of what is gone."""
    TARGET.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for path in TARGET.glob("*.md"):
        if path.name not in wanted and is_generated(path):
            path.unlink()
    for name, text in wanted.items():
        (TARGET / name).write_text(text)
    print(f"{TARGET.relative_to(ROOT)}: {len(wanted)} pages")


if __name__ == "__main__":
    main()
