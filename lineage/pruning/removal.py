"""Carries out a plan, so that a kill at any moment leaves nothing that is taken for whole.

First ML Metadata says of each artifact that it is pruned, which the cache heeds; then the records
of the runs say so; the files go last. What was interrupted, the next prune finds by these marks.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from lineage.making import recorder
from lineage.pruning import artifacts
from lineage.pruning.items import Item, Plan
from lineage.store import runs
from pipeline.mlmd import names
from preprocessing.files import publish

_Artifact = metadata_store_pb2.Artifact


def carry_out(
    plan: Plan, store: metadata_store.MetadataStore, output_dir: Path, now: str
) -> Iterator[Item]:
    """Removes what a plan names; the folder's lock must be held.

    Args:
      plan: the plan.
      store: ML Metadata.
      output_dir: the folder.
      now: the time that is written down, in ISO 8601.

    Yields:
      Each item when it is gone.
    """
    own = {execution.id for run_id in plan.runs for execution in _executions(store, run_id)}
    wanted = [item for item in plan.items if item.artifact_id is not None]
    marked = _mark(store, [item.artifact_id for item in wanted], now)
    # A run of another folder may have taken one from the cache before it was marked.
    taken = artifacts.used_by_others(store, sorted(marked), own)
    _unmark(store, [marked[number] for number in taken])
    pruned = {a.id: a for number, a in marked.items() if number not in taken}
    times = {a.uri: a.custom_properties[names.PRUNED].string_value for a in pruned.values()}
    for run_id in plan.runs:
        recorder.mark_pruned(store, output_dir, run_id, times)
    for item in wanted:
        if item.artifact_id in pruned:
            _remove_files(item.path)
            pruned[item.artifact_id].state = _Artifact.DELETED
            store.put_artifacts([pruned[item.artifact_id]])
            yield item
    for item in plan.items:
        if item.artifact_id is None:
            _remove(item.path)
            yield item


def _mark(
    store: metadata_store.MetadataStore, ids: Sequence[int], now: str
) -> dict[int, metadata_store_pb2.Artifact]:
    found = {a.id: a for a in store.get_artifacts_by_id(ids)} if ids else {}
    for artifact in found.values():
        artifact.state = _Artifact.MARKED_FOR_DELETION
        if names.PRUNED not in artifact.custom_properties:
            artifact.custom_properties[names.PRUNED].string_value = now
    if found:
        store.put_artifacts(list(found.values()))
    return found


def _unmark(
    store: metadata_store.MetadataStore, taken: Collection[metadata_store_pb2.Artifact]
) -> None:
    for artifact in taken:
        artifact.state = _Artifact.LIVE
        del artifact.custom_properties[names.PRUNED]
    if taken:
        store.put_artifacts(list(taken))


def _executions(
    store: metadata_store.MetadataStore, run_id: str
) -> list[metadata_store_pb2.Execution]:
    context = runs.context_of(store, run_id)
    return store.get_executions_by_context(context.id) if context is not None else []


def _remove_files(path: Path) -> None:
    """Removes what is no record of an artifact; its folder stays."""
    for file in list(artifacts.removable(path)):
        file.unlink(missing_ok=True)
    for parent, _, _ in os.walk(path, topdown=False):
        if Path(parent) != path:
            with contextlib.suppress(OSError):  # a link to a folder, or not empty
                os.rmdir(parent)


def _remove(path: Path) -> None:
    if path.is_dir():
        # By a name that says that it is abandoned, since half of it must not be taken for all.
        gone = path.with_name(f".{path.name}.{uuid.uuid4().hex}{publish.SUFFIX}")
        if not path.name.endswith(publish.SUFFIX):
            path = path.rename(gone)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
