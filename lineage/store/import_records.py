"""Brings files of records into a store: all are looked at before the first is written."""

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from lineage.record import files, lines
from lineage.record.run import RunLine
from lineage.store import import_runs, runs
from pipeline.mlmd import long_text
from preprocessing.errors import InputError

_NEVER = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)


@dataclasses.dataclass(frozen=True)
class Imported:
    """The runs that were added, brought up to date, and in the store already."""

    added: list[str]
    updated: list[str]
    unchanged: list[str]


def import_records(store: metadata_store.MetadataStore, paths: Sequence[str]) -> Imported:
    """Adds the runs of records to a store. What was interrupted goes on where it is done again.

    Args:
      store: the store.
      paths: records, and folders with records at any depth.

    Raises:
      InputError: there is no record, one cannot be read or is of a newer version, or two runs
        have the same name. Nothing is written then.
    """
    found = _newest_records(_record_files(paths))
    result, before = Imported([], [], []), {}
    for run_id, (line, path) in found.items():
        before[run_id] = _stored_line(store, run_id)
        _check_same(line, str(path), before[run_id], "the store")
    newest = _newest_start(store)
    for run_id, (line, path) in sorted(found.items(), key=lambda item: item[1][0].started):
        there = before[run_id]
        if there is not None and _completeness(there) >= _completeness(line):
            result.unchanged.append(run_id)
            continue
        import_runs.add(store, files.read(path), str(path), line.started < newest)
        (result.added if there is None else result.updated).append(run_id)
    return result


def _record_files(paths: Iterable[str]) -> list[Path]:
    found = []
    for text in paths:
        path = Path(text).absolute()
        records = [path] if path.is_file() else list(lines.record_files(path))
        if not records:
            raise InputError(
                f"--import takes records ({files.FILE}) and folders with records. Received: {text}"
            )
        found += records
    return found


def _newest_records(paths: Iterable[Path]) -> dict[str, tuple[RunLine, Path]]:
    """The line and file of each run; of several records of one, those of the most complete."""
    found: dict[str, tuple[RunLine, Path]] = {}
    for path in paths:
        line = files.read(path).line()
        known, where = found.get(line.id, (None, path))
        _check_same(line, str(path), known, str(where))
        if known is None or _completeness(line) > _completeness(known):
            found[line.id] = line, path
    return found


def _check_same(line: RunLine, where: str, other: RunLine | None, other_where: str) -> None:
    if other is not None and line.started != other.started:
        raise InputError(
            f"the runs in a store must have different names. Received: two runs {line.id!r}, one "
            f"of {line.started:%Y-%m-%d %H:%M:%S} in {where} and one of "
            f"{other.started:%Y-%m-%d %H:%M:%S} in {other_where}; import one into another store"
        )


def _completeness(line: RunLine) -> tuple[bool, datetime.datetime, int]:
    """Grows with what a run's record is told: its end, and later overrides of the gate."""
    return line.state != "running", line.ended or _NEVER, len(line.pushes)


def _stored_line(store: metadata_store.MetadataStore, run_id: str) -> RunLine | None:
    """The line of a run that is wholly in the store."""
    context = runs.context_of(store, run_id)
    return _line_of(context) if context is not None else None


def _line_of(context: metadata_store_pb2.Context) -> RunLine | None:
    if runs.LINE not in context.custom_properties:
        return None
    return RunLine.model_validate_json(long_text.get(context.custom_properties[runs.LINE]))


def _newest_start(store: metadata_store.MetadataStore) -> datetime.datetime:
    """When the newest run of the store started."""
    lines_there = map(_line_of, runs.contexts(store))
    return max((line.started for line in lines_there if line is not None), default=_NEVER)
