"""Run `ansible-test sanity` on the modules and the core, staged as a collection.

ansible-test wants a collection in a git repository; Holdfast is a toolkit with `library/` and
`module_utils/`. So this copies what would be in the collection into a temporary one, with the names
that differ there rewritten. The environments that ansible-test builds for its tools stay in
.cache/sanity, so a second run is fast.

    python tools/sanity.py [ARGUMENT OF ansible-test sanity ...]
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from ast import literal_eval
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".cache" / "sanity"
NAMESPACE, NAME = "holdfast", "postgresql"
COLLECTION = f"{NAMESPACE}.{NAME}"
OLDEST_ANSIBLE = ">=2.19.0"
ANSIBLE = ".".join(metadata.version("ansible-core").split(".")[:2])
OLDEST_PYTHON = (3, 9)

# ansible-test wants a certain pip in the environments that it builds, and downloads an installer for it.
# Every Python with a venv module carries a pip that does.
GET_PIP = """\
import subprocess
import sys

subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
"""

# What ansible-test finds and is right all the same: (path below module_utils/holdfast, test, why).
IGNORED = [
    ("cli.py", "pylint:ansible-bad-function", "a program prints; a module never imports it"),
    ("reporting/progress.py", "pylint:ansible-bad-function", "it prints to the stream it was given"),
]


def qualify(text: str, modules: list[str], fragments: list[str]) -> str:
    """Give modules, fragments and the core the names that they have in the collection."""
    core = rf"ansible_collections.{COLLECTION}.plugins.module_utils.\g<1>"
    text = re.sub(r"\bansible\.module_utils\.(holdfast\w*)", core, text)
    for module in modules:
        text = re.sub(rf"\bM\({module}\)", f"M({COLLECTION}.{module})", text)
        text = re.sub(rf"(?m)^(\s*- module: ){module}$", rf"\g<1>{COLLECTION}.{module}", text)
    for fragment in fragments:
        text = re.sub(rf"(?m)^(\s*- ){fragment}((?:\.\w+)?)$", rf"\g<1>{COLLECTION}.{fragment}\g<2>", text)
    return text


def stage(collection: Path) -> None:
    """Write the collection: the modules, their documentation's fragments and the core."""
    ignore = shutil.ignore_patterns("__pycache__")
    plugins = collection / "plugins"
    shutil.copytree(ROOT / "module_utils", plugins / "module_utils", ignore=ignore)
    if (ROOT / "plugins" / "doc_fragments").is_dir():
        shutil.copytree(ROOT / "plugins" / "doc_fragments", plugins / "doc_fragments", ignore=ignore)

    for shared in plugins.glob("module_utils/*.py"):
        shared.write_text(qualify(shared.read_text(), [], []))

    sources = sorted((ROOT / "library").glob("*.py"))
    modules = [source.stem for source in sources]
    fragments = [fragment.stem for fragment in plugins.glob("doc_fragments/*.py")]
    (plugins / "modules").mkdir(parents=True)
    for source in sources:
        (plugins / "modules" / source.name).write_text(qualify(source.read_text(), modules, fragments))

    (collection / "meta").mkdir()
    (collection / "meta" / "runtime.yml").write_text(f'---\nrequires_ansible: "{OLDEST_ANSIBLE}"\n')
    galaxy = {
        "namespace": NAMESPACE,
        "name": NAME,
        "version": "0.0.0",
        "readme": "README.md",
        "authors": ["Holdfast contributors"],
        "license": ["GPL-3.0-or-later"],
    }
    (collection / "galaxy.yml").write_text(json.dumps(galaxy, indent=2) + "\n")  # JSON is YAML, too
    shutil.copy(ROOT / "LICENSE", collection / "LICENSE")
    (collection / "README.md").write_text(f"# {COLLECTION}\n")
    # The interpreters are chosen here and not by ansible-test: a host may run any Python from 3.9 on.
    (collection / "tests").mkdir()
    (collection / "tests" / "config.yml").write_text('---\nmodules:\n  python_requires: ">=3.9"\n')
    ignored = [f"plugins/module_utils/holdfast/{path} {test} # {why}\n" for path, test, why in IGNORED]
    (collection / "tests" / "sanity").mkdir()
    (collection / "tests" / "sanity" / f"ignore-{ANSIBLE}.txt").write_text("".join(ignored))
    for command in (["git", "init", "--quiet"], ["git", "add", "--all"]):
        subprocess.run(command, cwd=collection, check=True)


