"""Plays the operator of MPIJobs: what kubeflow/mpi-operator does with jobs, pods and conditions."""

import datetime
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes
import urllib3
from kubelet import Kubelet
from kubernetes.client.exceptions import ApiException

from kubeflow.mpijob_manifest import GROUP, JOB_LABEL, PLURAL, ROLE_LABEL, VERSION

POLL_SECS = 0.1
Job = dict[str, Any]
# From the role, its number, its command, and the folder with keys and hostfile, to what is started.
Commands = Callable[[str, int, list[str], Path], list[str]]


class Operator(threading.Thread):
    """Reconciles the MPIJobs of a namespace until it is closed.

    Attributes:
      is_awake: an operator that sleeps does nothing.
      starts_pods: whether there is a machine for the pods.
      jobs: all jobs that it has seen, by name, as they were last.
    """

    def __init__(self, kubelet: Kubelet, folder: Path, commands: Commands):
        """Starts.

        Args:
          kubelet: runs the pods.
          folder: for keys and hostfiles.
          commands: what is started for a pod.
        """
        super().__init__(name="operator", daemon=True)
        self.is_awake, self.starts_pods = True, True
        self.jobs: dict[str, Job] = {}
        self._launchers: dict[str, int] = {}
        self._kubelet, self._folder, self._commands = kubelet, folder, commands
        self._api = kubernetes.client.CustomObjectsApi(kubelet.core.api_client)
        self._place = (GROUP, VERSION, kubelet.namespace, PLURAL)
        self._closed, self.error = threading.Event(), None
        self.start()

    def run(self) -> None:
        """Looks at all jobs, again and again."""
        while not self._closed.wait(POLL_SECS):
            try:
                self._kubelet.look()
                for job in self._api.list_namespaced_custom_object(*self._place)["items"]:
                    self.jobs[job["metadata"]["name"]] = job
                    if self.is_awake and not job["metadata"].get("deletionTimestamp"):
                        self._reconcile(job)
            except urllib3.exceptions.HTTPError:
                time.sleep(POLL_SECS)  # the API server is away
            except ApiException as error:
                # Somebody else was faster, or the server is starting.
                if error.status not in (401, 403, 404, 409, 429, 500, 503):
                    self.error = error
                    raise

    def close(self) -> None:
        """Ends it."""
        self._closed.set()
        self.join(30)
        assert self.error is None, self.error

    def _reconcile(self, job: Job) -> None:
        name, spec = job["metadata"]["name"], job["spec"]
        status = {c["type"]: c["status"] for c in job.get("status", {}).get("conditions") or []}
        if "True" in (status.get("Succeeded"), status.get("Failed")):
            return
        if spec["runPolicy"].get("suspend"):
            if status.get("Suspended") != "True":
                self._set(job, clear=("Running",), Suspended="MPIJobSuspended")
                for pod in self._pods(name):
                    self._kubelet.core.delete_namespaced_pod(
                        pod.metadata.name, pod.metadata.namespace
                    )
            return
        if "Created" not in status:
            self._set(job, Created="MPIJobCreated")
        if status.get("Suspended") == "True":
            self._set(job, clear=("Suspended",), Created="MPIJobCreated")
        if self.starts_pods:
            self._run_pods(job, name, spec)

    def _run_pods(self, job: Job, name: str, spec: dict[str, Any]) -> None:
        there = {pod.metadata.name for pod in self._pods(name)}
        count = spec["mpiReplicaSpecs"]["Worker"]["replicas"]
        workers = [f"{name}-worker-{i}" for i in range(count)]
        launchers = [pod for pod in there if pod.startswith(f"{name}-launcher-")]
        if launchers:
            self._end(job, launchers[0])
            return
        folder = self._folder / name
        if not folder.exists():
            self._write_files(folder, count, spec["slotsPerWorker"])
        for number, pod in enumerate(workers):
            if pod not in there:
                self._start(job, pod, "worker", number, folder)
        # Launchers never have the name of an earlier one.
        self._launchers[name] = self._launchers.get(name, -1) + 1
        self._start(job, f"{name}-launcher-{self._launchers[name]}", "launcher", 0, folder)
        self._set(job, Running="MPIJobRunning")

    def _start(self, job: Job, pod: str, role: str, number: int, folder: Path) -> None:
        [container] = job["spec"]["mpiReplicaSpecs"][role.capitalize()]["template"]["spec"][
            "containers"
        ]
        metadata = job["metadata"]
        owner = {"apiVersion": job["apiVersion"], "kind": job["kind"], "controller": True}
        owner |= {"name": metadata["name"], "uid": metadata["uid"]}
        labels = {JOB_LABEL: metadata["name"], ROLE_LABEL: role}
        self._kubelet.make_pod(pod, labels, [owner])
        # As Kubernetes does it.
        command = [argument.replace("$$(", "$(") for argument in container["command"]]
        self._kubelet.run_pod(pod, self._commands(role, number, command, folder))

    def _end(self, job: Job, launcher: str) -> None:
        ended = [p for p in self._pods(job["metadata"]["name"]) if p.metadata.name == launcher]
        if not ended or ended[0].status.phase not in ("Succeeded", "Failed"):
            return
        evicted = ended[0].status.reason == "Evicted"
        if ended[0].status.phase == "Succeeded":
            self._set(job, clear=("Running",), Succeeded="MPIJobSucceeded")
        else:
            reason = "MPIJobEvicted" if evicted else "MPIJobFailed"
            self._set(job, clear=("Running",), Failed=reason)
        # The operator removes pods of jobs of which it has written that they have ended.
        for pod in self._pods(job["metadata"]["name"]):
            if pod.status.phase == "Running":  # cleanPodPolicy
                self._kubelet.core.delete_namespaced_pod(pod.metadata.name, self._kubelet.namespace)

    def _set(self, job: Job, clear: tuple[str, ...] = (), **reasons: str) -> None:
        """Sets conditions, by the reason; those in `clear` become false."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        old = {c["type"]: c for c in job.get("status", {}).get("conditions") or []}
        for kind in clear:
            old[kind] = {**old[kind], "status": "False"} if kind in old else None
        for kind, reason in reasons.items():
            message = f"MPIJob {job['metadata']['name']}: {reason}"
            old[kind] = {"type": kind, "status": "True", "reason": reason, "message": message}
            old[kind] |= {"lastTransitionTime": now, "lastUpdateTime": now}
        conditions = [condition for condition in old.values() if condition]
        job.setdefault("status", {})["conditions"] = conditions
        self._api.patch_namespaced_custom_object_status(
            *self._place, job["metadata"]["name"], {"status": {"conditions": conditions}}
        )

    def _pods(self, name: str) -> list[Any]:
        selector = f"{JOB_LABEL}={name}"
        listed = self._kubelet.core.list_namespaced_pod(
            self._kubelet.namespace, label_selector=selector
        )
        return listed.items

    @staticmethod
    def _write_files(folder: Path, workers: int, slots: int) -> None:
        """Writes the hostfile, and the keys as a mounted secret has them."""
        folder.mkdir()
        hosts = [f"{address(i)} slots={slots}\n" for i in range(workers)]
        (folder / "hostfile").write_text("".join(hosts))
        keygen = ("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(folder / "id_rsa"))
        subprocess.run(keygen, check=True)
        (folder / "authorized_keys").write_text((folder / "id_rsa.pub").read_text())
        (folder / "id_rsa").chmod(0o644)


def address(number: int) -> str:
    """Where a worker is: each has an address of loopback of its own."""
    return f"127.0.0.{2 + number}"
