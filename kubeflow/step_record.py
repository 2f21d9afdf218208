"""The record of a run on a cluster, from what each of its steps writes down.

<state_dir>/<pipeline>/lineage/<run>/steps/<node>.json   one a step
<state_dir>/<pipeline>/lineage/<run>/lineage.json        of all steps so far, as of a local run

A step's files are on its machine only while it runs, so it reads then what the record says of
them. Nothing is asked of the cluster's ML Metadata.
"""

import datetime
import hashlib
import itertools
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx import types

from components.stored_names import CONTENT_FINGERPRINT, SERVING_CHECK_FILE
from kubeflow import state
from kubeflow.launcher_input import Place
from lineage.making import build, code, data, machine, model
from lineage.making.artifact_files import read_json
from lineage.making.outputs import Outputs
from lineage.record import files
from lineage.record.parts import Artifact, Node, RunInfo
from lineage.record.run import Run
from lineage.record.run import parse as parse_run
from preprocessing.files.new_file import write_text

STEPS_FOLDER = "steps"
_ID_BITS = 62


class Recorder:
    """Keeps the record of one step; keeps nothing where there is no `state_dir`."""

    def __init__(
        self,
        state_dir: str,
        *,
        node: str,
        executor: str,
        place: Place,
        inputs: Mapping[str, str],
        settings: Mapping[str, Any],
        pipeline: str,
        started: datetime.datetime,
    ):
        """Writes nothing yet.

        Args:
          state_dir: folder that all runs share, empty for none.
          node: the step's node.
          executor: dotted name of its executor.
          place: where the run's outputs lie.
          inputs: URIs of its inputs by key.
          settings: the resolved config where the step has it.
          pipeline: name of the pipeline.
          started: when the step began.
        """
        self.place = place
        self._root = state.records_root(state_dir, pipeline) if state_dir else None
        self._node, self._executor, self._inputs = node, executor, inputs
        self._settings, self._pipeline, self._started = settings, pipeline, started

    def ran(
        self,
        properties: Mapping[str, Any],
        outputs: Mapping[str, list[types.Artifact]],
        now: datetime.datetime,
    ) -> None:
        """Records that the step made its outputs, whose files are still here."""
        artifacts = {
            key: [self._artifact(one, now) for one in listed] for key, listed in outputs.items()
        }
        node = self._made_node("ran", "", properties, now).model_copy(
            update={"outputs": {key: [one.id for one in all_] for key, all_ in artifacts.items()}}
        )
        self._keep(node, [one for all_ in artifacts.values() for one in all_], now)

    def failed(self, properties: Mapping[str, Any], why: str, now: datetime.datetime) -> None:
        """Records that the step failed."""
        self._keep(self._made_node("failed", why, properties, now), [], now)

    def _made_node(
        self, status: str, why: str, properties: Mapping[str, Any], now: datetime.datetime
    ) -> Node:
        return Node(
            id=self._node,
            state=status,
            why=why,
            secs=round((now - self._started).total_seconds(), 2),
            execution_id=_number(f"{self.place.remote}/{self._node}/{self.place.execution}"),
            execution_type=self._executor,
            made_in_run=self.place.run_id,
            properties=dict(properties),
            inputs={key: [_number(uri)] for key, uri in self._inputs.items()},
        )

    def _artifact(self, made: types.Artifact, now: datetime.datetime) -> Artifact:
        skipped = {CONTENT_FINGERPRINT, "made_in_run", "tfx_version"}
        stored = made.mlmd_artifact
        names = {*stored.properties, *stored.custom_properties} - skipped
        return Artifact(
            id=_number(self.place.to_remote(made.uri) or made.uri),
            type=type(made).TYPE_NAME,
            uri=made.uri,
            digest=made.get_string_custom_property(CONTENT_FINGERPRINT),
            made_in_run=self.place.run_id,
            made_by=self._node,
            made=now,
            properties={name: _value(made, name) for name in sorted(names)},
        )

    def _keep(self, node: Node, artifacts: list[Artifact], now: datetime.datetime) -> None:
        if self._root is None:
            return
        try:
            outputs = Outputs([node], artifacts)
            run = Run(
                run=RunInfo(
                    id=self.place.run_id,
                    pipeline=self._pipeline,
                    state="running",
                    started=self._started,
                    ended=now,
                ),
                root=self.place.local,
                settings=dict(self._settings),
                code=code.read(),
                versions=machine.versions(),
                machine=machine.read(),
                source=data.source(outputs),
                dataset=data.dataset(outputs),
                model=model.model(outputs),
                baseline=model.baseline(outputs),
                evaluation=model.evaluation(outputs),
                pushes=model.pushes(outputs),
                nodes=[node],
                artifacts=artifacts,
            )
            # Where the files are for everybody else.
            kept = {
                "run": files.relocated(run, self.place.remote).model_dump(mode="json"),
                "serving_check": _serving_check(outputs),
            }
            folder = files.path_of(self._root, self.place.run_id).parent
            (folder / STEPS_FOLDER).mkdir(parents=True, exist_ok=True)
            write_text(folder / STEPS_FOLDER / f"{self._node}.json", json.dumps(kept))
            _write_whole(folder)
        except OSError as error:  # what the step made is there all the same
            logging.warning("the step's record cannot be written: %s", error)


