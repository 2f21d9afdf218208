"""Follows the log of a pod while it grows, also over a time in which the API server is away."""

import logging
import threading
import time
from collections.abc import Callable

import kubernetes
import urllib3
from kubernetes.client.exceptions import ApiException

from kubeflow.cluster import Cluster, ForbiddenError, forbidden

# Between two tries, and how much more than the time since the last line is asked for again.
_RETRY_SECS = 1.0
_MARGIN_SECS = 10
# A stream on which nothing came for so long is opened anew: the other side may be gone.
_READ_SECS = 60.0
_CONNECT_SECS = 10.0
_LOGGER = logging.getLogger(__name__)
_Time = tuple[str, int]


class PodLog(threading.Thread):
    """Hands on each line of a pod's log once, in order, from a thread.

    Attributes:
      error: why there is no log, where the step may not read it.
    """

    def __init__(self, cluster: Cluster, pod: str, container: str, take: Callable[[str], None]):
        """Starts.

        Args:
          cluster: where the pod is.
          pod: its name.
          container: whose log.
          take: gets each line, with its end.
        """
        super().__init__(name=f"log-of-{pod}", daemon=True)
        self._cluster, self._pod, self._container, self._take = cluster, pod, container, take
        self._core = kubernetes.client.CoreV1Api(cluster.api)
        self._newest: _Time = ("", 0)
        self._seen_at: float | None = None
        self._ended = threading.Event()
        self.error: ForbiddenError | None = None
        self.start()

    def finish(self, timeout_secs: float) -> None:
        """Waits for the log's end, which comes with the container's, for so long at most."""
        self.join(timeout_secs)
        self._ended.set()

    def run(self) -> None:
        """Follows the log until it ends."""
        while not self._ended.is_set():
            try:
                if self._follow():
                    return
            except ApiException as error:
                if error.status == 403:
                    self.error = forbidden(error, self._cluster.namespace)
                if error.status in (403, 404):  # 404: the pod is gone
                    return
            except urllib3.exceptions.HTTPError as error:
                # It goes on where it was; who waits for the job tells that the server is away.
                _LOGGER.debug("the log of %s broke off: %s", self._pod, error)
            self._ended.wait(_RETRY_SECS)

    def _follow(self) -> bool:
        """Reads one stream to its end; returns whether that is the end of the log."""
        options = {}
        if self._seen_at is not None:
            # By the clock of the pod's machine: no two clocks are compared.
            options["since_seconds"] = int(time.monotonic() - self._seen_at) + _MARGIN_SECS
        response = self._core.read_namespaced_pod_log(
            self._pod,
            self._cluster.namespace,
            container=self._container,
            follow=True,
            timestamps=True,
            _preload_content=False,
            _request_timeout=(_CONNECT_SECS, _READ_SECS),
            **options,
        )
        rest, read_before = b"", self._newest
        try:
            for part in response.stream(amt=2**16):
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    self._hand_on(line.decode("utf-8", "replace"), read_before)
        finally:
            response.release_conn()
        return self._is_over()

    def _hand_on(self, line: str, read_before: "_Time") -> None:
        time_text, _, text = line.partition(" ")
        when = _parse(time_text)
        if when <= read_before:
            return
        self._newest, self._seen_at = when, time.monotonic()
        self._take(f"{text}\n")

    def _is_over(self) -> bool:
        """Whether the container has ended; a stream ends for other reasons too."""
        pod = self._core.read_namespaced_pod(
            self._pod, self._cluster.namespace, _request_timeout=(_CONNECT_SECS, _READ_SECS)
        )
        return pod.status.phase in ("Succeeded", "Failed")


def _parse(text: str) -> _Time:
    """A time as RFC 3339 in UTC, to the second, and its nanoseconds: such pairs compare."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    return seconds, int(fraction.ljust(9, "0") or 0)
