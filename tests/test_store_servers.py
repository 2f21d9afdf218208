"""Servers that tests start leave nothing behind."""

import os
import signal
import socket
import time
from pathlib import Path

import fresh_process
import pytest
import store_servers


def start_and_die(kind: str, folder: Path, port_file: Path) -> None:
    """Starts a server, and ends as a test process does that is killed for its deadline."""
    server = getattr(store_servers, kind)(folder)
    server.away_for(0)
    while not answers(server.port):
        time.sleep(0.05)
    port_file.write_text(str(server.port))
    os.kill(os.getpid(), signal.SIGKILL)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("kind", ["PostgreSql", "MariaDb"])
def test_server_ends_with_the_process_that_started_it(kind, tmp_path):
    with store_servers.temporary_folder() as folder:
        done = fresh_process.run(start_and_die, kind, folder, tmp_path / "port")
        assert done.returncode == -signal.SIGKILL, done.stderr
        port, deadline = int((tmp_path / "port").read_text()), time.monotonic() + 30
        while answers(port) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not answers(port)
        # Before the folder is removed: the children of PostgreSQL end a moment later.
        time.sleep(0.5)
