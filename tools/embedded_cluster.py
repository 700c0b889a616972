"""Makes the parts of an embedded server: where its files lie, its cluster, its settings."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tools.embedded_process import shut_down
from tools.unprivileged import Account, EmbeddedError, run, shared_root

SUPERUSER = "postgres"
STATE_FILE = "server.json"
OWNER_FILE = "directory"
HOME_PREFIX = "server-"

# sockaddr_un.sun_path of Linux has 108 bytes, the last one for the terminating zero.
SOCKET_PATH_BYTES = 107
# libpq splits a host list at commas and the server splits its socket directories there too.
PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._+-]*")


def server_home(directory: Path, account: Account | None) -> Path:
    """Where the data directory lies: in `directory`, unless the account cannot get there."""
    if account is None or account.reaches(directory):
        return directory
    key = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]
    return shared_root() / f"{HOME_PREFIX}{key}"


def make_home(home: Path, directory: Path) -> None:
    """Makes the home of a server, and notes in it whose it is."""
    if home != directory:
        home.mkdir(exist_ok=True)
        home.chmod(0o755)  # whatever the umask
        (home / OWNER_FILE).write_text(str(directory), encoding="utf-8")


def remove_homeless() -> None:
    """Removes the servers in the shared root whose directory somebody deleted, running ones too."""
    if os.geteuid() != 0:
        return
    for home in shared_root().glob(f"{HOME_PREFIX}*"):
        owner = home / OWNER_FILE
        with suppress(FileNotFoundError):  # another process removes it, too
            if owner.exists() and not Path(owner.read_text(encoding="utf-8"), STATE_FILE).exists():
                shut_down(home / "data")
                shutil.rmtree(home)


def socket_path(home: Path, earlier: str | None) -> Path:
    """A directory for the socket, with a path that is short enough; `earlier` is what the last start chose."""
    path = home / "socket"
    longest = f"{path}/.s.PGSQL.65535.lock"
    if PLAIN_PATH.fullmatch(str(path)) and len(os.fsencode(longest)) <= SOCKET_PATH_BYTES:
        return path
    return Path(earlier or tempfile.mkdtemp(prefix="holdfast-", dir="/tmp"))


def make_socket_directory(path: Path, account: Account | None) -> None:
    """Makes the socket's directory anew, for the server's account alone."""
    # A socket that a crash left keeps the number of a process, which may be in use again by now.
    if path.exists():
        shutil.rmtree(path)
    _make_directory(path, account)


def _make_directory(path: Path, account: Account | None) -> None:
    path.mkdir(mode=0o700)
    if account:
        os.chown(path, account.uid, account.gid)


def free_port(wanted: int) -> int:
    """`wanted`, if nobody listens on that TCP port at the moment, else any such port."""
    for candidate in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise EmbeddedError("Cannot find a free port on 127.0.0.1.")


def ensure_cluster(data: Path, bin_dir: Path, major: int, account: Account | None, password_file: Path | None) -> None:
    """Runs initdb where there is no cluster yet; refuses one of another major version."""
    if (data / "PG_VERSION").exists():
        found = (data / "PG_VERSION").read_text(encoding="ascii").strip()
        if found != str(major):
            raise EmbeddedError(f"Cannot start PostgreSQL {major}: {data} was made by {found}. Remove it.")
        return
    if not data.exists():
        _make_directory(data, account)
    command: list[str | Path] = [bin_dir / "initdb", "-D", data, "-U", SUPERUSER]
    command += ["--encoding=UTF8", "--data-checksums", "--auth-local=trust", "--auth-host=scram-sha-256"]
    with tempfile.NamedTemporaryFile(dir=data.parent, prefix=".password-") as copy:
        if password_file is not None:
            copy.write(password_file.read_bytes())
            copy.flush()
            if account:
                os.chown(copy.name, account.uid, account.gid)
            command.append(f"--pwfile={copy.name}")
        if major >= 17:  # the builtin provider: the same order of text on every machine
            run(account, *command, "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
            return
        try:
            run(account, *command, "--locale=C.UTF-8")
        except EmbeddedError as error:
            if "locale" not in str(error):
                raise
            run(account, *command, "--locale=C")


def configure(data: Path, settings: Mapping[str, str]) -> None:
    """Writes this start's settings to a file of their own, included at the end of postgresql.conf."""
    main, own = data / "postgresql.conf", data / "embedded.conf"
    include = "include 'embedded.conf'\n"
    if include not in main.read_text(encoding="utf-8"):
        with main.open("a", encoding="utf-8") as stream:
            stream.write(include)
    lines = [name + " = '" + value.replace("'", "''") + "'\n" for name, value in settings.items()]
    own.write_text("".join(lines), encoding="utf-8")
    own.chmod(0o644)
