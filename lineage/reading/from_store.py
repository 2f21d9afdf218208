"""Runs from ML Metadata."""

from pathlib import Path

import yaml
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from components.stored_names import MADE_IN_RUN
from lineage.making import build
from lineage.reading.source import RUNNING, RunSource, newest_first
from lineage.record import files
from lineage.record.parts import Artifact
from lineage.record.run import Run, RunLine
from lineage.store import executions, runs
from pipeline import output_dir as folders
from pipeline.mlmd import liveness, long_text


class StoreRuns(RunSource):
    """The runs of a store, of all output folders that write into it."""

    def __init__(self, store: metadata_store.MetadataStore, name: str, output_dir: Path | None):
        """Reads nothing yet.

        Args:
          store: an open store.
          name: what to call it.
          output_dir: an output folder; where its runs said that it was elsewhere, it was moved.
        """
        super().__init__(name, output_dir)
        self._store = store

    def lines(self, limit: int | None = None) -> list[RunLine]:
        """See `RunSource.lines`."""
        # The newest in the store are the newest runs, unless older ones were imported later.
        late = runs.contexts(self._store, where=runs.IS_LATE, limit=1) if limit else []
        found = runs.contexts(self._store, limit=None if late else limit)
        return newest_first(self._line(context) for context in found)[:limit]

    def find(self, run_id: str) -> Run | None:
        """See `RunSource.find`."""
        context = runs.context_of(self._store, run_id)
        return self._run(context) if context is not None else None

    def has(self, run_id: str) -> bool:
        """Whether a run is here."""
        return runs.context_of(self._store, run_id) is not None

    def artifact(self, artifact_id: int) -> Artifact | None:
        """See `RunSource.artifact`."""
        found = self._store.get_artifacts_by_id([artifact_id])
        return self._artifact(found[0]) if found else None

    def artifact_at(self, uri: str) -> Artifact | None:
        """See `RunSource.artifact_at`."""
        found = self._store.get_artifacts_by_uri(uri)
        return self._artifact(found[0]) if found else None

    def _artifact(self, found: metadata_store_pb2.Artifact) -> Artifact:
        execution = executions.origin(self._store, found.id)
        node = executions.node_name(self._store, execution) if execution is not None else ""
        made_in = executions.run_of(self._store, execution) if execution is not None else ""
        if MADE_IN_RUN in found.custom_properties:
            made_in = found.custom_properties[MADE_IN_RUN].string_value
        return executions.artifact(found, made_in, node)

    def _line(self, context: metadata_store_pb2.Context) -> RunLine:
        if runs.LINE not in context.custom_properties:
            return self._run(context).line()
        text = long_text.get(context.custom_properties[runs.LINE])
        line = RunLine.model_validate_json(text)
        state, root = self.state_of(line, liveness.last_beat(context)), self._root(line)
        if (state, root) == (line.state, line.root):
            return line
        uri = line.dataset_uri
        uri = root + uri.removeprefix(line.root) if uri.startswith(line.root) else uri
        return line.model_copy(update={"state": state, "root": root, "dataset_uri": uri})

    def _run(self, context: metadata_store_pb2.Context) -> Run:
        record = runs.read_record(self._store, context.name)
        if record is None:
            record = self._without_record(context)
        elif record.run.state == RUNNING:
            record = build.complete(record, self._store, context)
        found = files.relocated(record, self._root(record.line()))
        return self.settled(found, liveness.last_beat(context))

    def _without_record(self, context: metadata_store_pb2.Context) -> Run:
        """A run of an earlier version; its config may still lie beside its report."""
        folder = self.output_dir
        run = build.from_store(
            self._store, context, str(folder / folders.ARTIFACTS_FOLDER) if folder else ""
        )
        config = folders.config_file(folder, context.name) if folder else None
        if config is None or not config.is_file():
            return run
        settings = yaml.safe_load(config.read_text(encoding="utf-8"))
        return run.model_copy(update={"settings": settings})

    def _root(self, line: RunLine) -> str:
        """Where the artifacts are now: the output folder may have been moved."""
        if self.output_dir is None or not self.is_of_folder(line):
            return line.root
        return str(self.output_dir / folders.ARTIFACTS_FOLDER)
