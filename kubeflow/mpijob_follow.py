"""One MPIJob: made, followed to its end, deleted."""

import sys
import time
from typing import Any

import kubernetes
from kubernetes.client.exceptions import ApiException

from components import progress
from components.horovod_trainer import executor
from components.horovod_trainer.said import Said
from kubeflow import cluster as clusters
from kubeflow import mpijob_manifest, mpijob_state
from kubeflow.cluster import Cluster
from kubeflow.mpijob_manifest import GROUP, PLURAL, VERSION
from kubeflow.mpijob_options import JobOptions
from kubeflow.mpijob_patience import Patience
from kubeflow.mpijob_pods import CONTAINER
from kubeflow.mpijob_state import Phase, State
from kubeflow.pod_log import PodLog
from preprocessing.errors import AwayError, InputError
from trainer_module.config import TrainConfig
from trainer_module.job import processes, train_log

# Pods get two minutes for their end; a job of the same training must not begin before that.
GONE_SECS = 300.0
LOG_END_SECS = 30.0
# A step that is to end has 30 seconds.
_STOP_AWAY_SECS = 20.0


class Stopped(SystemExit):
    """SIGTERM: the step is to end."""


class Job:
    """One MPIJob."""

    def __init__(self, cluster: Cluster, manifest: dict[str, Any]):
        self.name = manifest["metadata"]["name"]
        self._cluster, self._manifest = cluster, manifest
        self._place = (GROUP, VERSION, cluster.namespace, PLURAL)
        self._jobs = kubernetes.client.CustomObjectsApi(cluster.api)
        self._core = kubernetes.client.CoreV1Api(cluster.api)
        self._history = mpijob_state.History()
        self._said, self._log = Said(), None  # type: Said, PodLog | None
        self._launcher: str | None = None  # the uid of the pod whose log is read

    def run(self, config: TrainConfig, options: JobOptions, poll_secs: float) -> State:
        """Makes the job and follows it to its end.

        Returns:
          The state it ended in: done, or evicted.

        Raises:
          InputError, RuntimeError: the training failed; see `train`.
        """
        self._create()
        is_kept = False  # a job that failed stays there for a while, to be looked at
        try:
            state = self._follow(Patience(options.job, config.model_dir), config, poll_secs)
            is_kept = state.phase is Phase.FAILED
        finally:
            if not is_kept:
                self._delete()
        if state.phase is Phase.FAILED:
            raise self._failure(state)
        if state.phase is Phase.EVICTED:
            self._wait_until_gone(poll_secs)
        return state

    def _create(self) -> None:
        create = self._jobs.create_namespaced_custom_object
        try:
            self._cluster.call(create, *self._place, self._manifest)
        except ApiException as error:
            if error.status == 404:
                raise InputError(
                    "the cluster must know MPIJobs (kubeflow.org/v2beta1): install the operator of "
                    "kubeflow/mpi-operator, or set trainer.launcher to local"
                ) from None
            # An answer that was lost: the job is ours, since its name is.
            if error.status != 409:
                raise RuntimeError(f"MPIJob {self.name}: {clusters.reason(error)}") from error
        progress.report(f"MPIJob {self.name} is made; waiting for its pods")

    def _follow(self, patience: Patience, config: TrainConfig, poll_secs: float) -> State:
        """Follows the job to its end; returns the state it ended in."""
        log, told = train_log.Follower(config.model_dir), State(Phase.UNSEEN)
        while True:
            pods = self._pods()
            try:
                get = self._jobs.get_namespaced_custom_object
                job = self._cluster.call(get, *self._place, self.name)
            except ApiException as error:
                raise RuntimeError(f"MPIJob {self.name}: {clusters.reason(error)}") from error
            if mpijob_state.is_over(job):
                pods = self._pods()  # with what became of them
            state = mpijob_state.judge(job, pods, self._history)
            self._read_log(pods)
            executor.report_progress(log)
            if state.phase in (Phase.SUCCEEDED, Phase.EVICTED, Phase.FAILED):
                if self._log is not None:
                    self._log.finish(LOG_END_SECS)
                executor.report_progress(log)
                return state
            if state != told:
                told = state
                progress.report(f"MPIJob {self.name}: {_describe(state)}")
            late = patience.late(state, self._said)
            if late:
                raise RuntimeError(f"MPIJob {self.name}: {late}{self._newest_event()}")
            time.sleep(poll_secs)

    def _pods(self) -> list[dict[str, Any]]:
        pods = self._cluster.call(
            self._core.list_namespaced_pod,
            self._cluster.namespace,
            label_selector=f"{mpijob_manifest.JOB_LABEL}={self.name}",
        )
        return [self._cluster.api.sanitize_for_serialization(pod) for pod in pods.items]

    def _read_log(self, pods: list[dict[str, Any]]) -> None:
        launcher = mpijob_state.newest_launcher(pods)
        uid = launcher["metadata"]["uid"] if launcher else None
        # A job that a queue has held back meanwhile gets new pods.
        if uid not in (None, self._launcher) and mpijob_state.has_begun(launcher):
            if self._log is not None:
                self._log.finish(0)
            self._launcher = uid
            self._log = PodLog(
                self._cluster,
                launcher["metadata"]["name"],
                CONTAINER,
                self._said.take,
            )
        if self._log is not None and self._log.error is not None:
            raise self._log.error

    def _failure(self, state: State) -> Exception:
        """The error of a job that failed by its own fault."""
        said = self._said.error
        if state.exit_status == processes.BAD_INPUT:
            return InputError(said)
        status = "" if state.exit_status is None else f", exit status {state.exit_status}"
        return RuntimeError(f"{said} (MPIJob {self.name}: {state.text or 'failed'}{status})")

    def _newest_event(self) -> str:
        """What the operator or the cluster said of the job last."""
        events = self._cluster.call(
            self._core.list_namespaced_event,
            self._cluster.namespace,
            field_selector=f"involvedObject.name={self.name}",
        )
        told = [event for event in events.items if event.message]
        if not told:
            return ""
        newest = max(told, key=lambda e: e.last_timestamp or e.metadata.creation_timestamp)
        return f"; the newest event: {' '.join(newest.message.split())}"

    def _delete(self) -> None:
        """Deletes the job, and with it its pods; where it is gone already, that is well."""
        # Whoever is stopped has little time, and the job goes away with the step's pod anyway.
        patient = not isinstance(sys.exc_info()[1], Stopped | AwayError)
        cluster = self._cluster if patient else self._cluster.impatient(_STOP_AWAY_SECS)
        try:
            cluster.call(
                self._jobs.delete_namespaced_custom_object,
                *self._place,
                self.name,
                propagation_policy="Background",
            )
        except ApiException as error:
            if error.status != 404:
                raise

    def _wait_until_gone(self, poll_secs: float) -> None:
        """Waits for the end of the pods, which may still write a checkpoint."""
        deadline = time.monotonic() + GONE_SECS
        while pods := self._pods():
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"MPIJob {self.name}: pod {pods[0]['metadata']['name']} has not ended within "
                    f"{GONE_SECS:g} s after it was deleted"
                )
            time.sleep(poll_secs)


def _describe(state: State) -> str:
    return f"{state.phase.value}{': ' if state.text else ''}{state.text}"
