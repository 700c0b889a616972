"""Prometheus' own programs for tests: those that are installed, or else those of the distribution's package, unpacked."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.clusters import CHECKOUT
from tests.support.needs import lacking

UNPACKED = CHECKOUT / ".cache" / "programs"
PACKAGE_OF = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}


def program(name: str) -> str:
    """The path of a program; skips the test where it is neither there nor to be had.

    Nothing is installed: a package that is would start its service.
    """
    unpacked = UNPACKED / "usr" / "bin" / name
    found = shutil.which(name) or (str(unpacked) if unpacked.exists() else None)
    return found or _unpack(name, unpacked)


def _unpack(name: str, unpacked: Path) -> str:
    package = PACKAGE_OF[name]
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        lacking(f"there is no {name} (install {package})")
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        # The account that downloads in root's place must be able to write there.
        Path(work).chmod(0o777)
        download = ["apt-get", "download", "-q", package]
        done = subprocess.run(download, cwd=work, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            subprocess.run(["apt-get", "update", "-q"], capture_output=True, check=False)
            done = subprocess.run(download, cwd=work, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            lacking(f"there is no {name}, and package {package} cannot be had: {done.stderr.strip()[-200:]}")
        (archive,) = Path(work).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", str(archive), str(UNPACKED)], check=True)
    return str(unpacked)