def _write_whole(folder: Path) -> None:
    """Writes the record of all steps; again, where another step wrote its own meanwhile."""
    seen: list[tuple[str, int]] = []
    while seen != (now := _states(folder)):
        seen = now
        kept = [
            json.loads((folder / STEPS_FOLDER / name).read_text(encoding="utf-8"))
            for name, _ in now
        ]
        files.write(folder / files.FILE, merged(kept))


def _states(folder: Path) -> list[tuple[str, int]]:
    paths = sorted((folder / STEPS_FOLDER).glob("[!.]*.json"))
    return [(path.name, path.stat().st_mtime_ns) for path in paths]


def merged(kept: list[Mapping[str, Any]]) -> Run:
    """One record of the records of a run's steps."""
    runs = [parse_run(json.dumps(part["run"]), "a step's record") for part in kept]
    runs.sort(key=lambda run: run.run.started)
    nodes = list(itertools.chain.from_iterable(run.nodes for run in runs))
    artifacts = list(itertools.chain.from_iterable(run.artifacts for run in runs))
    checks = [part["serving_check"] for part in kept if part.get("serving_check")]
    found = {name: _first(runs, name) for name in ("source", "dataset", "model", "baseline")}
    evaluation = _first(runs, "evaluation")
    if evaluation is not None and checks:
        evaluation = evaluation.model_copy(update={"serving_check": checks[-1]})
    started, ended = runs[0].run.started, max(run.run.ended or run.run.started for run in runs)
    status = _state(nodes, artifacts)
    over = status != "running"
    return runs[0].model_copy(
        update={
            **found,
            "run": runs[0].run.model_copy(
                update={
                    "state": status,
                    "said": _said(nodes, evaluation),
                    "ended": ended if over else None,
                    "secs": round((ended - started).total_seconds(), 2) if over else None,
                }
            ),
            # The URIs are of a bucket, and do not move with the record.
            "root": "",
            "settings": next((run.settings for run in runs if run.settings), {}),
            "evaluation": evaluation,
            "pushes": [push for run in runs for push in run.pushes],
            "nodes": nodes,
            "artifacts": artifacts,
        }
    )


def _state(nodes: list[Node], artifacts: list[Artifact]) -> str:
    found = build.state_of(nodes, Outputs(nodes, artifacts))
    return "running" if found == "partial" else found  # its next step is under way


def _said(nodes: list[Node], evaluation: Any) -> str:
    failed = [node for node in nodes if node.state == "failed"]
    if failed:
        return f"{failed[0].id} failed: {failed[0].why}"
    return str(evaluation.verdict.get("reason", "")) if evaluation is not None else ""


def _first(runs: list[Run], name: str) -> Any:
    return next((getattr(run, name) for run in runs if getattr(run, name) is not None), None)


def _serving_check(outputs: Outputs) -> Any:
    blessing = outputs.artifact("ServingValidator", "blessing")
    return read_json(blessing.uri, SERVING_CHECK_FILE) if blessing is not None else None


def _number(text: str) -> int:
    """A number for what is known by a URI, the same in every step."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 2**_ID_BITS


def _value(made: types.Artifact, name: str) -> Any:
    if made.has_custom_property(name):
        return made.get_custom_property(name)
    return getattr(made, name)
