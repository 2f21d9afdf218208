"""One InferenceService of the cluster: read, written and waited for, as long as it stays ours."""

import time
from typing import Any

import kubernetes
from kubernetes.client.exceptions import ApiException

from components import progress
from kubeflow import cluster as cluster_module
from kubeflow import kserve_service
from kubeflow.cluster import Cluster
from kubeflow.kserve_service import GROUP, PLURAL, VERSION
from preprocessing.errors import InputError

POLL_SECS = 1.0
_CONFLICT_WAIT_SECS = 0.1
_NOT_FOUND, _CONFLICT = 404, 409


class DeploymentError(RuntimeError):
    """The version is not served; what was served before is."""


class _TooOldError(DeploymentError):
    """The object was written by somebody else since it was read."""


class Service:
    """An InferenceService, whose spec nobody else changes meanwhile.

    Attributes:
      before: the spec that it had; None where it was not there.
      is_changed: whether it may be another one now.
      spec: the newest one that is ours.
      public_url: where everybody asks it.
    """

    def __init__(self, cluster: Cluster, name: str):
        self._cluster, self._name = cluster, name
        self._api = kubernetes.client.CustomObjectsApi(cluster.api)
        self._where = (GROUP, VERSION, cluster.namespace, PLURAL)
        self._generation, self.is_changed = 0, False
        self.before: dict[str, Any] | None = None
        self.spec: dict[str, Any] = {}
        self.public_url = ""

    def __str__(self) -> str:
        return f"InferenceService {self._cluster.namespace}/{self._name}"

    def read(self) -> dict[str, Any] | None:
        """The service as it is now; None where it is not there."""
        try:
            found = self._cluster.call(
                self._api.get_namespaced_custom_object, *self._where, self._name
            )
        except ApiException as error:
            if error.status == _NOT_FOUND:
                return None
            raise DeploymentError(f"{self}: {cluster_module.reason(error)}") from error
        return found

    def remember(self) -> dict[str, Any] | None:
        """Reads the service as it is before any change."""
        found = self.read()
        if found is not None:
            self._keep(found)
            self.before = found["spec"]
        return found

    def create(self, body: dict[str, Any]) -> None:
        """Makes it."""
        self.is_changed = True
        try:
            created = self._call(self._api.create_namespaced_custom_object, *self._where, body)
        except (DeploymentError, InputError):
            # After an answer that was lost, it is refused because it is there.
            found = self.read()
            if not kserve_service.holds(found, body):
                self.is_changed = False
                raise
            created = found
        self._keep(created)

    def change(self, spec: dict[str, Any]) -> None:
        """Gives it another spec, unless somebody else did so meanwhile.

        The controller writes its status into the same object, which makes a change that was
        begun before too old; then it is begun again.
        """
        replace = self._api.replace_namespaced_custom_object
        while True:
            found = self.read()
            if found is None:
                raise DeploymentError(f"{self} was deleted by somebody else")
            if found["metadata"]["generation"] != self._generation:
                if self.is_changed and kserve_service.holds(found["spec"], spec):
                    self._keep(found)  # it was done, and the answer was lost
                    return
                raise DeploymentError(f"{self} was changed by somebody else meanwhile")
            body = kserve_service.changed(found, spec)
            was_changed, self.is_changed = self.is_changed, True
            try:
                self._keep(self._call(replace, *self._where, self._name, body))
                return
            except _TooOldError:
                time.sleep(_CONFLICT_WAIT_SECS)
            except (DeploymentError, InputError):
                self.is_changed = was_changed
                raise

    def delete(self) -> None:
        """Removes it."""
        self._call(self._api.delete_namespaced_custom_object, *self._where, self._name)

    def wait_until_ready(self, timeout_secs: float) -> kserve_service.Status:
        """Waits until the newest spec is served."""
        deadline, told = time.monotonic() + timeout_secs, ""
        while True:
            found = self.read()
            if found is None:
                raise DeploymentError(f"{self} was deleted by somebody else")
            status = kserve_service.status_of(found)
            if status.is_ready:
                self.public_url = (found["status"].get("url") or status.url).rstrip("/")
                return status
            if status.broken:
                raise DeploymentError(f"{self} cannot serve it: {status.broken}")
            if status.waiting_for != told:
                told = status.waiting_for
                progress.report(f"waiting for {self}: {told}")
            if time.monotonic() > deadline:
                raise DeploymentError(
                    f"{self} is not ready after {timeout_secs:g} s: {status.waiting_for}"
                )
            time.sleep(POLL_SECS)

    def _call(self, function, *args):
        try:
            return self._cluster.call(function, *args)
        except ApiException as error:
            missing = "; is KServe installed in the cluster?" if error.status == _NOT_FOUND else ""
            kind = _TooOldError if error.status == _CONFLICT else DeploymentError
            raise kind(f"{self}: {cluster_module.reason(error)}{missing}") from error

    def _keep(self, found: dict[str, Any]) -> None:
        self._generation, self.spec = found["metadata"]["generation"], found["spec"]
