"""A run as OpenLineage events: one job for the pipeline, and one for each of its nodes.

Datasets are artifacts, sources and served versions, each with its digest as version. The rules of
the gate are test results of the Evaluator's run, and assertions on the records that it read.
"""

import datetime
import importlib.metadata
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from openlineage.client import event_v2 as ol
from openlineage.client import facet_v2 as facets
from openlineage.client.uuid import generate_static_uuid

from lineage.exports import event_datasets
from lineage.record.flat import flat
from lineage.record.parts import Node
from lineage.record.run import Run

Times = Mapping[int, tuple[datetime.datetime, datetime.datetime]]
PRODUCER = f"urn:effnet-tfx:{importlib.metadata.version('effnet-tfx')}"
ol.set_producer(PRODUCER)  # of all facets
NAMESPACE_VARIABLE = "OPENLINEAGE_NAMESPACE"
DEFAULT_NAMESPACE = "effnet-tfx"
_GATE, _PIPELINE = "Evaluator", "pipeline"
# By the state of a run or node; any other one came to its end, whatever the gate said.
_ENDS = {"failed": ol.RunState.FAIL, "killed": ol.RunState.ABORT, "running": ol.RunState.ABORT}


def start(run: Run, repository: str = "") -> ol.RunEvent:
    """The event that a run began.

    Args:
      run: its record.
      repository: URL of the git repository that its code is of; empty if there is none.
    """
    return _of_run(run, ol.RunState.START, run.run.started, repository)


def rest(run: Run, times: Times, repository: str = "", known: int = 0) -> Iterator[ol.RunEvent]:
    """The events of its nodes, and that of its end.

    Args:
      run: its record.
      times: when each execution began and ended, by its number.
      repository: see `start`.
      known: so many of the executions in the record were told already. The run has ended then.
    """
    executions = [(node.execution_id, node) for node in run.nodes if node.execution_id is not None]
    for number, node in executions[known:]:
        begun, ended = times.get(number, (run.run.started, run.run.started))
        yield _of_node(run, node, ol.RunState.START, begun, begun, repository)
        state = _ENDS.get(node.state, ol.RunState.COMPLETE)
        yield _of_node(run, node, state, begun, ended, repository)
    if not known:
        ended = run.run.ended or max((end for _, end in times.values()), default=run.run.started)
        yield _of_run(run, _ENDS.get(run.run.state, ol.RunState.COMPLETE), ended, repository)


def _of_run(run: Run, state: ol.RunState, time: datetime.datetime, repository: str) -> ol.RunEvent:
    of_run: dict[str, Any] = {
        "processing_engine": facets.processing_engine_run.ProcessingEngineRunFacet(
            version=run.versions.get("tfx", ""), name="TFX", openlineageAdapterVersion=PRODUCER
        ),
        "executionParameters": _parameters(flat(run.settings)),
    }
    if state in _ENDS.values():
        of_run["errorMessage"] = _error(run)
    inputs, outputs = event_datasets.of_run(run) if state != ol.RunState.START else ([], [])
    return _event(
        state, time, ol.Run(_run_id(run), of_run), _job(run, "", repository), inputs, outputs
    )


def _of_node(
    run: Run,
    node: Node,
    state: ol.RunState,
    begun: datetime.datetime,
    time: datetime.datetime,
    repository: str,
) -> ol.RunEvent:
    told = {"state": node.state, "why": node.why, **node.properties}
    of_run: dict[str, Any] = {
        "parent": facets.parent_run.ParentRunFacet(
            run=facets.parent_run.Run(runId=_run_id(run)),
            job=facets.parent_run.Job(namespace=_namespace(), name=run.run.pipeline),
        ),
        "executionParameters": _parameters(told),
    }
    if state in _ENDS.values():
        of_run["errorMessage"] = _error(run)
    inputs, outputs = event_datasets.of_node(run, node)
    if node.id == _GATE and state == ol.RunState.COMPLETE and run.evaluation is not None:
        rules = run.evaluation.verdict.get("rules", [])
        of_run["test"] = facets.test_run.TestRunFacet(tests=[_test(rule) for rule in rules])
        event_datasets.add_assertions(run, inputs, rules)
    identity = f"{run.run.id}.{node.id}.{node.execution_id}"
    run_id = str(generate_static_uuid(begun, identity.encode()))
    job = _job(run, node.id, repository)
    return _event(state, time, ol.Run(run_id, of_run), job, inputs, outputs)


def _event(
    state: ol.RunState,
    time: datetime.datetime,
    run: ol.Run,
    job: ol.Job,
    inputs: list[ol.InputDataset],
    outputs: list[ol.OutputDataset],
) -> ol.RunEvent:
    return ol.RunEvent(
        eventTime=time.isoformat(),
        producer=PRODUCER,
        run=run,
        job=job,
        eventType=state,
        inputs=inputs,
        outputs=outputs,
    )


def _job(run: Run, node_id: str, repository: str) -> ol.Job:
    """The pipeline, or one of its nodes."""
    name = f"{run.run.pipeline}.{node_id}" if node_id else run.run.pipeline
    kind = "TASK" if node_id else "DAG"
    about: dict[str, Any] = {
        "jobType": facets.job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="TFX", jobType=kind
        )
    }
    if run.code is not None and run.code.commit and repository:
        about["sourceCodeLocation"] = facets.source_code_location_job.SourceCodeLocationJobFacet(
            type="git", url=repository, repoUrl=repository, version=run.code.commit
        )
    return ol.Job(_namespace(), name, about)


def _namespace() -> str:
    return os.environ.get(NAMESPACE_VARIABLE) or DEFAULT_NAMESPACE


def _run_id(run: Run) -> str:
    identity = f"{run.run.output_id}.{run.run.id}"
    return str(generate_static_uuid(run.run.started, identity.encode()))


def _error(run: Run) -> facets.error_message_run.ErrorMessageRunFacet:
    return facets.error_message_run.ErrorMessageRunFacet(
        message=run.run.said or run.run.state, programmingLanguage="python"
    )


def _test(rule: Mapping[str, Any]) -> facets.test_run.TestExecution:
    return facets.test_run.TestExecution(
        name=rule["text"],
        status="pass" if rule["passed"] else "fail",
        severity="error",
        type=rule["metric"],
    )


def _parameters(
    values: Mapping[str, Any],
) -> facets.execution_parameters_run.ExecutionParametersRunFacet:
    one = facets.execution_parameters_run.ExecutionParameter
    return facets.execution_parameters_run.ExecutionParametersRunFacet(
        [
            one(key=key, name=key, value=value if isinstance(value, str) else json.dumps(value))
            for key, value in values.items()
        ]
    )
