"""A real Kubernetes: an API server with its database and the controller manager, on loopback.

There are no machines and no operators: a test plays them. What the API server checks (fields,
roles) and what the controller manager does (removing objects whose owner is gone) is as on any
cluster. `tools/kubernetes.sh` builds the programs.
"""

import os
import secrets
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from store_servers import free_port, temporary_folder

from trainer_module.job import processes

START_SECS = 120
POLL_SECS = 0.1
# Set where these tests must run: what is missing is then a failure.
NEEDED_VARIABLE = "EFFNET_TESTS_NEED_KUBERNETES"
# A folder with the resource definitions to use instead of our own, as those that projects publish.
DEFINITIONS_VARIABLE = "EFFNET_TESTS_CRDS"
OWN_DEFINITIONS = Path(__file__).parent / "crds"
_ROOT = Path(__file__).parents[1]
_ISSUER = "https://kubernetes.default.svc"


class ApiServer:
    """A running API server, with everything allowed to its administrator.

    Attributes:
      url: where it answers.
      ca_file: certificate that shows that it is the one.
      folder: its files.
    """

    def __init__(self, programs: Path, folder: Path):
        """Starts nothing before `start_all`."""
        self.folder, self._programs = folder, programs
        self._port, self._etcd_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self.ca_file = folder / "certificates" / "apiserver.crt"
        self._admin_token = secrets.token_hex(16)
        self._running: dict[str, subprocess.Popen] = {}

    def start_all(self) -> None:
        """Starts everything, with the resource definitions that the tests use."""
        self._write_files()
        self._start_etcd()
        self.start()
        definitions = os.environ.get(DEFINITIONS_VARIABLE, OWN_DEFINITIONS)
        self.kubectl("create", "-f", str(definitions))
        # A definition that has no conditions yet is an error to kubectl, and nothing to wait for.
        wait = ("wait", "--for=condition=Established", "crd", "--all")
        self._retry(lambda: self.kubectl(*wait, check=False).returncode == 0)
        # After the definitions: it looks for new ones every 30 seconds only.
        self._start_controller_manager()

    def start(self) -> None:
        """Starts the API server alone, and waits until it answers."""
        files = self.folder
        self._spawn(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            f"--cert-dir={files / 'certificates'}",
            f"--service-account-key-file={files / 'accounts.key'}",
            f"--service-account-signing-key-file={files / 'accounts.key'}",
            f"--service-account-issuer={_ISSUER}",
            f"--token-auth-file={files / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--anonymous-auth=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            "--service-cluster-ip-range=10.0.0.0/24",
            # Pods need no token of an account here, as nobody runs them.
            "--disable-admission-plugins=ServiceAccount",
        )
        ready = ("get", "--raw=/readyz")
        self._retry(lambda: self.kubectl(*ready, check=False).returncode == 0)

    def stop(self) -> None:
        """Ends the API server alone, at once, as where its machine goes down."""
        self._end("kube-apiserver")

    def kill(self) -> None:
        """Ends everything."""
        for name in [*self._running]:
            self._end(name)

    def kubectl(
        self, *arguments: str, text: str | None = None, token: str = "", check: bool = True
    ) -> subprocess.CompletedProcess:
        """Runs kubectl.

        Args:
          arguments: of kubectl.
          text: its standard input, for `-f -`.
          token: whose; the administrator's by default.
          check: whether a failure is an error here.
        """
        done = subprocess.run(
            [
                *(str(self._programs / "kubectl"), "--kubeconfig=/dev/null"),
                *(f"--server={self.url}", f"--certificate-authority={self.ca_file}"),
                *(f"--token={token or self._admin_token}", *arguments),
            ],
            input=text,
            capture_output=True,
            text=True,
            env={**os.environ, "HOME": str(self.folder)},
        )
        assert not check or done.returncode == 0, f"{done.stderr}\n{self.log_tail()}"
        return done

    def apply(self, *objects: dict[str, Any], namespace: str = "default") -> None:
        """Makes objects; fields that their kind does not have are an error."""
        text = yaml.safe_dump_all(objects)
        self.kubectl("apply", "--validate=strict", f"--namespace={namespace}", "-f", "-", text=text)

    def configuration(self, token: str = "") -> kubernetes.client.Configuration:
        """What a client of the Python library needs; the administrator's by default."""
        configuration = kubernetes.client.Configuration()
        configuration.host = self.url
        configuration.ssl_ca_cert = str(self.ca_file)
        configuration.api_key = {"authorization": f"Bearer {token or self._admin_token}"}
        return configuration

    def client(self, token: str = "") -> kubernetes.client.ApiClient:
        """A client of the Python library; the administrator's by default."""
        return kubernetes.client.ApiClient(self.configuration(token))

    def kubeconfig(self, token: str, namespace: str, path: Path) -> Path:
        """Writes the file by which programs find the API server; returns its path."""
        user, cluster = {"token": token}, {"server": self.url}
        cluster["certificate-authority"] = str(self.ca_file)
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": user}],
            "contexts": [
                {
                    "name": "test",
                    "context": {"cluster": "test", "user": "test", "namespace": namespace},
                }
            ],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(content))
        path.chmod(0o600)
        return path

    def new_namespace(self) -> str:
        """Makes a namespace of a name that nothing else has."""
        name = f"test-{uuid.uuid4().hex[:10]}"
        self.kubectl("create", "namespace", name)
        return name

    def token_of(self, namespace: str, account: str) -> str:
        """A token of a service account, which may do what is bound to that and nothing else."""
        created = self.kubectl("create", "token", account, f"--namespace={namespace}")
        return created.stdout.strip()

    def log_tail(self) -> str:
        """The last of what the programs wrote."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in logs)

    def _write_files(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        (self.folder / "accounts.key").write_bytes(pem)
        tokens = f"{self._admin_token},admin,admin,system:masters\n"
        (self.folder / "tokens.csv").write_text(tokens)

    def _start_etcd(self) -> None:
        client = f"http://127.0.0.1:{self._etcd_port}"
        peer = f"http://127.0.0.1:{free_port()}"
        self._spawn(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
            *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
            f"--initial-cluster=default={peer}",
        )

    def _start_controller_manager(self) -> None:
        config = self.kubeconfig(self._admin_token, "default", self.folder / "kubeconfig")
        self._spawn(
            "kube-controller-manager",
            f"--kubeconfig={config}",
            "--controllers=garbage-collector-controller,serviceaccount-controller",
            f"--service-account-private-key-file={self.folder / 'accounts.key'}",
            "--leader-elect=false",
            "--secure-port=0",
        )

    def _spawn(self, name: str, *arguments: str) -> None:
        program = shutil.which(name) if name == "etcd" else str(self._programs / name)
        with open(self.folder / f"{name}.log", "ab") as log:
            self._running[name] = processes.start_child(
                [program, *arguments], stdout=log, stderr=log, cwd=self.folder
            )

    def _end(self, name: str) -> None:
        process = self._running.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()

    def _retry(self, succeeds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECS
        while not succeeds():
            ended = [name for name, process in self._running.items() if process.poll() is not None]
            assert not ended, f"{ended} ended\n{self.log_tail()}"
            assert time.monotonic() < deadline, self.log_tail()
            time.sleep(POLL_SECS)


def programs_folder() -> Path | None:
    """Where tools/kubernetes.sh has put the programs; None where it has not run."""
    go_mod = (_ROOT / "tools" / "kubernetes" / "go.mod").read_text()
    version = go_mod.partition("k8s.io/kubernetes v")[2].split()[0]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "effnet-tfx" / f"kubernetes-{version}"
    return folder if folder.is_dir() else None


def need(condition: object, reason: str) -> None:
    """Skips the test where something is missing, or fails it where it must run."""
    if condition:
        return
    if os.environ.get(NEEDED_VARIABLE):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer]:
    """A Kubernetes API server; tests that use it are marked `kubernetes`."""
    programs = programs_folder()
    need(programs, "needs a Kubernetes API server: tools/kubernetes.sh builds it")
    need(shutil.which("etcd"), "needs etcd: apt-get install etcd-server")
    with temporary_folder() as folder:
        server = ApiServer(programs, folder)
        try:
            server.start_all()
            yield server
        finally:
            server.kill()
