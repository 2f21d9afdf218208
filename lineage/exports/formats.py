"""What a run gives out of its record: when it starts, when it ends, when it is added to.

The formats of others, and the pages about all runs.

Nothing of it fails a run, whose record and report are there before: what another format cannot
hold, a folder that may not be written to, or a server that is away, is told in a line.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from lineage.exports import croissant, events, mlflow_out, model_card, openlineage_out
from lineage.exports.events import Times
from lineage.pages import all_runs
from lineage.record.run import Run
from pipeline import output_dir as folders
from preprocessing.failures import one_line


def started(run: Run, output_dir: Path) -> list[str]:
    """Tells that a run began.

    Args:
      run: its record.
      output_dir: its output folder.

    Returns:
      What a person should know, a line each.
    """
    folder, repository = folders.report_dir(output_dir, run.run.id), openlineage_out.repository()
    return [
        *_tried(
            "OpenLineage",
            lambda: openlineage_out.give_out([events.start(run, repository)], folder),
        ),
        *_tried("MLflow", lambda: mlflow_out.started(run, folder)),
    ]


def ended(run: Run, times: Times, output_dir: Path) -> list[str]:
    """Tells what became of it.

    Args:
      run: its record.
      times: when each execution began and ended, by its number.
      output_dir: its output folder.
    """
    return _write_all(run, times, output_dir, known=0)


def added(run: Run, times: Times, output_dir: Path, known: int) -> list[str]:
    """Tells what was added to a run that had ended, as by an override of the gate.

    Args:
      run: its record.
      times: see `ended`.
      output_dir: its output folder.
      known: so many of the executions in the record were there before.
    """
    return _write_all(run, times, output_dir, known)


def _write_all(run: Run, times: Times, output_dir: Path, known: int) -> list[str]:
    folder, repository = folders.report_dir(output_dir, run.run.id), openlineage_out.repository()

    def give_out_events() -> list[str]:
        told = list(events.rest(run, times, repository, known=known))
        return openlineage_out.give_out(told, folder)

    return [
        *_tried("OpenLineage", give_out_events),
        *_tried("model card", lambda: model_card.write(run, folder)),
        *_tried("Croissant", lambda: croissant.write(run, folder)),
        *_tried("page of all runs", lambda: all_runs.write(run, output_dir)),
        # Last: it is sent what the others wrote.
        *_tried("MLflow", lambda: mlflow_out.ended(run, times, folder)),
    ]


def _tried(what: str, work: Callable[[], list[str] | None]) -> list[str]:
    try:
        return work() or []
    except Exception as error:  # a run ends as it would without it
        logging.exception("%s was not written", what)
        return [f"{what}: not written: {one_line(error)}"]
