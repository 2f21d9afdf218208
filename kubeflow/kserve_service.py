"""The InferenceService that serves a model, and what its status says.

KServe's API is serving.kserve.io/v1beta1. In its Knative mode each change of the predictor makes a
new revision, and `canaryTrafficPercent` says how much of the traffic that one gets. In the other
modes the new pods take over as soon as they are ready, and that field is not looked at.
"""

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

GROUP, VERSION, PLURAL = "serving.kserve.io", "v1beta1", "inferenceservices"
PREDICTOR = "predictor"
_VERSION_KEY = "effnet.dev/version"
# Gives each revision an address of its own, at which a canary is asked without any traffic.
TAG_ROUTING = "serving.kserve.io/enable-tag-routing"
# TensorFlow Serving would load what is pushed later into the same folder by itself, before it was
# tried: on a volume it sees that.
_LOAD_ONCE = "--file_system_poll_wait_seconds=0"
_BROKEN = ("InvalidSpec", "BlockedByFailedLoad")


class Options(NamedTuple):
    """What the service is.

    Attributes:
      name: of the service, and of the model in its URLs.
      namespace: its namespace; empty: that of whoever asks.
      storage_uri: the folder above the versions.
      runtime_version: of TensorFlow Serving.
      service_account: of its pods; empty: the namespace's.
      timeout_secs: until it is ready, and until it answers.
      canary_percent: traffic of a version on trial, 0 to 99.
      endpoint: where requests are sent; empty: to the URL that its status has.
      tolerance: largest allowed difference of a probability.
    """

    name: str
    namespace: str
    storage_uri: str
    runtime_version: str
    service_account: str
    timeout_secs: float
    canary_percent: int
    endpoint: str
    tolerance: float


def new(options: Options, version: int) -> dict[str, Any]:
    """A service that is not there yet."""
    spec = with_version({}, options, version, canary_percent=None)
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "InferenceService",
        "metadata": {"name": options.name, "annotations": {TAG_ROUTING: "true"}},
        "spec": spec,
    }


def with_version(
    spec: Mapping[str, Any], options: Options, version: int, canary_percent: int | None
) -> dict[str, Any]:
    """A service's spec that serves a version; what others set in it (replicas, resources) stays."""
    changed = copy.deepcopy(dict(spec))
    predictor = changed.setdefault(PREDICTOR, {})
    # The storage is the same for each version: only this makes a new revision.
    predictor.setdefault("annotations", {})[_VERSION_KEY] = str(version)
    model = predictor.setdefault("model", {})
    model["modelFormat"] = {"name": "tensorflow"}
    model["runtimeVersion"] = options.runtime_version
    model["storageUri"] = options.storage_uri
    model["args"] = [*(a for a in model.get("args", []) if a != _LOAD_ONCE), _LOAD_ONCE]
    if options.service_account:
        predictor["serviceAccountName"] = options.service_account
    if canary_percent is not None:
        predictor["canaryTrafficPercent"] = canary_percent
    return changed


def with_all_traffic(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A service's spec whose newest revision gets all the traffic."""
    changed = copy.deepcopy(dict(spec))
    changed[PREDICTOR]["canaryTrafficPercent"] = 100
    return changed


def changed(service: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """A service as it was read, with another spec."""
    metadata = dict(service["metadata"])
    metadata["annotations"] = {**(metadata.get("annotations") or {}), TAG_ROUTING: "true"}
    return {**service, "metadata": metadata, "spec": spec}


def holds(found: Any, wanted: Any) -> bool:
    """Whether an object of the API server is what was sent: it may have more fields."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and holds(found[key], value) for key, value in wanted.items()
        )
    return found == wanted


def version_of(service: Mapping[str, Any]) -> str:
    """The version that a service serves; empty where we did not make it."""
    return service["spec"].get(PREDICTOR, {}).get("annotations", {}).get(_VERSION_KEY, "")


class Status(NamedTuple):
    """What the controller says.

    Attributes:
      is_ready: whether the newest spec is served.
      broken: why it never will be; empty otherwise.
      waiting_for: what is not ready yet.
      revision: the newest one that is ready; empty in modes without them.
      url: where the newest revision, and no other, is asked; empty where it has no such address.
    """

    is_ready: bool
    broken: str
    waiting_for: str
    revision: str
    url: str


def status_of(service: Mapping[str, Any]) -> Status:
    """Reads the status of a service."""
    status = service.get("status") or {}
    predictor = (status.get("components") or {}).get(PREDICTOR) or {}
    created = predictor.get("latestCreatedRevision", "")
    ready = predictor.get("latestReadyRevision", "")
    is_seen = status.get("observedGeneration", 0) >= service["metadata"]["generation"]
    conditions = status.get("conditions") or []
    of_service = {c["type"]: c for c in conditions}
    is_true = of_service.get("Ready", {}).get("status") == "True"
    pending = [
        f"{c['type']}: {c.get('message') or c.get('reason') or c['status']}"
        for c in conditions
        if c["status"] != "True"
    ]
    return Status(
        is_ready=is_seen and is_true and created == ready,
        broken=_broken(status) if is_seen else "",
        waiting_for="; ".join(pending) or "the controller has said nothing of it",
        revision=ready,
        url=_url(status, predictor, ready),
    )


def _broken(status: Mapping[str, Any]) -> str:
    model = status.get("modelStatus") or {}
    if model.get("transitionStatus") not in _BROKEN:
        return ""
    info = model.get("lastFailureInfo") or {}
    said = f"{info.get('reason', '')}: {info.get('message', '')}".strip(": ")
    return said or model["transitionStatus"]


def _url(status: Mapping[str, Any], predictor: Mapping[str, Any], revision: str) -> str:
    traffic = predictor.get("traffic") or []
    tagged = [
        one["url"]
        for one in traffic
        if one.get("url") and (one.get("latestRevision") or one.get("revisionName") == revision)
    ]
    if tagged:
        return tagged[0].rstrip("/")
    if any(one.get("percent") and one.get("revisionName") != revision for one in traffic):
        return ""  # others answer at the service's own address as well
    in_cluster = (status.get("address") or {}).get("url", "")
    return (in_cluster or status.get("url", "")).rstrip("/")
