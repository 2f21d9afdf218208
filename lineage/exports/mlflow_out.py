"""Sends runs to an MLflow server: a run of its own, and below it one for the training.

The server may be away, or hang: a run waits for it no longer than `START_WAIT_SECS` when it starts
and ends, and `SEND_WAIT_SECS` while it takes what it is sent.
"""

import contextlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lineage.exports import bounded, mlflow_values
from lineage.exports.events import Times
from lineage.record.run import Run
from preprocessing.files.new_file import write_text

# Which runs on which server a run is.
FILE = "mlflow.json"
RUN_VARIABLE = "MLFLOW_RUN_ID"
EXPERIMENT_VARIABLE = "MLFLOW_EXPERIMENT_NAME"
START_WAIT_SECS = 10.0
SEND_WAIT_SECS = 60.0
_TRAINING = "HorovodTrainer"
_PARENT_TAG, _NAME_TAG = "mlflow.parentRunId", "mlflow.runName"
# What its servers take in one request.
_METRICS_AT_ONCE, _PARAMETERS_AT_ONCE = 1_000, 100
_ENDS = {"failed": "FAILED", "killed": "KILLED"}
# Unless a person says otherwise. MLflow's own tries go on for minutes; and it would tell its
# makers of its use.
_CLIENT_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def started(run: Run, folder: Path) -> list[str]:
    """Shows a run on the server, if the config names one.

    Args:
      run: its record.
      folder: of its report.

    Returns:
      Why the server does not have it, in one line; nothing if it does.
    """
    uri = _uri(run)
    if not uri:
        return []
    client = _client(uri)
    begin = bounded.within(START_WAIT_SECS, lambda late: _begin(client, run, folder, late))
    return _told(uri, begin)


def ended(run: Run, times: Times, folder: Path) -> list[str]:
    """Sends what became of it: parameters, metrics by step, the report, where the model is.

    Args:
      run: its record.
      times: when each execution began and ended, by its number.
      folder: of its report.

    Returns:
      Where it is to be seen, or why the server does not have all of it, in one line.
    """
    uri = _uri(run)
    if not uri:
        return []
    # Whether anybody is there is known sooner than whether all was taken.
    client = _client(uri)
    failed = bounded.within(START_WAIT_SECS, lambda late: _begin(client, run, folder, late))
    if failed is None:
        failed = bounded.within(
            SEND_WAIT_SECS, lambda late: _send(client, run, times, folder, late)
        )
    if failed is not None:
        return _told(uri, failed)
    known = _known(run, folder)
    page = f"{uri.rstrip('/')}/#/experiments/{known['experiment_id']}/runs/{known['run_id']}"
    return [f"{'mlflow':<10} {page}"]


def _told(uri: str, failed: str | None) -> list[str]:
    return [f"MLflow: the run is not on {uri}, or not all of it: {failed}"] if failed else []


def _uri(run: Run) -> str:
    return run.settings.get("pipeline", {}).get("mlflow_uri", "")


def _client(uri: str) -> Any:
    """A client; nothing is asked yet. Its import must not count as waiting for the server."""
    for name, value in _CLIENT_SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient  # takes seconds, and is an extra

    return MlflowClient(tracking_uri=uri)


def _begin(client: Any, run: Run, folder: Path, is_late: bounded.IsLate) -> None:
    """Makes sure that the server has the run, and that the file says which one it is."""
    known = _known(run, folder)
    if known:
        client.get_run(known["run_id"])
        return
    given = os.environ.get(RUN_VARIABLE, "")
    if given:
        found = client.get_run(given)
    else:
        experiment = _experiment(client, run)
        if is_late():
            return
        found = client.create_run(
            experiment,
            start_time=round(run.run.started.timestamp() * 1000),
            tags={**mlflow_values.tags(run), _NAME_TAG: run.run.id},
        )
    told = {
        "uri": _uri(run),
        "experiment_id": found.info.experiment_id,
        "run_id": found.info.run_id,
    }
    write_text(folder / FILE, json.dumps(told, indent=2) + "\n")


def _known(run: Run, folder: Path) -> dict[str, str]:
    """What the file says, if it is of this server."""
    path = folder / FILE
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return known if known.get("uri") == _uri(run) else {}


def _experiment(client: Any, run: Run) -> str:
    name = os.environ.get(EXPERIMENT_VARIABLE) or run.run.pipeline
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    from mlflow.exceptions import MlflowException

    with contextlib.suppress(MlflowException):  # another run was faster
        return client.create_experiment(name)
    return client.get_experiment_by_name(name).experiment_id


def _send(client: Any, run: Run, times: Times, folder: Path, is_late: bounded.IsLate) -> None:
    known = _known(run, folder)
    parent = client.get_run(known["run_id"])
    ended_at = run.run.ended or run.run.started
    _log(
        client,
        parent,
        mlflow_values.parameters(run),
        mlflow_values.tags(run),
        mlflow_values.metrics(run, ended_at),
        is_late,
    )
    if run.model is not None:
        _send_training(client, run, times, parent, folder, is_late)
    for path in mlflow_values.files(folder):
        if is_late():
            return
        client.log_artifact(known["run_id"], str(path), "report")
    status = _ENDS.get(run.run.state, "FINISHED")
    client.set_terminated(known["run_id"], status, round(ended_at.timestamp() * 1000))


def _send_training(
    client: Any, run: Run, times: Times, parent: Any, folder: Path, is_late: bounded.IsLate
) -> None:
    """The training as a run below the other one."""
    known = _known(run, folder)
    if "training_run_id" in known:  # what was added since is not of the training
        return
    numbers = [n.execution_id for n in run.nodes if n.id == _TRAINING and n.execution_id in times]
    begun, ended_at = times[numbers[-1]] if numbers else (run.run.started, run.run.started)
    child = client.create_run(
        parent.info.experiment_id,
        start_time=round(begun.timestamp() * 1000),
        tags={
            _PARENT_TAG: parent.info.run_id,
            _NAME_TAG: f"{run.run.id} training",
            **mlflow_values.training_tags(run),
        },
    )
    write_text(
        folder / FILE,
        json.dumps({**known, "training_run_id": child.info.run_id}, indent=2) + "\n",
    )
    _log(
        client,
        child,
        mlflow_values.parameters(run, "trainer"),
        {},
        mlflow_values.training_metrics(run, begun),
        is_late,
    )
    client.set_terminated(child.info.run_id, "FINISHED", round(ended_at.timestamp() * 1000))


def _log(
    client: Any,
    to: Any,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    metrics: Iterable[mlflow_values.Metric],
    is_late: bounded.IsLate,
) -> None:
    from mlflow.entities import Metric, Param, RunTag

    # A parameter cannot be changed; a run that others began may have some of the same name.
    new = [Param(k, v) for k, v in parameters.items() if k not in to.data.params]
    run_id = to.info.run_id
    for some in _parts(new, _PARAMETERS_AT_ONCE):
        client.log_batch(run_id, params=some)
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    for some in _parts((Metric(*metric) for metric in metrics), _METRICS_AT_ONCE):
        if is_late():
            return
        client.log_batch(run_id, metrics=some)


def _parts(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(values)
    while part := list(itertools.islice(rest, size)):
        yield part
