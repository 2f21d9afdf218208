"""Plays a machine of a cluster: runs what pods are for as processes, and serves their logs."""

import datetime
import http.server
import shutil
import signal
import ssl
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any

import kubernetes
from kubernetes.client.exceptions import ApiException
from kubernetes_server import ApiServer

from trainer_module.job import processes

CONTAINER = "training"
POLL_SECS = 0.05


class Kubelet:
    """One machine; its pods are those that it is told to start."""

    def __init__(self, api_server: ApiServer, namespace: str, folder: Path):
        """Makes the node, under the namespace's name, and starts the server of logs."""
        self.namespace, self._folder = namespace, folder
        self.core = kubernetes.client.CoreV1Api(api_server.client())
        self._processes: dict[str, _Process] = {}
        kubelet = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kubelet._send_log(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Tests have an output of their own."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(api_server.ca_file, api_server.ca_file.with_suffix(".key"))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.core.create_node({"metadata": {"name": namespace}})
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._server.server_port}},
        }
        self.core.patch_node_status(namespace, {"status": status})

    def make_pod(self, name: str, labels: dict[str, str], owners: list[dict[str, Any]]) -> str:
        """Makes a pod that waits; returns its uid."""
        pod = {
            "metadata": {"name": name, "labels": labels, "ownerReferences": owners},
            "spec": {
                "nodeName": self.namespace,
                "restartPolicy": "Never",
                "containers": [{"name": CONTAINER, "image": "image"}],
            },
        }
        return self.core.create_namespaced_pod(self.namespace, pod).metadata.uid

    def run_pod(self, name: str, command: list[str]) -> None:
        """Starts what a pod is for."""
        self._processes[name] = _Process(command, self._folder / f"{name}.log")
        self.set_status(name, {"phase": "Running"})

    def has_begun(self, suffix: str) -> bool:
        """Whether a pod whose name ends so was started."""
        return any(name.endswith(suffix) for name in [*self._processes])

    def set_status(self, name: str, status: dict[str, Any]) -> None:
        """Changes a pod's status."""
        self.core.patch_namespaced_pod_status(name, self.namespace, {"status": status})

    def signal(self, name: str, number: int) -> None:
        """Sends a pod's process a signal."""
        self._processes[name].popen.send_signal(number)

    def look(self) -> None:
        """Writes down which pods have ended, and lets those go that were deleted."""
        for pod in self.core.list_namespaced_pod(self.namespace).items:
            name, process = pod.metadata.name, self._processes.get(pod.metadata.name)
            ended = process is None or process.ended.is_set()
            if pod.metadata.deletion_timestamp is not None:
                if ended:
                    self._remove(name)
                elif not process.is_asked:
                    process.is_asked = True
                    process.popen.send_signal(signal.SIGTERM)
            elif process is not None and ended and pod.status.phase == "Running":
                self._write_end(name, process.status)

    def _remove(self, name: str) -> None:
        try:
            self.core.delete_namespaced_pod(name, self.namespace, grace_period_seconds=0)
        except ApiException as error:
            if error.status != 404:
                raise

    def _write_end(self, name: str, status: int) -> None:
        ended = {"exitCode": status, "reason": "Completed" if status == 0 else "Error"}
        container = {"name": CONTAINER, "image": "image", "imageID": "", "ready": False}
        container |= {"restartCount": 0, "state": {"terminated": ended}}
        phase = "Succeeded" if status == 0 else "Failed"
        self.set_status(name, {"phase": phase, "containerStatuses": [container]})

    def close(self) -> None:
        """Ends all processes and the server."""
        for process in self._processes.values():
            process.popen.kill()
            process.ended.wait(10)
        self._server.shutdown()
        self._server.server_close()
        self.core.delete_node(self.namespace)

    def _send_log(self, request: http.server.BaseHTTPRequestHandler) -> None:
        url = urllib.parse.urlparse(request.path)
        _, _, _, pod, _ = url.path.split("/")
        query = urllib.parse.parse_qs(url.query)
        assert query["follow"] == query["timestamps"] == ["true"]
        after = ""
        if "sinceSeconds" in query:
            since = datetime.timedelta(seconds=int(query["sinceSeconds"][0]))
            after = _now(datetime.datetime.now(datetime.timezone.utc) - since)
        request.send_response(200)
        request.end_headers()
        process = self._processes[pod]
        with process.log.open("rb") as file:
            while True:
                is_last = process.ended.is_set()
                for line in file:
                    if line.decode() > after:
                        request.wfile.write(line)
                request.wfile.flush()
                if is_last:
                    return
                time.sleep(POLL_SECS)


class _Process:
    """What a pod runs; each line that it prints gets the time."""

    def __init__(self, command: list[str], log: Path):
        self.log, self.is_asked, self.status = log, False, -1
        self.ended = threading.Event()
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self.popen = processes.start_child(command, **pipe)
        log.touch()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with self.log.open("a", buffering=1) as file:
            for line in self.popen.stdout:
                file.write(f"{_now(datetime.datetime.now(datetime.timezone.utc))} {line}")
        status = self.popen.wait()
        self.status = 128 - status if status < 0 else status
        self.ended.set()


def _now(time: datetime.datetime) -> str:
    """A time as kubelets write it."""
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}000Z"


def has_sshd() -> bool:
    """Whether pods can run sshd here."""
    return shutil.which("sshd", path="/usr/sbin:/usr/bin") is not None
