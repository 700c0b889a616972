"""What the modules in library/ say about themselves, read in the ways that Ansible reads it."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import ansible.module_utils

from tools import reference

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "library").glob("*.py"))
NAMES = [source.stem for source in SOURCES]


@cache
def documentation() -> dict[str, dict[str, Any]]:
    """Ask ansible-doc, once: module → its `doc`, `examples` and `return`."""
    return reference.modules()


@cache
def argument_spec(name: str) -> dict[str, dict[str, Any]]:
    """Import a module as Ansible would, and ask it for its arguments."""
    core = str(ROOT / "module_utils")
    if core not in ansible.module_utils.__path__:
        ansible.module_utils.__path__.append(core)
    spec = importlib.util.spec_from_file_location(f"library_{name}", ROOT / "library" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    arguments: dict[str, dict[str, Any]] = module.argument_spec()
    return arguments
