"""A step that trains in an MPIJob, and those who play the rest of its cluster."""

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import kubelet as kubelets
import mpi_operator
import yaml
from kubernetes_server import ApiServer
from store_servers import free_port

from kubeflow import mpijob, mpijob_pods
from kubeflow.cluster import Cluster
from kubeflow.mpijob_options import JobOptions
from pipeline.kubeflow_config import NodeOptions
from pipeline.mpijob_config import MpiJobConfig
from trainer_module.config import TrainConfig

ROLE = Path(__file__).parents[1] / "kubeflow" / "manifests" / "training-role.yaml"
POLL_SECS = 0.1
WAIT_SECS = 60


class Step:
    """A step on the cluster, and those who play the rest of it.

    Attributes:
      launcher: what the launcher's pod runs, as a script of the shell; None: what the job says.
    """

    def __init__(self, api_server: ApiServer, folder: Path):
        self.api_server, self.folder, self.launcher = api_server, folder, "true"
        self.namespace = api_server.new_namespace()
        # Where a config may have a volume: /tmp is each pod's own.
        self.volume = Path(tempfile.mkdtemp(prefix="effnet-volume-", dir="/var/tmp"))
        self.model_dir = self.volume / "unfinished" / "training"
        self.data_dir = self.volume / "data"
        self.data_dir.mkdir(parents=True)
        role = yaml.safe_load(ROLE.read_text())
        name = role["metadata"]["name"]
        account = {"kind": "ServiceAccount", "metadata": {"name": name}, "apiVersion": "v1"}
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name}],
        }
        api_server.apply(account, role, binding, namespace=self.namespace)
        self.token = api_server.token_of(self.namespace, name)
        self.kubelet = kubelets.Kubelet(api_server, self.namespace, folder)
        self.new_pod("step")
        self.operator = mpi_operator.Operator(self.kubelet, folder, self._commands)
        self.port = free_port()

    def new_pod(self, name: str) -> None:
        """Makes the step's own pod, and tells the step as Kubeflow Pipelines does."""
        self.uid = self.kubelet.make_pod(name, {}, [])
        os.environ |= {"KFP_POD_NAME": name, "KFP_POD_UID": self.uid}

    def _commands(self, role: str, number: int, command: list[str], folder: Path) -> list[str]:
        if self.launcher is not None:
            script = self.launcher if role == "launcher" else "exec sleep 1000"
            return ["env", f"MODEL_DIR={self.model_dir}", "sh", "-c", script]
        # Mounts have the paths that they have here, and each worker an address.
        keys = [part.replace(mpijob_pods.KEYS, str(folder)) for part in command[1:]]
        where = ["--address", mpi_operator.address(number)]
        if role == "launcher":
            where = ["--hostfile", str(folder / "hostfile")]
        return [sys.executable, *keys, *where]

    def options(self, **job) -> JobOptions:
        volume = {"claim": "shared", "path": str(self.volume)}
        return JobOptions(
            image="registry.example/effnet:1",
            worker=NodeOptions(volumes=[volume], shared_memory_gb=1),
            job=MpiJobConfig(ssh_port=self.port, start_timeout_secs=60, **job),
        )

    def config(self) -> TrainConfig:
        folders = {"data_dir": str(self.data_dir), "model_dir": str(self.model_dir)}
        return TrainConfig(num_processes=2, launcher="mpijob", **folders)

    def cluster(self, **options) -> Cluster:
        return Cluster(self.api_server.client(self.token), self.namespace, **options)

    def train(self, config: TrainConfig | None = None, **job) -> None:
        mpijob.train(config or self.config(), self.options(**job), self.cluster(), POLL_SECS)

    def jobs(self) -> list[str]:
        """The names of the jobs that are there."""
        listed = self.api_server.kubectl(
            "get", "mpijobs", f"--namespace={self.namespace}", "-o", "name"
        )
        return [line.rpartition("/")[2] for line in listed.stdout.split()]

    def pods(self) -> list:
        return self.kubelet.core.list_namespaced_pod(self.namespace).items

    def spec(self) -> dict:
        """What the only job was made with."""
        [job] = self.operator.jobs.values()
        return job

    def close(self) -> None:
        self.operator.close()
        self.kubelet.close()
        shutil.rmtree(self.volume)


def wait_for(reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECS
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def soon(reached: Callable[[], object], do: Callable[[], object]) -> threading.Thread:
    """Does something, beside the training, once something is reached."""

    def run() -> None:
        wait_for(reached)
        do()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
