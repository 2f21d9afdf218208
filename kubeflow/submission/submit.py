"""Creating runs and recurring runs of a pipeline."""

import datetime
import uuid
from typing import Any, NamedTuple

import tenacity

from kubeflow.submission.client import BACKOFF_SECS, RETRIES, Client, filter_by
from kubeflow.submission.pipeline_file import PipelineFile
from preprocessing.errors import AwayError, InputError

_RUNS, _RECURRING = (
    ("runs", "run_id", "runs/details"),
    (
        "recurringruns",
        "recurring_run_id",
        "recurringrun/details",
    ),
)
_KEYS = {"runs": "runs", "recurringruns": "recurringRuns"}


class Created(NamedTuple):
    """What was created.

    Attributes:
      id: of the run.
      name: of the run.
      link: its page.
    """

    id: str
    name: str
    link: str


class Order(NamedTuple):
    """A run as it is asked for.

    Attributes:
      file: the pipeline.
      parameters: their values; those of others are the pipeline's defaults.
      root: folder of the artifacts; empty: the cluster's.
      namespace: the profile, on a server that has them.
      service_account: of the steps; empty: the cluster's.
      cron: when, in six fields; empty: once, at once.
    """

    file: PipelineFile
    parameters: dict[str, Any]
    root: str = ""
    namespace: str = ""
    service_account: str = ""
    cron: str = ""


def submit(client: Client, order: Order) -> Created:
    """Creates a run, or what creates them again and again.

    Each pipeline has an experiment of its name, in which its runs are. Where no answer comes, it
    is looked up whether the run is there before it is created again.

    Raises:
      InputError: the server refuses; one line.
      AwayError: it does not answer.
    """
    namespace = namespace_of(client, order.namespace)
    experiment = _experiment(client, order.file.name, namespace)
    path, id_key, page = _RECURRING if order.cron else _RUNS
    now = datetime.datetime.now().strftime("%Y-%m-%d %H-%M-%S")
    name = f"{order.file.name} {now} {uuid.uuid4().hex[:6]}"
    body: dict[str, Any] = {
        "display_name": name,
        "experiment_id": experiment,
        "pipeline_spec": order.file.spec,
        "runtime_config": {"parameters": order.parameters},
    }
    if order.root:
        body["runtime_config"]["pipeline_root"] = order.root
    if order.service_account:
        body["service_account"] = order.service_account
    if order.cron:
        # One after the other: they share what is served. None for the times that were missed.
        body |= {"mode": "ENABLE", "max_concurrency": "1", "no_catchup": True}
        body["trigger"] = {"cron_schedule": {"cron": order.cron}}
    created = _create_once(client, path, body, experiment_id=experiment)
    if not created.get(id_key):
        raise InputError(f"{client.url} answers without {id_key}; is it Kubeflow Pipelines v2?")
    return Created(created[id_key], name, f"{client.url}/#/{page}/{created[id_key]}")


def namespace_of(client: Client, given: str) -> str:
    """The namespace to send: servers without profiles take none, the others need one.

    Raises:
      InputError: it is missing.
    """
    if not client.get("healthz").get("multi_user"):
        return ""
    if not given:
        raise InputError(
            f"--namespace must be given: {client.url} keeps the runs of each profile apart"
        )
    return given


def _experiment(client: Client, name: str, namespace: str) -> str:
    """The id of the experiment of that name, which is made where there is none."""
    found = list(
        client.list(
            "experiments", "experiments", filter=filter_by("name", name), namespace=namespace
        )
    )
    active = [one for one in found if one.get("storage_state") != "ARCHIVED"]
    if active:
        return active[0]["experiment_id"]
    body = {"display_name": name, "description": f"Runs of the pipeline {name}."}
    body |= {"namespace": namespace} if namespace else {}
    return _create_once(client, "experiments", body, namespace=namespace)["experiment_id"]


def _create_once(client: Client, path: str, body: dict[str, Any], **where: str) -> dict[str, Any]:
    """Creates an object; where it is not known whether it is there, it is looked up first."""
    named = filter_by("name" if path == "experiments" else "display_name", body["display_name"])
    is_first = True

    def attempt() -> dict[str, Any]:
        nonlocal is_first
        if not is_first:
            there = next(client.list(path, _KEYS.get(path, path), filter=named, **where), None)
            if there is not None:
                return there
        is_first = False
        return client.post(path, body)

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(AwayError),
        stop=tenacity.stop_after_attempt(1 + RETRIES),
        wait=tenacity.wait_exponential(BACKOFF_SECS, max=30),
        reraise=True,
    )(attempt)
