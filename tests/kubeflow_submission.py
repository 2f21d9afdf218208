"""What the emulated backend of Kubeflow Pipelines takes and refuses when a run is submitted."""

import graphlib
from collections.abc import Mapping
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as spec

# The fields of an executor of the platform document that 2.17 knows.
EXECUTOR_FIELDS = {
    *("activeDeadlineSeconds", "configMapAsEnv", "configMapAsVolume", "emptyDirMounts"),
    *("enabledSharedMemory", "fieldPathAsEnv", "genericEphemeralVolume", "imagePullPolicy"),
    *("imagePullSecret", "nodeAffinity", "nodeSelector", "podAffinity", "podMetadata"),
    *("pvcMount", "secretAsEnv", "secretAsVolume", "tolerations"),
}


class RefusedError(Exception):
    """The backend does not take the pipeline or the run (HTTP 400)."""


def documents(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pipeline, and the fields of each executor of the platform document that is understood."""
    pipeline, platform = None, {}
    for document in yaml.safe_load_all(text):
        if "pipelineInfo" in document:
            try:
                json_format.ParseDict(document, spec.PipelineSpec())
            except json_format.ParseError as error:
                raise RefusedError(f"unknown template format: {error}") from None
            pipeline = document
        elif "kubernetes" in document.get("platforms", {}):
            platform = document["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    if pipeline is None:
        raise RefusedError("no pipeline spec is provided")
    for fields in platform.values():
        if set(fields) - EXECUTOR_FIELDS:
            raise RefusedError(f"unknown field {sorted(set(fields) - EXECUTOR_FIELDS)}")
    return pipeline, platform


def check_submission(pipeline, arguments: Mapping[str, Any]) -> dict[str, Any]:
    if pipeline.get("schemaVersion") != "2.1.0":
        raise RefusedError("KFP only supports schema version 2.1.0")
    tasks = pipeline["root"]["dag"]["tasks"]
    for name, task in tasks.items():
        if "_" in name:
            raise RefusedError(f"invalid dependency {name.partition('_')[0]}")
        if len(name) > 121:
            raise RefusedError("must be no more than 128 characters")
        label = pipeline["components"][task["componentRef"]["name"]]["executorLabel"]
        if not {"container", "importer"} & set(pipeline["deploymentSpec"]["executors"][label]):
            raise RefusedError("non-container and non-importer executor not implemented")
        for value in task.get("inputs", {}).get("parameters", {}).values():
            producer = value.get("taskOutputParameter", {}).get("producerTask")
            if producer is not None and producer not in tasks:
                raise RefusedError(f'unknown producer task "{producer}" in DAG')
        for other in upstream(task):
            if other not in tasks:
                raise RefusedError(f"invalid dependency {other}")
    try:
        graphlib.TopologicalSorter({n: upstream(t) for n, t in tasks.items()}).prepare()
    except graphlib.CycleError:
        raise RefusedError("cycle in DAG") from None
    declared = pipeline["root"].get("inputDefinitions", {}).get("parameters", {})
    for name in arguments:
        if name not in declared:
            raise RefusedError(f"HTTP 400: unknown parameter {name}")
    given = {}
    for name, definition in declared.items():
        if name not in arguments and "defaultValue" not in definition:
            raise RefusedError(f"parameter {name} is not optional, yet has no default value")
        given[name] = arguments.get(name, definition.get("defaultValue"))
        if not is_of(given[name], definition["parameterType"]):
            raise RefusedError(f"input parameter {name} requires {definition['parameterType']}")
    return given


def is_of(value: Any, kind: str) -> bool:
    kinds = {"STRING": str, "NUMBER_INTEGER": (int, float), "NUMBER_DOUBLE": (int, float)}
    return isinstance(value, kinds[kind]) and not isinstance(value, bool)


def upstream(task) -> set[str]:
    sources = task.get("inputs", {}).get("artifacts", {}).values()
    return {v["taskOutputArtifact"]["producerTask"] for v in sources} | set(
        task.get("dependentTasks", [])
    )
