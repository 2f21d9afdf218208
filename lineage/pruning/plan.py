"""What can be freed in an output folder, and why."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import metadata_store

from lineage.pruning import artifacts, kept_runs, leftovers
from lineage.pruning.items import Item, Plan
from lineage.reading.from_store import StoreRuns
from lineage.reading.source import RUNNING
from lineage.record import files, lines
from lineage.record.run import Run, RunLine
from pipeline.output_dir import ARTIFACTS_FOLDER
from preprocessing.errors import InputError


def make(
    source: StoreRuns, store: metadata_store.MetadataStore, output_dir: Path, keep_last: int
) -> Plan:
    """Plans a prune; nothing is changed but records of fingerprints.

    Args:
      source: the runs of the store.
      store: the same store.
      output_dir: the folder to prune.
      keep_last: how many of its newest runs are kept.

    Raises:
      InputError: there is a record that cannot be read, of a run that only it tells of.
    """
    all_runs = source.lines()
    own = [line for line in all_runs if source.is_of_folder(line)]
    folder = output_dir / ARTIFACTS_FOLDER
    plan = Plan(kept=kept_runs.kept(own, output_dir, keep_last))
    plan.runs = [line.id for line in own if line.id not in plan.kept]
    others = [line for line in all_runs if line.id not in set(plan.runs)]
    strangers = list(_only_in_files(folder / files.FOLDER, {line.id for line in all_runs}))
    for run in strangers:
        plan.kept[run.run.id] = "ML Metadata does not know it"
    needed = _needed(source, folder, own, plan, others, strangers)
    why = f"not served, not blessed, not one of the newest {keep_last}"
    is_alone = all(line.state != RUNNING for line in own)
    own_ids = {line.id for line in own}
    found = [
        *artifacts.unneeded(store, folder, plan.runs, needed, why),
        *leftovers.trainings(store, folder, {i: plan.kept.get(i, "") for i in own_ids}),
        *leftovers.of_failed_executions(store, folder, own_ids, is_alone),
        *leftovers.scratch(folder),
    ]
    plan.items = [item for item in found if isinstance(item, Item)]
    plan.let_be = [item for item in found if isinstance(item, str)]
    return plan


def _only_in_files(folder: Path, known: set[str]) -> Iterator[Run]:
    """The runs whose records lie in the folder and that are not in the store."""
    for path in lines.record_files(folder):
        if path.parent.name in known:
            continue
        try:
            run = files.read(path)
        except InputError as error:
            raise InputError(
                f"nothing can be pruned while it is not known what a run needs: {error}"
            ) from None
        if run.run.id not in known:
            yield run


def _needed(
    source: StoreRuns,
    folder: Path,
    own: Sequence[RunLine],
    plan: Plan,
    others: Sequence[RunLine],
    strangers: Sequence[Run],
) -> dict[str, str]:
    """Artifacts that are needed otherwise than as inputs and outputs, by URI, and for what."""
    needed = {
        artifact.uri.rstrip("/"): f"run {run.run.id} needs it, which ML Metadata does not know"
        for run in strangers
        for artifact in run.artifacts
    }
    for line in own:
        if line.id in plan.kept:
            for path in _paths(source.run(line.id).settings, folder):
                needed[path] = f"the settings of run {line.id} name a file in it"
    starts = {line.init_weights_sha256: line.id for line in others if line.init_weights_sha256}
    for line in own:
        used_by = [starts[digest] for digest in line.weights if digest in starts]
        if line.id not in plan.kept and used_by:
            for artifact in source.run(line.id).artifacts:
                if artifact.made_in_run == line.id and artifact.type == "ModelRun":
                    uri = artifact.uri.rstrip("/")
                    needed[uri] = f"the training of run {used_by[0]} started from its weights"
    return needed


def _paths(value: Any, folder: Path) -> Iterator[str]:
    """The artifacts in which paths lie that stand in settings."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _paths(item, folder)
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item, folder)
    elif isinstance(value, str) and value:
        path = Path(value).absolute()
        if path.is_relative_to(folder):
            parts = path.relative_to(folder).parts[:3]
            yield str(folder.joinpath(*parts))
