"""What the pods of an MPIJob do before there are ranks: the launcher waits, workers serve ssh."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import kubelet
import kubernetes_server
import pytest
from store_servers import free_port

from kubeflow import mpi_launcher, mpi_worker
from preprocessing.errors import InputError


def test_a_hostfile_is_read_as_horovodrun_does(tmp_path):
    path = tmp_path / "hostfile"
    path.write_text("job-worker-0.job.team.svc slots=4\n# not this\njob-worker-1 slots=4 # yes\n\n")
    assert mpi_launcher.read_hostfile(path) == ["job-worker-0.job.team.svc", "job-worker-1"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [(None, "Connection refused"), (b"HTTP/1.1 400\r\n", "something else than ssh answers")],
)
def test_workers_that_do_not_answer_are_named_after_a_time(answer, words):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if answer is None:
            server.close()
        else:
            threading.Thread(target=serve, args=(server, answer), daemon=True).start()
        with pytest.raises(TimeoutError, match=rf"1 of 1 workers.*127\.0\.0\.1:{port}, .*{words}"):
            mpi_launcher.wait_for(["127.0.0.1"], port, 0.1)


def test_workers_that_answer_later_are_waited_for():
    port = free_port()

    def answer() -> None:
        time.sleep(0.5)
        with socket.create_server(("127.0.0.1", port)) as server:
            serve(server, b"SSH-2.0-OpenSSH_9.2\r\n")

    threading.Thread(target=answer, daemon=True).start()
    mpi_launcher.wait_for(["127.0.0.1"], port, 30)


def serve(server: socket.socket, answer: bytes) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.sendall(answer)


def test_values_of_secrets_come_to_ranks_as_they_are(tmp_path):
    """Through a real sshd: quotes, backslashes and blanks."""
    kubernetes_server.need(kubelet.has_sshd(), "needs sshd: apt-get install openssh-server")
    value, port = 'a "b" \\c  $d', free_port()
    keygen = ("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(tmp_path / "key"))
    subprocess.run(keygen, check=True)
    (tmp_path / "authorized_keys").write_text((tmp_path / "key.pub").read_text())
    where = ["--model_dir", str(tmp_path), "--keys", str(tmp_path), "--port", str(port)]
    worker = subprocess.Popen(
        [sys.executable, "-m", "kubeflow.mpi_worker", *where, "--variables", "SECRET"],
        env={**os.environ, "SECRET": value},
    )
    try:
        mpi_launcher.wait_for(["127.0.0.1"], port, 60)
        options = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
        ssh = ("ssh", *options, "-i", str(tmp_path / "key"), "-p", str(port), "127.0.0.1")
        done = subprocess.run([*ssh, 'printf %s "$SECRET"'], capture_output=True, text=True)
        assert done.stdout == value, done.stderr
    finally:
        worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_a_secret_of_several_lines_is_refused():
    with pytest.raises(InputError, match="variable KEY: its value must be one line"):
        mpi_worker.variables({"KEY": "a\nb"})
