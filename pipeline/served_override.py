"""A model that the gate refuses again, although a person decided to serve it, and it is served.

The gate judges a repeated run as before, and the Pusher pushes nothing. What is served is another
matter: the decision of before still stands as long as its version is the newest one.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from components import saved_models
from pipeline.node_result import NodeResult

_MODEL = ("HorovodTrainer", "model")
_VERDICT = ("Evaluator", "verdict")
_CHECK = ("ServingValidator", "blessing")
_PUSHED = ("Pusher", "pushed_model")
_TIME = "override_time"


def with_override(
    store: metadata_store.MetadataStore, results: Sequence[NodeResult], push_dir: str
) -> list[NodeResult]:
    """Puts the verdict and the push of an override in place of those of a run, if it stands.

    It stands where the gate alone refused the model, and the newest served version has its bytes
    and was pushed by an override.

    Args:
      store: ML Metadata, where the override is.
      results: what became of the nodes.
      push_dir: folder of the served versions.
    """
    found = {(r.id, key): artifact for r in results for key, artifact in r.outputs.items()}
    if not {_MODEL, _VERDICT, _CHECK, _PUSHED} <= set(found):
        return list(results)
    if _is_blessed(found[_VERDICT]) or not _is_blessed(found[_CHECK]):
        return list(results)
    served = saved_models.versions(push_dir)
    if not served or not _is_same(found[_MODEL], newest := _folder(push_dir, served[0])):
        return list(results)
    pushed = _newest(store, "PushedModel", "pushed_destination", newest)
    judged = pushed and _newest(store, "Verdict", _TIME, _text(pushed, _TIME))
    if not pushed or not judged:
        return list(results)
    return _replaced(results, {_VERDICT: judged, _PUSHED: pushed})


def _folder(push_dir: str, version: int) -> str:
    return saved_models.version_dir(push_dir, version)


def _is_blessed(artifact: metadata_store_pb2.Artifact) -> bool:
    return bool(artifact.custom_properties["blessed"].int_value)


def _is_same(model: metadata_store_pb2.Artifact, served: str) -> bool:
    folder = saved_models.folder_of(model.uri)
    if folder is None:
        return False
    return saved_models.content_digest(folder) == saved_models.content_digest(served)


def _newest(
    store: metadata_store.MetadataStore, kind: str, name: str, value: str
) -> metadata_store_pb2.Artifact | None:
    """The newest artifact of an override with a property of that value."""
    found = [
        artifact
        for artifact in store.get_artifacts_by_type(kind)
        if _text(artifact, name) == value and _text(artifact, _TIME)
    ]
    return max(found, key=lambda artifact: artifact.id, default=None)


def _text(artifact: metadata_store_pb2.Artifact, name: str) -> str:
    if name not in artifact.custom_properties:
        return ""
    return artifact.custom_properties[name].string_value


def _replaced(
    results: Sequence[NodeResult], artifacts: Mapping[tuple[str, str], Any]
) -> list[NodeResult]:
    replaced = []
    for result in results:
        new = {key: artifact for (node, key), artifact in artifacts.items() if node == result.id}
        replaced.append(dataclasses.replace(result, outputs={**result.outputs, **new}))
    return replaced
