"""Runs in ML Metadata: their contexts, and the records that are kept with them.

A run's context has its line (`RunLine`) as the property `lineage_line`, and its dataset and model
as properties to ask for. Its record is an artifact of the type RunRecord and the run's name,
whose property `record` is the text of `lineage.json`: so a store tells all, wherever the files are.
"""

from ml_metadata.metadata_store import metadata_store
from ml_metadata.metadata_store.metadata_store import ListOptions, OrderByField
from ml_metadata.proto import metadata_store_pb2

from lineage.record import run as run_lib
from lineage.record.run import Run
from pipeline.mlmd import long_text, names

RECORD_TYPE = "RunRecord"
RECORD = "record"
LINE, DATASET, MODEL = "lineage_line", "dataset_digest", "model_digest"
IS_LATE = f"custom_properties.{names.IMPORTED_LATE}.int_value = 1"
"""The condition that a run was imported after others that started later."""


def context_of(
    store: metadata_store.MetadataStore, run_id: str
) -> metadata_store_pb2.Context | None:
    """The context of a run, None where there is no such run."""
    return store.get_context_by_type_and_name(names.RUN_CONTEXT, run_id)


def contexts(
    store: metadata_store.MetadataStore, where: str = "", limit: int | None = None
) -> list[metadata_store_pb2.Context]:
    """The contexts of runs, the newest first.

    Args:
      store: the store.
      where: a further condition in ML Metadata's language of filters.
      limit: at most so many.
    """
    condition = f"type = '{names.RUN_CONTEXT}'"
    return store.get_contexts(
        list_options=ListOptions(
            limit=limit,
            order_by=OrderByField.ID,
            is_asc=False,
            filter_query=f"{condition} AND {where}" if where else condition,
        )
    )


def of_property(name: str, value: str) -> str:
    """The condition that a custom property has a value."""
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"custom_properties.{name}.string_value = '{quoted}'"


def read_record(store: metadata_store.MetadataStore, run_id: str) -> Run | None:
    """The record of a run, None where the store has none.

    Raises:
      InputError: it is of a newer version.
    """
    found = store.get_artifact_by_type_and_name(RECORD_TYPE, run_id)
    if found is None:
        return None
    text = long_text.get(found.custom_properties[RECORD])
    return run_lib.parse(text, f"the record of run {run_id} in ML Metadata")


def put_record(store: metadata_store.MetadataStore, run: Run, uri: str) -> None:
    """Keeps a record, in place of an earlier one of the same run.

    Args:
      store: the store.
      run: its context must be there.
      uri: where the same record is as a file.
    """
    found = context_of(store, run.run.id)
    if found is None:
        raise ValueError(f"ML Metadata has no run {run.run.id!r}")
    kept = store.get_artifact_by_type_and_name(RECORD_TYPE, run.run.id)
    if kept is None:
        kept = metadata_store_pb2.Artifact(
            type_id=store.put_artifact_type(metadata_store_pb2.ArtifactType(name=RECORD_TYPE)),
            name=run.run.id,
            state=metadata_store_pb2.Artifact.LIVE,
        )
    kept.uri = uri
    long_text.put(kept.custom_properties[RECORD], run.to_json())
    [kept_id] = store.put_artifacts([kept])
    store.put_attributions_and_associations(
        [metadata_store_pb2.Attribution(artifact_id=kept_id, context_id=found.id)], []
    )
    # The line last: a run that has one has its record.
    line = run.line()
    long_text.put(found.custom_properties[LINE], line.model_dump_json())
    found.custom_properties[DATASET].string_value = line.dataset
    found.custom_properties[MODEL].string_value = line.model
    store.put_contexts([found])
