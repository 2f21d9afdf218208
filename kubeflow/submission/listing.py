"""The runs of our pipelines that a server knows."""

import datetime
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from kubeflow.submission.client import Client
from kubeflow.submission.submit import namespace_of
from lineage.views import words

# What the steps of our pipelines run.
_ENTRY_POINT = "kubeflow.entrypoint"
_HEAD = ("RUN", "PIPELINE", "WHEN", "STATE", "DURATION", "NAME")


class ClusterRun(NamedTuple):
    """A run.

    Attributes:
      id: the server's.
      pipeline: the pipeline's name.
      name: of the run.
      state: succeeded, failed, running, ...
      created: when it was submitted; None where the server does not say.
      finished: when it ended; None before that.
      link: its page.
    """

    id: str
    pipeline: str
    name: str
    state: str
    created: datetime.datetime | None
    finished: datetime.datetime | None
    link: str


def runs(client: Client, *, namespace: str, pipeline: str, limit: int | None) -> list[ClusterRun]:
    """The newest runs whose steps run our entry point.

    Args:
      client: of the server.
      namespace: the profile, on a server that has them.
      pipeline: only those of this pipeline; empty: of all.
      limit: so many; None: all.

    Raises:
      InputError: the server refuses.
      AwayError: it does not answer.
    """
    found = client.list(
        "runs", "runs", sort_by="created_at desc", namespace=namespace_of(client, namespace)
    )
    return list(itertools.islice(_of_ours(client, found, pipeline), limit))


def text(found: Iterable[ClusterRun]) -> str:
    """A row a run."""
    rows = [
        (run.id, run.pipeline, words.when(run.created), run.state, _duration(run), run.name)
        for run in found
    ]
    return words.table(_HEAD, rows, (4,))


def as_json(found: Iterable[ClusterRun]) -> str:
    """A list with one object per run; times as in 2026-11-28T06:00:00+00:00."""
    times = ("created", "finished")
    values = [run._asdict() for run in found]
    for value in values:
        value.update({key: value[key] and value[key].isoformat() for key in times})
    return json.dumps(values, indent=2, ensure_ascii=False)


def _of_ours(client: Client, found: Iterable[dict], pipeline: str) -> Iterator[ClusterRun]:
    specs: dict[str, Mapping[str, Any]] = {}  # of uploaded pipelines, by version
    for run in found:
        if run.get("storage_state") == "ARCHIVED":
            continue
        spec = run.get("pipeline_spec") or _uploaded(client, run, specs)
        spec = spec.get("pipeline_spec", spec)  # beside it there may be a platform document
        name = spec.get("pipelineInfo", {}).get("name", "")
        if _is_ours(spec) and pipeline in ("", name):
            yield ClusterRun(
                id=run["run_id"],
                pipeline=name,
                name=run.get("display_name", ""),
                state=words.state(run.get("state", "").lower()) or words.NONE,
                created=_time(run.get("created_at")),
                finished=_time(run.get("finished_at")),
                link=f"{client.url}/#/runs/details/{run['run_id']}",
            )


def _uploaded(client: Client, run: dict, specs: dict[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The pipeline of a run that names a version which was uploaded before."""
    reference = run.get("pipeline_version_reference") or {}
    pipeline, version = reference.get("pipeline_id"), reference.get("pipeline_version_id")
    if not pipeline or not version:
        return {}
    if version not in specs:
        answer = client.get(f"pipelines/{pipeline}/versions/{version}")
        specs[version] = answer.get("pipeline_spec") or {}
    return specs[version]


def _is_ours(spec: Mapping[str, Any]) -> bool:
    executors = spec.get("deploymentSpec", {}).get("executors", {}).values()
    return any(_ENTRY_POINT in one.get("container", {}).get("command", []) for one in executors)


def _time(value: str | None) -> datetime.datetime | None:
    # The year 1970 stands for a time that has not come.
    if not value or value.startswith("1970-"):
        return None
    whole = value.partition(".")[0].removesuffix("Z")
    return datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)


def _duration(run: ClusterRun) -> str:
    is_over = run.created is not None and run.finished is not None
    return words.duration((run.finished - run.created).total_seconds() if is_over else None)
