"""Keeps the record of each run, as a file beside its artifacts and in ML Metadata."""

import datetime
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ml_metadata.errors import StatusError
from ml_metadata.metadata_store import metadata_store

from lineage.making import build, code, machine
from lineage.record import files
from lineage.record.parts import RunInfo
from lineage.record.run import Run
from lineage.store import executions, runs
from pipeline import config_file
from pipeline.mlmd import liveness
from pipeline.mlmd.connection import open_store
from pipeline.output_dir import ARTIFACTS_FOLDER
from pipeline.runner.recording import RunFacts
from preprocessing.errors import AwayError, InputError


class Recorder:
    """Called by a run when it starts and when it ends."""

    def started(self, run: RunFacts) -> list[str]:
        """Writes down settings, code, versions and machine as they are now.

        What a run that was killed left in the same folder is brought to an end first.
        """
        from lineage.exports import formats  # brings clients of servers, for each command

        store, artifacts = open_store(run.connection), run.output_dir / ARTIFACTS_FOLDER
        end_killed(store, run.output_dir)
        context = runs.context_of(store, run.id)
        record = Run(
            run=RunInfo(
                id=run.id,
                pipeline=run.config.pipeline.name,
                state="running",
                started=run.started,
                output_dir=str(run.output_dir),
                output_id=liveness.output_id(run.output_dir),
                host=liveness.host(),
                pid=context.custom_properties["pid"].int_value if context is not None else 0,
            ),
            root=str(artifacts),
            # As it is kept beside the report: without a password.
            settings=yaml.safe_load(config_file.dump(run.config)),
            code=code.read(),
            versions=machine.versions(),
            machine=machine.read(),
        )
        _keep(store, record, artifacts)
        return formats.started(record, run.output_dir)

    def ended(self, run: RunFacts, summary: Mapping[str, Any]) -> list[str]:
        """Adds what became of the run."""
        from lineage.exports import formats

        artifacts = run.output_dir / ARTIFACTS_FOLDER
        start = files.read(files.path_of(artifacts, run.id))
        try:
            store = open_store(run.connection)
            context = runs.context_of(store, run.id)
            record = build.ended(build.complete(start, store, context, summary), _now())
            _keep(store, record, artifacts)
            times = executions.times(store, context)
        except (StatusError, AwayError):  # who looks on elsewhere is told all the same
            said = {"state": summary["status"], "said": summary["verdict"]}
            info = start.run.model_copy(update=said)
            known = build.ended(start.model_copy(update={"run": info}), _now())
            formats.ended(known, {}, run.output_dir)
            raise
        return formats.ended(record, times, run.output_dir)


def update(
    store: metadata_store.MetadataStore, output_dir: Path, run_id: str, summary: Mapping[str, Any]
) -> list[str]:
    """Writes the record of a run again, to whose story something was added.

    Args:
      store: where the run is.
      output_dir: its output folder.
      run_id: the run; where it has no record, as those of earlier versions, it gets none.
      summary: what became of the run now, as `Recorder.ended` takes it.

    Returns:
      What a person should know, a line each.
    """
    from lineage.exports import formats

    artifacts = output_dir / ARTIFACTS_FOLDER
    path = files.path_of(artifacts, run_id)
    if not path.is_file():
        return []
    before, context = files.read(path), runs.context_of(store, run_id)
    record = build.complete(before, store, context, summary)
    _keep(store, record, artifacts)
    known = sum(node.execution_id is not None for node in before.nodes)
    return formats.added(record, executions.times(store, context), output_dir, known)


def end_killed(store: metadata_store.MetadataStore, output_dir: Path) -> None:
    """Brings the records of killed runs to an end; the output folder's lock must be held."""
    artifacts = output_dir / ARTIFACTS_FOLDER
    for path in sorted((artifacts / files.FOLDER).glob(f"*/{files.FILE}")):
        _end_of_killed(path, store, output_dir)


def mark_pruned(
    store: metadata_store.MetadataStore,
    output_dir: Path,
    run_id: str,
    times: Mapping[str, str],
) -> None:
    """Writes into the record of a run which of its artifacts were pruned; all else stays.

    Args:
      store: where the run is.
      output_dir: its output folder.
      run_id: the run; where it has no record, as those of earlier versions, it gets one.
      times: when artifacts were pruned, in ISO 8601, by their URIs.
    """
    artifacts = output_dir / ARTIFACTS_FOLDER
    path = files.path_of(artifacts, run_id)
    if path.is_file():
        record = files.read(path)
    else:
        context = runs.context_of(store, run_id)
        record = runs.read_record(store, run_id) or build.from_store(store, context, str(artifacts))
    new = {a.id: times[a.uri] for a in record.artifacts if a.uri in times and a.pruned is None}
    if not new:
        return
    told = [
        a.model_copy(update={"pruned": datetime.datetime.fromisoformat(new[a.id])})
        if a.id in new
        else a
        for a in record.artifacts
    ]
    _keep(store, record.model_copy(update={"artifacts": told}), artifacts)


def _keep(store: metadata_store.MetadataStore, record: Run, artifacts: Path) -> None:
    # The file first: it is what is left where no store is.
    path = files.path_of(artifacts, record.run.id)
    files.write(path, record)
    runs.put_record(store, record, str(path))


def _end_of_killed(path: Path, store: metadata_store.MetadataStore, output_dir: Path) -> None:
    from lineage.exports import formats

    try:
        record = files.read(path)
    except InputError as error:  # of a newer version, or damaged: no reason not to run
        logging.warning("%s", error)
        return
    context = runs.context_of(store, record.run.id)
    if record.run.state != "running" or context is None:
        return
    logging.warning("run %s was killed", record.run.id)
    record = build.complete(record, store, context)
    info = record.run.model_copy(update={"state": "killed", "said": "killed"})
    record = record.model_copy(update={"run": info})
    _keep(store, record, path.parents[2])
    for line in formats.ended(record, executions.times(store, context), output_dir):
        logging.warning("%s", line)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
