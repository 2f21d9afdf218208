"""One local run: from a checked config to the summary, the report and the exit status."""

import contextlib
import dataclasses
import datetime
import itertools
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_metadata.errors import StatusError

from pipeline import config_file, store_uri
from pipeline import output_dir as folders
from pipeline.config import PipelineConfig
from pipeline.console import RunConsole
from pipeline.mlmd import connection, heartbeat, moved_artifacts
from pipeline.mlmd.away import reason
from pipeline.node_result import NodeError, NodeResult
from pipeline.runner.recording import Recorder, RunFacts
from preprocessing import failures, interrupts
from preprocessing.errors import AwayError
from preprocessing.files.working_folder import working_folder
from preprocessing.output_capture import OutputCapture
from preprocessing.sources.base import Survey
from preprocessing.text import one_line

if TYPE_CHECKING:  # they bring TFX, which takes seconds to import
    from pipeline.dag import Dag
    from pipeline.runner import partial_run


def run(
    config: PipelineConfig,
    data: Survey,
    output_dir: Path,
    *,
    recorder: Recorder,
    verbose: bool = False,
    first: str | None = None,
    last: str | None = None,
) -> int:
    """Runs the pipeline and tells the person what became of it.

    Args:
      config: the validated config.
      data: what a look at its data told.
      output_dir: absolute path of the run's output folder.
      recorder: records when the run starts and when it ends.
      verbose: whether the output of libraries goes to the terminal instead of the logs.
      first: start with this node; those before it give their newest results.
      last: end with this node.

    Returns:
      The exit status.

    Raises:
      InputError: another run uses the folder, or ML Metadata cannot be reached.
    """
    with (
        folders.locked(output_dir),
        interrupts.on_sigterm(_leave),
        OutputCapture(enabled=not verbose) as capture,
    ):
        console = RunConsole(capture.terminal)
        begun = _begin(config, data, output_dir, recorder, console, capture, (first, last))
        facts, dag, log_dir = begun.facts, begun.dag, begun.log_dir
        run_id, store = facts.id, facts.connection
        # Brings TFX, which has been imported by now.
        from pipeline.runner import build_dag, local_runner

        error: NodeError | None = None
        cache_off = build_dag.cache_off(config)
        try:
            with (
                # What threads log between two nodes is not for the terminal either.
                capture.to_file(log_dir / "startup.log"),
                heartbeat.beating(store.uri, run_id),
                _working_folder(config, log_dir),
            ):
                results = local_runner.run(
                    dag, console, capture, log_dir, plan=begun.plan, cache_off=cache_off
                )
        except NodeError as node_error:
            results, error = node_error.results, node_error
        try:
            with capture.to_file(log_dir / "finish.log"):
                if error is None:
                    folder = str(build_dag.push_dir(config, output_dir))
                    results = _with_override(store, results, folder)
                summary, lines = _finish(config, run_id, results, error, output_dir)
                lines += _end_record(recorder, facts, summary)
        except OSError as unwritten:  # a full disk, which may be why a node failed as well
            if error is not None:
                console.print(f"\n{error.node_id} failed: {failures.one_line(error.__cause__)}")
            console.print(f"report, summary or record cannot be written: {unwritten}")
            return failures.STEP_FAILED
        for line in lines:
            console.print(line)
        if error is not None:
            return failures.status_of(error.__cause__)
        return failures.SAID_NO if summary["status"] == "not_blessed" else failures.DONE


@dataclasses.dataclass(frozen=True)
class _Begun:
    """A run that is claimed and recorded: its first node comes next."""

    facts: RunFacts
    dag: "Dag"
    plan: "partial_run.Plan"
    log_dir: Path


