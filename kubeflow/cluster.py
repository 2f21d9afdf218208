"""The API server of the cluster: it may be away for a while, and a role may lack something."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import kubernetes
import tenacity
import urllib3
from kubernetes.client.exceptions import ApiException

from components import progress
from preprocessing.errors import AwayError, InputError

Result = TypeVar("Result")

# How long a call is tried again: an API server is updated, or its machine replaced, in less.
AWAY_SECS = 600.0
# Seconds for a connection and for an answer: a packet that got lost must not hold up all.
REQUEST_TIMEOUT_SECS = (10, 60)
_FIRST_WAIT_SECS, _LONGEST_WAIT_SECS = 0.2, 15.0
_AWAY_STATUSES = frozenset({0, 408, 429, 500, 502, 503, 504})
# While it starts it lets nobody in: it has not read the roles yet.
_STARTING_STATUSES = frozenset({401, 403})
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_FORBIDDEN = re.compile(r'cannot (\S+) resource "([^"]+)" in API group "([^"]*)"')


class ForbiddenError(InputError):
    """The account that the step runs under may not do what it has to."""


class Cluster:
    """Calls to the API server, which are tried again while it is away.

    Attributes:
      api: the client.
      namespace: the one in which the step runs.
    """

    def __init__(
        self,
        api: kubernetes.client.ApiClient,
        namespace: str,
        *,
        away_secs: float = AWAY_SECS,
        tell: Callable[[str], None] = progress.report,
    ):
        """Calls nothing yet.

        Args:
          api: the client.
          namespace: of all calls.
          away_secs: how long a call is tried again.
          tell: is told when the server is away.
        """
        self.api, self.namespace = api, namespace
        self._away_secs, self._tell = away_secs, tell

    def impatient(self, away_secs: float) -> "Cluster":
        """The same cluster, which is waited for so long only."""
        return Cluster(self.api, self.namespace, away_secs=away_secs, tell=self._tell)

    def call(self, function: Callable[..., Result], *args: Any, **options: Any) -> Result:
        """Calls a method of the client.

        Raises:
          ForbiddenError: the role lacks something; one line that says what.
          AwayError: the server has not answered for so long.
          ApiException: it refused for another reason.
        """
        was_away = False

        def passes(error: BaseException) -> bool:
            nonlocal was_away
            away = is_away(error)
            if away and not was_away:
                self._tell(f"the API server is away ({reason(error)}); trying again")
            was_away = was_away or away
            status = error.status if isinstance(error, ApiException) else None
            return away or (was_away and status in _STARTING_STATUSES)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(passes),
            wait=tenacity.wait_random_exponential(_FIRST_WAIT_SECS, _LONGEST_WAIT_SECS),
            stop=tenacity.stop_before_delay(self._away_secs),
            reraise=True,
        )
        options.setdefault("_request_timeout", REQUEST_TIMEOUT_SECS)
        try:
            return retrying(function, *args, **options)
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            if isinstance(error, ApiException) and error.status == 403:
                raise forbidden(error, self.namespace) from None
            if is_away(error):
                raise AwayError(
                    f"the API server has not answered for {self._away_secs:g} s: {reason(error)}"
                ) from error
            raise


def connect() -> Cluster:
    """The cluster that this step runs on, or that `kubectl` talks to.

    Raises:
      InputError: there is none.
    """
    try:
        if "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
            kubernetes.config.load_incluster_config()
            namespace = _NAMESPACE_FILE.read_text().strip()
        else:
            # The client looks at the environment once, when it is imported.
            file = os.environ.get("KUBECONFIG")
            kubernetes.config.load_kube_config(file)
            _, active = kubernetes.config.list_kube_config_contexts(file)
            namespace = active["context"].get("namespace") or "default"
    except (kubernetes.config.ConfigException, OSError) as error:
        raise InputError(
            f"this must run in a pod of a cluster, or with KUBECONFIG set. Received: {error}"
        ) from None
    configuration = kubernetes.client.Configuration.get_default_copy()
    configuration.retries = False  # here it is decided what is tried again
    return Cluster(kubernetes.client.ApiClient(configuration), namespace)


def is_away(error: BaseException) -> bool:
    """Whether a call failed in a way that may pass."""
    if isinstance(error, ApiException):
        return error.status in _AWAY_STATUSES
    return isinstance(error, urllib3.exceptions.HTTPError)


def reason(error: BaseException) -> str:
    """What the server, or the way to it, said: one line."""
    if isinstance(error, ApiException):
        return _message(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _message(error: ApiException) -> str:
    """The message of the server's answer."""
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        message = f"{error.status} {error.reason}"
    return " ".join(str(message).split())


def forbidden(error: ApiException, namespace: str) -> ForbiddenError:
    """What the role lacks, where the server answered with 403."""
    message = _message(error)
    found = _FORBIDDEN.search(message)
    what = (
        f'verb "{found[1]}" on "{found[2]}" (API group "{found[3]}")' if found else "what it needs"
    )
    return ForbiddenError(
        f"the step's service account must have the {what} in namespace {namespace}: give it the "
        f"role of kubeflow/manifests. Received: {message}"
    )