def prepare_home(pip_version: str) -> None:
    """Make a home of its own for ansible-test, which gives its programs HOME and PATH and little else.

    The user's settings of pip (a mirror, a certificate, a proxy) go into it; the user's home stays as it is.
    """
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"get_pip_{pip_version.replace('.', '_')}.py").write_text(GET_PIP)

    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True)
    settings = configparser.RawConfigParser()
    settings["global"] = {"quiet": "1"}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        section = section.strip(":")
        section = "global" if section == "env" else section
        if not settings.has_section(section):
            settings.add_section(section)
        settings[section][option] = literal_eval(value)
    if proxy := os.environ.get("https_proxy", os.environ.get("HTTPS_PROXY")):
        settings["global"].setdefault("proxy", proxy)

    pip_home = HOME / ".config" / "pip"
    pip_home.mkdir(parents=True, exist_ok=True)
    pip_home.chmod(0o700)  # a mirror's address may hold a password
    with (pip_home / "pip.conf").open("w") as stream:
        settings.write(stream)


def ask_ansible_test() -> tuple[str, list[str]]:
    """Ask which version of pip ansible-test will look for, and which Pythons it supports."""
    question = (
        "import json, sys, types\n"
        "from ansible_test._internal.constants import SUPPORTED_PYTHON_VERSIONS\n"
        "from ansible_test._internal.python_requirements import get_venv_packages\n"
        "python = types.SimpleNamespace(version='{}.{}'.format(*sys.version_info))\n"
        "pip = get_venv_packages(python)['pip']\n"
        "print(json.dumps([pip, SUPPORTED_PYTHON_VERSIONS]))"
    )
    asked = subprocess.run([sys.executable, "-c", question], check=True, capture_output=True, text=True)
    pip, versions = json.loads(asked.stdout)
    return pip, versions


def installed_pythons(versions: list[str]) -> dict[str, str]:
    """Find the interpreters that a host of Holdfast's may run: version → path.

    A name on the PATH is not enough: pyenv puts a python3.9 there that only says that it is not active.
    """
    current = "{}.{}".format(*sys.version_info)
    found = {current: sys.executable}
    for version in versions:
        path = shutil.which(f"python{version}")
        if path is None or version == current or tuple(map(int, version.split("."))) < OLDEST_PYTHON:
            continue
        if subprocess.run([path, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0:
            found[version] = path
    return found


def main(arguments: list[str]) -> int:
    """Stage the collection, run the tests, and return ansible-test's exit code."""
    pip_version, versions = ask_ansible_test()
    prepare_home(pip_version)
    controller = "{}.{}".format(*sys.version_info)
    command = [str(Path(sys.executable).with_name("ansible-test")), "sanity", "--color", "no"]
    command += ["--controller", f"origin:python={controller}@{sys.executable}"]
    for version, path in installed_pythons(versions).items():
        command += ["--target-python", f"{version}@{path}"]

    with tempfile.TemporaryDirectory(prefix="holdfast-sanity-") as directory:
        collection = Path(directory) / "ansible_collections" / NAMESPACE / NAME
        stage(collection)
        environment = {**os.environ, "HOME": str(HOME)}
        # ansible-test makes settings of its own for what it runs.
        environment.pop("ANSIBLE_CONFIG", None)
        return subprocess.run([*command, *arguments], cwd=collection, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
