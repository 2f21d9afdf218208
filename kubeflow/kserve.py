"""Lets KServe serve a pushed version: tries it, then gives it the traffic, or puts things back."""

import contextlib
import json
from collections.abc import Callable, Iterator

from components import progress
from components.pusher import deployment
from kubeflow import cluster as cluster_module
from kubeflow import kserve_parity, kserve_service
from kubeflow.cluster import Cluster
from kubeflow.kserve_object import DeploymentError, Service
from kubeflow.kserve_service import Options


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
    Service(_cluster_of(given), given.name).read()


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
    service = Service(cluster, options.name)
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


def _compare(service: Service, options: Options, url: str, images: kserve_parity.Images) -> float:
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


@contextlib.contextmanager
def _putting_back(service: Service, withdraw: Callable[[], None]) -> Iterator[None]:
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


def _put_back(service: Service) -> str:
    """Gives a service the spec that it had; says what was done."""
    try:
        if service.before is None:
            service.delete()
            return "the service, which is new, was deleted"
        service.change(service.before)
        return "rolled back to what was served before"
    except Exception as error:
        return f"and it could not be rolled back: {error}"
