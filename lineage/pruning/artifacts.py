"""The artifacts of an output folder that nothing needs any more.

An artifact is free to go where all executions that ML Metadata has with it, as input or output,
belong to runs of this folder that are not kept. Runs of other folders in a shared store are never
looked into: what they have in common with this folder stays.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from components.evaluator import predictions, verdict
from components.stored_names import CONTENT_FINGERPRINT, SERVING_CHECK_FILE
from lineage.pruning.items import Item
from lineage.store import runs
from pipeline.cache import fingerprints
from pipeline.mlmd import names
from preprocessing import features
from trainer_module import run_files

# What says which images, settings and measurements there were: questions about a run are answered
# from them, and they are small.
RECORDS = frozenset(
    {
        features.INGESTION_FILE,
        features.MANIFEST_FILE,
        features.COUNTS_FILE,
        features.STATISTICS_FILE,
        features.QUARANTINE_FILE,
        features.DUPLICATES_FILE,
        features.NEAR_DUPLICATES_FILE,
        predictions.FILE,
        verdict.JSON_FILE,
        verdict.TEXT_FILE,
        verdict.CONFUSION_FILE,
        SERVING_CHECK_FILE,
        run_files.LOG_FILE,
        run_files.SUMMARY_FILE,
    }
)
_LEVELS = 3  # <node>/<output>/<execution>
_BATCH = 500


def unneeded(
    store: metadata_store.MetadataStore,
    folder: Path,
    free_runs: Sequence[str],
    needed: Mapping[str, str],
    why: str,
) -> Iterator[Item | str]:
    """Looks for the artifacts that nothing needs.

    Args:
      store: ML Metadata.
      folder: the artifacts of the output folder.
      free_runs: its runs that are not kept.
      needed: artifacts that something else needs, by their URI, and what that is.
      why: what is true of all of these runs.

    Yields:
      Items, and a line of text for each artifact that is left alone for want of proof.
    """
    of_run = {
        execution.id: run_id for run_id in free_runs for execution in _executions(store, run_id)
    }
    events = _events_of_executions(store, list(of_run))
    makers = {e.artifact_id: of_run[e.execution_id] for e in reversed(events)}
    shared = used_by_others(store, list(makers), of_run)
    for artifact in _artifacts(store, sorted(set(makers) - shared)):
        path = Path(artifact.uri)
        if (
            not _is_own(path, folder)
            or artifact.state == metadata_store_pb2.Artifact.DELETED
            or not path.is_dir()
        ):
            continue
        what = f"{path.parts[-3]} {path.parts[-2]} of run {makers[artifact.id]}"
        num_bytes = sum(file.stat().st_size for file in removable(path))
        if not num_bytes and names.PRUNED not in artifact.custom_properties:
            continue
        reason = needed.get(artifact.uri.rstrip("/")) or _unproved(artifact)
        if reason is None:
            yield Item(what, path, num_bytes, why, artifact.id)
        else:
            yield f"{what}: {reason}"


def used_by_others(
    store: metadata_store.MetadataStore, artifact_ids: Sequence[int], own: Collection[int]
) -> set[int]:
    """The artifacts that an execution has which is none of `own`."""
    events = [
        event for ids in _batches(artifact_ids) for event in store.get_events_by_artifact_ids(ids)
    ]
    return {event.artifact_id for event in events if event.execution_id not in own}


def removable(path: Path) -> Iterator[Path]:
    """The files of an artifact that are no records."""
    for parent, _, names_here in os.walk(path):
        for name in names_here:
            if Path(parent) != path or name not in RECORDS:
                yield Path(parent, name)


def _unproved(artifact: metadata_store_pb2.Artifact) -> str | None:
    """Why it is not certain that the files are the artifact's, None where it is."""
    if names.PRUNED in artifact.custom_properties:  # a prune that was interrupted goes on
        return None
    if CONTENT_FINGERPRINT not in artifact.custom_properties:
        return "it has no fingerprint, so nobody knows whether its files are its own"
    known = artifact.custom_properties[CONTENT_FINGERPRINT].string_value
    return fingerprints.difference(artifact.uri, known)


def _is_own(path: Path, folder: Path) -> bool:
    """Whether it lies below the folder as nodes lay out their outputs, and is no link."""
    is_below = path.is_relative_to(folder) and len(path.relative_to(folder).parts) == _LEVELS
    return is_below and ".." not in path.parts and path.resolve() == _resolved(path, folder)


def _resolved(path: Path, folder: Path) -> Path:
    return folder.resolve() / path.relative_to(folder)


def _executions(
    store: metadata_store.MetadataStore, run_id: str
) -> list[metadata_store_pb2.Execution]:
    context = runs.context_of(store, run_id)
    return store.get_executions_by_context(context.id) if context is not None else []


def _events_of_executions(
    store: metadata_store.MetadataStore, ids: Sequence[int]
) -> list[metadata_store_pb2.Event]:
    return [
        event
        for batch in _batches(sorted(ids))
        for event in store.get_events_by_execution_ids(batch)
    ]


def _artifacts(
    store: metadata_store.MetadataStore, ids: Sequence[int]
) -> Iterator[metadata_store_pb2.Artifact]:
    for batch in _batches(ids):
        yield from sorted(store.get_artifacts_by_id(batch), key=lambda artifact: artifact.id)


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]
