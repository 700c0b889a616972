"""Kill a server as a power cut would, and start it again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support.backups import eventually
from tests.support.servers import FAST_AND_UNSAFE, Server
from tools import embedded


def crash(server: Server) -> None:
    """What `pg_ctl stop -m immediate` does: every process of the server ends at once, nothing is flushed."""
    state = embedded.status(server.directory)
    assert state is not None
    pid = int(Path(state.data_dir, "postmaster.pid").read_text(encoding="ascii").splitlines()[0])
    os.kill(pid, signal.SIGQUIT)
    eventually(lambda: embedded.status(server.directory) is None)
    embedded.stop(server.directory)


def start_again(server: Server) -> None:
    """Starts it where it was; it recovers."""
    password_file = server.directory.with_name(server.directory.name + ".password")
    embedded.start(
        server.directory,
        server.bin_dir,
        port=server.port,
        password_file=password_file,
        settings=FAST_AND_UNSAFE,
    )
