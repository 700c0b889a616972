"""Build the program for hosts: the core as one executable file, the same bytes every time.

    python tools/build_zipapp.py dist/holdfast

The bytes depend on the sources and on SOURCE_DATE_EPOCH (seconds, optional) alone: not on the directory,
the file times, the umask or the order in which a directory lists its files. (Another build of zlib may
compress differently; compare files built by the same Python.)
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
import zipfile
from pathlib import Path

CORE = Path(__file__).resolve().parents[1] / "module_utils" / "holdfast"
SHEBANG = b"#!/usr/bin/env python3\n"
# zipapp's own `-m` throws the return value away, and a failing command would exit 0.
ENTRY_POINT = "from holdfast.cli import main\n\nraise SystemExit(main())\n"
EARLIEST = 315532800  # 1980-01-01: a zip file knows no earlier time


def entry(name: str, moment: int) -> zipfile.ZipInfo:
    """Describe one file of the archive, with everything that could vary fixed."""
    info = zipfile.ZipInfo(name, time.gmtime(moment)[:6])
    info.create_system = 3  # Unix, on whatever system this runs
    info.external_attr = 0o100644 << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def build(target: Path, core: Path = CORE) -> None:
    """Write the program to `target`; a reader never sees half a file."""
    moment = max(int(os.environ.get("SOURCE_DATE_EPOCH", EARLIEST)), EARLIEST)
    files = {f"holdfast/{path.relative_to(core).as_posix()}": path.read_bytes() for path in core.rglob("*.py")}
    files["__main__.py"] = ENTRY_POINT.encode()

    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    with unfinished.open("wb") as stream:
        stream.write(SHEBANG)
        with zipfile.ZipFile(stream, "w") as archive:
            for name in sorted(files):
                archive.writestr(entry(name, moment), files[name], compresslevel=9)
    unfinished.chmod(0o755)
    unfinished.replace(target)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: build_zipapp.py TARGET")
    build(Path(sys.argv[1]))
    built = Path(sys.argv[1]).read_bytes()
    print(f"{sys.argv[1]}: {len(built)} bytes, SHA-256 {hashlib.sha256(built).hexdigest()}")
