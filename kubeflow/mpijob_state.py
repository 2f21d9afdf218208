"""How an MPIJob fares, from its conditions and its pods."""

import dataclasses
import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubeflow.mpijob_manifest import LAUNCHER, ROLE_LABEL
from kubeflow.mpijob_pods import CONTAINER

Object = Mapping[str, Any]

# What kubelets and the scheduler write where a pod had to make room, or its machine went down.
_EVICTIONS = frozenset(
    {"Evicted", "Preempting", "NodeLost", "NodeShutdown", "Shutdown", "Terminated"}
)
_TARGET = "DisruptionTarget"
_MAX_CHARS = 300


class Phase(enum.Enum):
    """What a job does."""

    UNSEEN = "the operator has not looked at it yet"
    WAITING = "its pods do not run yet"
    SUSPENDED = "held back"
    RUNNING = "running"
    SUCCEEDED = "done"
    EVICTED = "a pod of it was evicted"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True)
class State:
    """How a job fares.

    Attributes:
      phase: see there.
      text: one line: why it waits or ended; empty where there is nothing to say.
      exit_status: of the launcher's container, once it is known.
    """

    phase: Phase
    text: str = ""
    exit_status: int | None = None


class History:
    """What was seen of a job's pods while it was not over; ended jobs lose them."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        self.disrupted: dict[str, str] = {}

    def add(self, pods: Sequence[Object]) -> None:
        """Notes the pods of a job that has not ended."""
        here = {pod["metadata"]["uid"] for pod in pods}
        for uid, name in self._seen.items():
            if uid not in here:
                self.disrupted.setdefault(uid, f"pod {name} was deleted")
        for pod in pods:
            self._seen[pod["metadata"]["uid"]] = pod["metadata"]["name"]
        self.add_disrupted(pods, deletions=True)

    def forget(self) -> None:
        """Begins anew."""
        self._seen.clear()
        self.disrupted.clear()

    def add_disrupted(self, pods: Sequence[Object], *, deletions: bool) -> None:
        """Notes the pods that were evicted; also those that are being deleted, if asked for."""
        for pod in pods:
            reason = disruption(pod, deletions=deletions)
            if reason:
                self.disrupted[pod["metadata"]["uid"]] = reason


def is_over(job: Object) -> bool:
    """Whether a job has ended."""
    return not _true_conditions(job).keys().isdisjoint(("Succeeded", "Failed"))


def judge(job: Object, pods: Sequence[Object], history: History) -> State:
    """How a job fares.

    Args:
      job: the MPIJob.
      pods: its pods. Those of a job that has not ended were asked for before it: as it ends it
        loses pods, which would look as if they were taken from it.
      history: of the same job; it is added to.
    """
    conditions = _true_conditions(job)
    launcher = newest_launcher(pods)
    exit_status = None if launcher is None else exit_of(launcher)
    if "Succeeded" in conditions:
        return State(Phase.SUCCEEDED, exit_status=exit_status)
    if "Failed" in conditions:
        history.add_disrupted(pods, deletions=False)
        return _failed(conditions["Failed"], launcher, exit_status, history)
    suspended = job["spec"].get("runPolicy", {}).get("suspend", False)
    if suspended or "Suspended" in conditions:
        history.forget()  # it loses its pods, and begins anew
        return State(Phase.SUSPENDED, _line(conditions.get("Suspended", {}).get("message", "")))
    history.add(pods)
    if "Running" in conditions:
        return State(Phase.RUNNING)
    if not conditions:
        return State(Phase.UNSEEN)
    return State(Phase.WAITING, _why_waiting(pods))


def _true_conditions(job: Object) -> dict[str, Object]:
    conditions = job.get("status", {}).get("conditions") or []
    return {c["type"]: c for c in conditions if c["status"] == "True"}


def _failed(
    condition: Object, launcher: Object | None, exit_status: int | None, history: History
) -> State:
    message = _line(condition.get("message", ""))
    if "evict" in condition.get("reason", "").lower():
        return State(Phase.EVICTED, message or "evicted", exit_status)
    if history.disrupted:
        return State(Phase.EVICTED, "; ".join(history.disrupted.values()), exit_status)
    reason = _terminated(launcher).get("reason", "") if launcher else ""
    if reason == "OOMKilled":
        message = (
            f"the launcher was killed for its memory: raise kubeflow.mpijob.memory_gb ({message})"
        )
    return State(Phase.FAILED, message, exit_status)


def newest_launcher(pods: Iterable[Object]) -> Object | None:
    """The launcher's pod; None where there is none."""
    found = [pod for pod in pods if pod["metadata"]["labels"].get(ROLE_LABEL) == LAUNCHER]
    return max(found, key=lambda pod: pod["metadata"].get("creationTimestamp") or "", default=None)


def has_begun(pod: Object) -> bool:
    """Whether a pod has a log."""
    return pod.get("status", {}).get("phase") in ("Running", "Succeeded", "Failed")


def exit_of(pod: Object) -> int | None:
    """The exit status of a pod's container; None while it runs, or where nobody knows it."""
    return _terminated(pod).get("exitCode")


def disruption(pod: Object, *, deletions: bool) -> str | None:
    """Why a pod has to go, other than by its own fault; None where it does not."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    target = next(
        (
            c
            for c in status.get("conditions") or []
            if c["type"] == _TARGET and c["status"] == "True"
        ),
        None,
    )
    if status.get("reason") in _EVICTIONS:
        return f"pod {name}: {status['reason']} ({_line(status.get('message', ''))})"
    if target is not None:
        return f"pod {name}: {target.get('reason', _TARGET)} ({_line(target.get('message', ''))})"
    if deletions and pod["metadata"].get("deletionTimestamp"):
        return f"pod {name} is being deleted"
    return None


def _terminated(pod: Object) -> Object:
    for container in pod.get("status", {}).get("containerStatuses") or []:
        if container["name"] == CONTAINER:
            return container.get("state", {}).get("terminated") or {}
    return {}


def _why_waiting(pods: Sequence[Object]) -> str:
    """What holds up the pods, with one of them as an example."""
    reasons = []
    for pod in pods:
        status = pod.get("status", {})
        for c in status.get("conditions") or []:
            if c["type"] == "PodScheduled" and c["status"] == "False":
                reasons.append((pod, c.get("reason", ""), c.get("message", "")))
        for container in status.get("containerStatuses") or []:
            waiting = container.get("state", {}).get("waiting")
            if waiting and waiting.get("reason") != "ContainerCreating":
                reasons.append((pod, waiting.get("reason", ""), waiting.get("message", "")))
    if not reasons:
        return ""
    pod, reason, message = reasons[0]
    return _line(f"{len(reasons)} pods wait, as {pod['metadata']['name']}: {reason} {message}")


def _line(text: str) -> str:
    return " ".join((text or "").split())[:_MAX_CHARS]
