"""What is no result: trainings that were cut off, and what killed runs left behind."""

import os
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from components.horovod_trainer import unfinished
from components.stored_names import CONTENT_FINGERPRINT
from lineage.pruning.items import Item
from lineage.store import executions
from pipeline.mlmd import names
from preprocessing.files import locks, publish
from trainer_module.job.supervisor import LOCK_FILE

_TRAINER = "HorovodTrainer"
_WEIGHTS_DIGEST = "init_weights_sha256"
_SYSTEM = Path(".system", "executor_execution")
# Whoever writes a file renames it in moments; nobody else writes here while the lock is held.
_OLD_SECS = 3600
_States = metadata_store_pb2.Execution
_ENDED_BADLY = (_States.FAILED, _States.CANCELED)


def of_failed_executions(
    store: metadata_store.MetadataStore, folder: Path, own_runs: Collection[str], dead: bool
) -> Iterator[Item]:
    """What executions had begun to write that did not end well; it is no artifact.

    Args:
      store: ML Metadata.
      folder: the artifacts of the output folder.
      own_runs: the runs of the folder.
      dead: whether no run of the folder is in progress, so that what is running is dead.
    """
    places = [
        *folder.glob("*/*/*"),
        *(p for n in folder.glob("*") for p in (n / _SYSTEM).glob("*")),
    ]
    numbered = [p for p in places if p.name.isascii() and p.name.isdigit() and p.is_dir()]
    ids = sorted({int(path.name) for path in numbered})
    found = {e.id: e for e in store.get_executions_by_id(ids)} if ids else {}
    bad = (*_ENDED_BADLY, *((_States.RUNNING, _States.NEW) if dead else ()))
    for path in sorted(numbered):
        execution = found.get(int(path.name))
        node = path.relative_to(folder).parts[0]
        if execution is None or execution.last_known_state not in bad:
            continue
        run = executions.run_of(store, execution.id)
        is_of_node = executions.node_name(store, execution.id) == node
        if run in own_runs and is_of_node and not store.get_artifacts_by_uri(str(path)):
            num_bytes = size_of(path)
            if num_bytes:
                what = f"what {node} had begun in run {run}"
                yield Item(what, path, num_bytes, "it did not end well, and it is no result")


def scratch(folder: Path) -> Iterator[Item]:
    """Folders and files for the time of writing whose writers are gone."""
    for parent in (folder, *folder.glob("*"), *folder.glob("*/*")):
        for path in publish.abandoned(parent) if parent.is_dir() else ():
            yield Item("scratch folder", path, size_of(path), "the process that made it is gone")
    for path in sorted(folder.rglob(".*.writing")):
        if path.is_file() and time.time() - path.stat().st_mtime > _OLD_SECS:
            yield Item("half-written file", path, path.stat().st_size, "its writer is gone")


def trainings(
    store: metadata_store.MetadataStore, folder: Path, lines: Mapping[str, str]
) -> Iterator[Item | str]:
    """Trainings that were cut off, of runs that are not kept.

    Args:
      store: ML Metadata.
      folder: the artifacts of the output folder.
      lines: why each run of the folder is kept, empty where it is not, by run.

    Yields:
      Items, and a line of text for each training that is left alone.
    """
    found = sorted((folder / _TRAINER / unfinished.FOLDER).glob("[!.]*"))
    owners = _owners(store, lines) if found else {}
    for path in found:
        what = f"training that was cut off ({path.name})"
        own = owners.get(path.name.partition("-")[0], [])
        kept = [run for run in own if lines[run]]
        if not own:
            yield f"{what}: no run in ML Metadata is known to have begun it"
        elif kept:
            yield f"{what}: run {kept[0]} is kept, and the next one goes on with it"
        elif _is_locked(path):
            yield f"{what}: it is in progress"
        else:
            why = f"of run {own[-1]}, which is not kept"
            yield Item(what, path, size_of(path), why)


def size_of(path: Path) -> int:
    """Bytes of all files below a folder."""
    files = (Path(parent, name) for parent, _, names_ in os.walk(path) for name in names_)
    return sum(file.lstat().st_size for file in files)


def _owners(store: metadata_store.MetadataStore, lines: Mapping[str, str]) -> dict[str, list[str]]:
    """The runs whose training did not end, by how the names of their folders begin."""
    found: dict[str, list[str]] = {}
    for run_id in sorted(lines):
        context = store.get_context_by_type_and_name(names.RUN_CONTEXT, run_id)
        for execution in store.get_executions_by_context(context.id) if context else ():
            is_trainer = executions.node_name(store, execution.id) == _TRAINER
            if not is_trainer or execution.last_known_state in (_States.COMPLETE, _States.CACHED):
                continue
            for examples in _examples(store, execution.id):
                digest = execution.custom_properties[_WEIGHTS_DIGEST].string_value
                prefix = unfinished.prefix([_content(examples), digest])
                found.setdefault(prefix, []).append(run_id)
    return found


def _examples(
    store: metadata_store.MetadataStore, execution_id: int
) -> list[metadata_store_pb2.Artifact]:
    ids = [
        event.artifact_id
        for event in store.get_events_by_execution_ids([execution_id])
        if event.type == metadata_store_pb2.Event.INPUT and event.path.steps[0].key == "examples"
    ]
    return store.get_artifacts_by_id(ids) if ids else []


def _content(artifact: metadata_store_pb2.Artifact) -> str:
    return artifact.custom_properties[CONTENT_FINGERPRINT].string_value or artifact.uri


def _is_locked(path: Path) -> bool:
    """Whether a training holds its folder; also where that cannot be told."""
    try:
        with open(path / LOCK_FILE, encoding="utf-8") as file:
            return not locks.lock(file)
    except FileNotFoundError:
        return False
    except OSError:
        return True