def _begin(
    config: PipelineConfig,
    data: Survey,
    output_dir: Path,
    recorder: Recorder,
    console: RunConsole,
    capture: OutputCapture,
    part: tuple[str | None, str | None],
) -> _Begun:
    """Begins a run under a name that nobody else has; `part` is its first and its last node."""
    started, run_ids = datetime.datetime.now(datetime.timezone.utc), _new_run_ids(output_dir)
    run_id = next(run_ids)
    log_dir = folders.log_dir(output_dir, run_id)
    log_dir.mkdir(parents=True)
    console.print(f"run {run_id}: {data}")
    for note in data.notes:
        console.print(f"{'note':<10} {one_line(note)}")
    with capture.to_file(log_dir / "startup.log"):
        # Importing TFX takes seconds and prints: not before the checks, and into the log.
        from pipeline.runner import build_dag, partial_run, run_claims

        logging.getLogger().setLevel(logging.INFO)
        store = connection.connect(
            config.pipeline.metadata_uri,
            output_dir / folders.METADATA_FILE,
            wait_secs=config.pipeline.metadata_wait_secs,
            tell=console.print,
        )
        moved = moved_artifacts.follow(connection.open_store(store), output_dir)
        dag = build_dag.make_dag(config, data, output_dir, run_id, store)
        plan = partial_run.plan(dag, *part)
        while not run_claims.claim(dag, output_dir):
            taken, run_id = run_id, next(run_ids)
            console.print(f"run {run_id}, since ML Metadata has a run {taken} of another folder")
            dag = build_dag.make_dag(config, data, output_dir, run_id, store)
            log_dir = log_dir.rename(folders.log_dir(output_dir, run_id))
        _keep_config(config, output_dir, run_id)
        dead = run_claims.fail_dead_executions(dag, output_dir)
        facts = RunFacts(run_id, started, config, output_dir, store)
        told = recorder.started(facts)
    if moved:
        console.print(f"the folder was moved: {moved} artifacts are found in it all the same")
    if dead:
        console.print(f"marked as failed, since their process is gone: {', '.join(dead)}")
    for note in (*plan.notes, *told):
        console.print(note)
    return _Begun(facts, dag, plan, log_dir)


def _with_override(
    store: connection.Connection, results: list[NodeResult], push_dir: str
) -> list[NodeResult]:
    """The results, with an override that stands, as far as ML Metadata can be asked."""
    from pipeline import served_override

    try:
        return served_override.with_override(connection.open_store(store), results, push_dir)
    except AwayError:  # what the run made is there all the same
        logging.exception("whether an override serves the model is not known")
        return results


def _end_record(recorder: Recorder, facts: RunFacts, summary: Mapping[str, Any]) -> list[str]:
    """Completes the run's record; what a person should know of it, a line each."""
    try:
        return recorder.ended(facts, summary)
    except (StatusError, AwayError) as error:  # what the run made is there all the same
        return [f"record     not complete, ML Metadata did not take it: {reason(error)}"]


def _working_folder(config: PipelineConfig, log_dir: Path) -> contextlib.AbstractContextManager:
    """Where nodes run: what Beam starts on this machine must not find a person's Python files."""
    # The DAG's paths are absolute; those in the options of other runners need not be.
    on_this_machine = config.beam.runner == "DirectRunner"
    return working_folder(log_dir) if on_this_machine else contextlib.nullcontext()


def _finish(
    config: PipelineConfig,
    run_id: str,
    results: Sequence[NodeResult],
    error: NodeError | None,
    output_dir: Path,
) -> tuple[dict[str, Any], list[str]]:
    """Writes the report and then `summary.json`, whose presence says that all is there.

    Returns:
      The summary, and what the person reads of it.
    """
    from pipeline.report import page, terminal
    from pipeline.report import summary as summary_lib

    failure = None
    if error is not None:
        failure = f"{error.node_id} failed: {failures.one_line(error.__cause__)}"
    page_file = folders.report_file(output_dir, run_id)
    cause = error.__cause__ if error is not None else None
    summary = summary_lib.summarize(run_id, results, page_file, failure, cause)
    page.write(page_file, config, summary, results, folders.log_dir(output_dir, run_id))
    summary_lib.write(output_dir / folders.SUMMARY_FILE, summary)
    metadata_uri = store_uri.masked(config.pipeline.metadata_uri)
    metadata = metadata_uri or str(output_dir / folders.METADATA_FILE)
    # With --verbose the log went to the terminal.
    log = error.log if error is not None and error.log.exists() else None
    return summary, terminal.lines(summary, log, metadata)


def _new_run_ids(output_dir: Path) -> Iterator[str]:
    """Names of runs that start now, which the output folder does not have yet."""
    now = time.strftime("%Y%m%d-%H%M%S")
    candidates = itertools.chain([now], (f"{now}-{n}" for n in itertools.count(2)))
    return (name for name in candidates if not folders.log_dir(output_dir, name).exists())


def _keep_config(config: PipelineConfig, output_dir: Path, run_id: str) -> None:
    folders.report_dir(output_dir, run_id).mkdir(parents=True)
    kept = folders.config_file(output_dir, run_id)
    kept.write_text(config_file.dump(config), encoding="utf-8")


def _leave(number: int, _frame: object) -> None:
    """SIGTERM ends the node in order: training processes are ended, the summary is written."""
    raise SystemExit(128 + number)
