"""What a backend of Kubeflow Pipelines refuses, ignores without a word, or fails on later.

Each rule was seen with the backend of 2.17.0. A check gets the two documents as they are about to
be written, names the node, and says how to mend it.
"""

import graphlib
import json
import re
from collections.abc import Iterator, Mapping

import pydantic
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from kubeflow import input_checks
from kubeflow.input_checks import Document
from kubeflow.platform_document import PlatformDocument
from pipeline.kubeflow_config import ROOT_SCHEMES
from preprocessing.errors import InputError

SCHEMA_VERSION = "2.1.0"
# The backend adds its own to names that may have 128.
MAX_NODE_CHARS = 121
# The launcher replaces this argument, and nothing else that is written here.
WHOLE_INPUT = "{{$}}"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NODE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?")


def check(pipeline: Document, platform: Document) -> None:
    """Checks the documents of a pipeline.

    Args:
      pipeline: the pipeline document, as YAML has it.
      platform: the platform document.

    Raises:
      InputError: what the backend would trip over: one line with the node and the remedy.
    """
    check_fields(pipeline, platform)
    name = pipeline["pipelineInfo"]["name"]
    if not _NAME.fullmatch(name) or len(name) > 63:
        raise InputError(
            "pipeline.name must be lower-case letters, digits and hyphens, begin and end with a "
            f"letter or digit, and have 63 at most. Received: {name!r}"
        )
    input_checks.check_root_parameters(pipeline["root"])
    tasks = pipeline["root"]["dag"]["tasks"]
    for node, task in tasks.items():
        check_name(node)
        component = pipeline["components"][task["componentRef"]["name"]]
        executor = pipeline["deploymentSpec"]["executors"].get(component.get("executorLabel", ""))
        _check_executor(node, executor)
        input_checks.check_parameters(node, task, component, pipeline["root"])
        input_checks.check_artifacts(node, task, component, pipeline)
    _check_no_circle(tasks)
    _check_all_different(pipeline)


def check_fields(pipeline: Document, platform: Document) -> None:
    """Checks that all fields are known: what is not is refused by one backend, lost by another."""
    messages = (
        ("", pipeline, pipeline_spec_pb2.PipelineSpec()),
        (
            "deploymentSpec: ",
            pipeline.get("deploymentSpec", {}),
            pipeline_spec_pb2.PipelineDeploymentConfig(),
        ),
    )
    for where, values, message in messages:
        try:
            json_format.ParseDict(values, message)
        except json_format.ParseError as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"the pipeline document must have known fields only. Received: {where}{reason}"
            ) from None
    if pipeline.get("schemaVersion") != SCHEMA_VERSION:
        raise InputError(
            f"Kubeflow Pipelines takes schema version {SCHEMA_VERSION} only. "
            f"Received: {pipeline.get('schemaVersion')!r}"
        )
    try:
        parsed = PlatformDocument.model_validate(platform)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(
            "the platform document must be as Kubeflow Pipelines knows it, or it is ignored. "
            f"Received: {place}: {first['msg']}"
        ) from None
    known = pipeline["deploymentSpec"]["executors"]
    for label in parsed.platforms.kubernetes.deployment_spec.executors:
        if label not in known:
            raise InputError(
                f"the platform document must name executors of the pipeline ({', '.join(known)}), "
                f"or it is ignored. Received: {label!r}"
            )


def check_name(node: str) -> None:
    """Checks the id of a node.

    Raises:
      InputError: the backend would refuse it.
    """
    if len(node) > MAX_NODE_CHARS:
        raise InputError(
            f"node {node[:40]}...: its id must have {MAX_NODE_CHARS} characters at most; give it a "
            f"shorter one (with_id). Received: {len(node)}"
        )
    if not _NODE.fullmatch(node):
        raise InputError(
            f"node {node}: its id must be letters, digits and hyphens (no underscore); give it "
            "another one (with_id)"
        )


def _check_executor(node: str, executor: Document | None) -> None:
    if executor is None:
        raise InputError(f"node {node}: its executor must be in deploymentSpec.executors")
    if "importer" in executor:
        uri = executor["importer"].get("artifactUri", {}).get("constant", "")
        if not str(uri).startswith(ROOT_SCHEMES):
            raise InputError(
                f"node {node}: an Importer takes {', '.join(ROOT_SCHEMES)} only; copy the files "
                f"there, or read them from a volume in a component. Received: {uri!r}"
            )
        return
    if "container" not in executor:
        kind = ", ".join(executor) or "nothing"
        raise InputError(
            f"node {node}: only containers and importers run there (a Resolver does not); look up "
            f"what it resolves in a component, as LatestBlessedModel does. Received: {kind}"
        )
    container = executor["container"]
    if "lifecycle" in container:
        raise InputError(
            f"node {node}: its driver (lifecycle.preCacheCheck) would be ignored, so that {{SPAN}} "
            "and {VERSION} are never resolved; use a component that resolves them itself, as "
            "ImageExampleGen does"
        )
    for text in (*container.get("command", []), *container.get("args", [])):
        input_checks.check_text(node, "its command line", text, but=WHOLE_INPUT)
    for variable in container.get("env", []):
        input_checks.check_text(node, f"variable {variable['name']}", variable.get("value", ""))


def _before(task: Document) -> Iterator[str]:
    yield from task.get("dependentTasks", [])
    for value in task.get("inputs", {}).get("artifacts", {}).values():
        yield value["taskOutputArtifact"]["producerTask"]


def _check_no_circle(tasks: Mapping[str, Document]) -> None:
    try:
        graphlib.TopologicalSorter({n: set(_before(t)) for n, t in tasks.items()}).prepare()
    except graphlib.CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise InputError(f"nodes must not depend on each other in a circle: {circle}") from None


def _check_all_different(pipeline: Document) -> None:
    """Two nodes with the same container get the component spec of the first."""
    seen: dict[str, str] = {}
    for node, task in pipeline["root"]["dag"]["tasks"].items():
        label = pipeline["components"][task["componentRef"]["name"]]["executorLabel"]
        container = pipeline["deploymentSpec"]["executors"][label].get("container")
        if container is None:
            continue
        text = json.dumps([container.get(k) for k in ("image", "command", "args")])
        if text in seen:
            raise InputError(
                f"node {node}: its image, command and arguments must differ from those of "
                f"{seen[text]}, whose component it would get; put its id into the arguments"
            )
        seen[text] = node
