"""Lets KServe serve a pushed version: tries it, then gives it the traffic, or puts things back."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import kubernetes
from kubernetes.client.exceptions import ApiException

from components import progress
from components.pusher import deployment
from kubeflow import cluster as cluster_module
from kubeflow import kserve_parity, kserve_service
from kubeflow.cluster import Cluster
from kubeflow.kserve_service import GROUP, PLURAL, VERSION, Options
from preprocessing.errors import InputError

POLL_SECS = 1.0
_CONFLICT_WAIT_SECS = 0.1
_NOT_FOUND, _CONFLICT = 404, 409


class DeploymentError(RuntimeError):
    """The version is not served; what was served before is."""


class _TooOldError(DeploymentError):
    """The object was written by somebody else since it was read."""


def register() -> None:
    """Lets the Pusher of this process deploy."""
    deployment.DEPLOYERS[deployment.KSERVE] = _deploy_here


def check(options: str) -> None:
    """Looks whether the service could be read, so that a run does not find out at its end.

    Args:
      options: as of the Pusher.

    Raises:
      InputError: there is no cluster, or the role lacks something.
      AwayError: the API server does not answer.
      DeploymentError: KServe is not there.
    """
    given = Options(**json.loads(options))
    _Service(_cluster_of(given), given.name).read()


def _deploy_here(pushed: deployment.Pushed) -> deployment.Deployment:
    try:
        given = Options(**json.loads(pushed.options))
        images = kserve_parity.read(pushed.parity_file)
        where = _cluster_of(given)
    except BaseException:
        pushed.withdraw()
        raise
    return deploy(where, given, pushed.version, images, pushed.withdraw)


def _cluster_of(options: Options) -> Cluster:
    connected = cluster_module.connect()
    return Cluster(connected.api, options.namespace or connected.namespace)


def deploy(
    cluster: Cluster,
    options: Options,
    version: int,
    images: kserve_parity.Images,
    withdraw: Callable[[], None],
) -> deployment.Deployment:
    """Serves a version.

    A service that is there gets the version as a canary, one that is not is made. The version has
    to be ready, and to answer the images as the training did; then it gets all the traffic. If
    not, the service's spec is what it was before; a service that was not there is deleted.

    Args:
      cluster: of the namespace.
      options: the service.
      version: what the storage has newest.
      images: what it is asked.
      withdraw: takes the version out of the storage, before what was served comes back.

    Returns:
      What serves it.

    Raises:
      DeploymentError: it does not get ready, or answers something else; one line.
      InputError: the role lacks something.
      AwayError: the API server does not answer.
    """
    service = _Service(cluster, options.name)
    with _putting_back(service, withdraw):
        before = service.remember()
        if before is None:
            service.create(kserve_service.new(options, version))
        elif kserve_service.version_of(before) != str(version):
            service.change(
                kserve_service.with_version(
                    before["spec"], options, version, options.canary_percent
                )
            )
        status = service.wait_until_ready(options.timeout_secs)
        difference = _compare(service, options, status.url, images)
        service.change(kserve_service.with_all_traffic(service.spec))
        status = service.wait_until_ready(options.timeout_secs)
    return deployment.Deployment(
        service=f"{deployment.KSERVE}:{cluster.namespace}/{options.name}",
        endpoint=service.public_url,
        revision=status.revision,
        images=len(images.files),
        max_difference=difference,
    )


def _compare(
    service: "_Service", options: Options, url: str, images: kserve_parity.Images
) -> float:
    """The largest difference of a probability, which is small enough."""
    if not url:
        raise DeploymentError(
            f"{service} has no address at which its newest revision alone answers"
        )
    progress.report(f"asking {url} for {len(images.files)} images")
    difference = kserve_parity.largest_difference(
        url, options.endpoint, options.name, images, options.timeout_secs
    )
    if difference <= options.tolerance:
        return difference
    raise DeploymentError(
        f"{url} answers otherwise than the trained model: probabilities differ by "
        f"{difference:.2g}, allowed {options.tolerance:.2g}"
    )


class _Service:
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


@contextlib.contextmanager
def _putting_back(service: _Service, withdraw: Callable[[], None]) -> Iterator[None]:
    """Makes storage and service what they were, where the block fails or is stopped."""
    try:
        yield
    except BaseException as error:
        withdraw()
        done = _put_back(service) if service.is_changed else "nothing was changed"
        if isinstance(error, DeploymentError | kserve_parity.ParityError):
            raise DeploymentError(f"{error}; {done}") from error
        progress.report(f"{service}: {done}")
        raise


def _put_back(service: _Service) -> str:
    """Gives a service the spec that it had; says what was done."""
    try:
        if service.before is None:
            service.delete()
            return "the service, which is new, was deleted"
        service.change(service.before)
        return "rolled back to what was served before"
    except Exception as error:
        return f"and it could not be rolled back: {error}"
