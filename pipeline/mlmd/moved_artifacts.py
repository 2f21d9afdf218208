"""Artifacts of an output folder that was moved: ML Metadata knows them by their absolute paths.

Runs say in ML Metadata which output folder is theirs, by its random name and its path. Only what
belongs to runs of this folder is looked at: a store may be shared, and other folders have nodes of
the same names and executions of the same numbers.
"""

from pathlib import Path

from ml_metadata.metadata_store import metadata_store
from ml_metadata.metadata_store.metadata_store import ListOptions
from ml_metadata.proto import metadata_store_pb2

from pipeline.mlmd import liveness, names
from pipeline.output_dir import ARTIFACTS_FOLDER


def follow(store: metadata_store.MetadataStore, output_dir: Path) -> int:
    """Corrects where the artifacts of an output folder are, if it was moved since its runs.

    Artifacts stay as they are noted where they are there still, as those of a folder that was
    copied, and where they are not in the folder either.

    Args:
      store: ML Metadata.
      output_dir: the folder, absolute.

    Returns:
      The number of artifacts that have moved.
    """
    own_id = liveness.known_output_id(output_dir)
    if own_id is None:  # no run has been here
        return 0
    moved = 0
    for run in _runs_elsewhere(store, own_id, output_dir):
        before = Path(run.custom_properties[names.OUTPUT_DIR].string_value)
        if liveness.known_output_id(before) == own_id:
            continue  # a copy, or the same folder by another path
        moved += _follow_run(store, run, before / ARTIFACTS_FOLDER, output_dir / ARTIFACTS_FOLDER)
        # Last: a run that says that it is here has all of its artifacts corrected.
        run.custom_properties[names.OUTPUT_DIR].string_value = str(output_dir)
        store.put_contexts([run])
    return moved


def _runs_elsewhere(
    store: metadata_store.MetadataStore, output_id: str, output_dir: Path
) -> list[metadata_store_pb2.Context]:
    """The runs of the folder that say that it is somewhere else."""
    here = str(output_dir)
    conditions = [
        f"type = '{names.RUN_CONTEXT}'",
        f"custom_properties.{names.OUTPUT_ID}.string_value = '{output_id}'",
    ]
    if not set("'\\") & set(here):  # which stores quote in different ways
        conditions.append(f"custom_properties.{names.OUTPUT_DIR}.string_value != '{here}'")
    options = ListOptions(filter_query=" AND ".join(conditions))
    found = store.get_contexts(list_options=options)
    return [run for run in found if run.custom_properties[names.OUTPUT_DIR].string_value != here]


def _follow_run(
    store: metadata_store.MetadataStore,
    run: metadata_store_pb2.Context,
    before: Path,
    now: Path,
) -> int:
    moved = []
    for artifact in store.get_artifacts_by_context(run.id):
        noted = Path(artifact.uri)
        if not noted.is_relative_to(before) or noted.exists():
            continue
        here = now / noted.relative_to(before)
        if here.exists():
            artifact.uri = str(here)
            moved.append(artifact)
    if moved:
        store.put_artifacts(moved)
    return len(moved)
