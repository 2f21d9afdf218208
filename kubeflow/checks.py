"""What a backend of Kubeflow Pipelines refuses, ignores without a word, or fails on later.

Each rule was seen with the backend of 2.17.0. A check gets the two documents as they are about to
be written, names the node, and says how to mend it.
"""

import graphlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from kubeflow.platform_document import PlatformDocument
from preprocessing.errors import InputError

SCHEMA_VERSION = "2.1.0"
# The backend adds its own to names that may have 128.
MAX_NODE_CHARS = 121
ROOT_SCHEMES = ("gs://", "s3://", "minio://")
# The launcher replaces this argument, and nothing else that is written here.
WHOLE_INPUT = "{{$}}"
_PLACEHOLDER = "{{$"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NODE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?")
_KINDS = {"NUMBER_INTEGER": (int,), "NUMBER_DOUBLE": (int, float), "STRING": (str,)}
_KINDS |= {"BOOLEAN": (bool,), "LIST": (list,), "STRUCT": (dict,)}

Document = Mapping[str, Any]


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
    _check_root_parameters(pipeline["root"])
    tasks = pipeline["root"]["dag"]["tasks"]
    for node, task in tasks.items():
        check_name(node)
        component = pipeline["components"][task["componentRef"]["name"]]
        executor = pipeline["deploymentSpec"]["executors"].get(component.get("executorLabel", ""))
        _check_executor(node, executor)
        _check_parameters(node, task, component, pipeline["root"])
        _check_artifacts(node, task, component, pipeline)
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
        _check_text(node, "its command line", text, but=WHOLE_INPUT)
    for variable in container.get("env", []):
        _check_text(node, f"variable {variable['name']}", variable.get("value", ""))


def _check_text(node: str, what: str, text: str, but: str | None = None) -> None:
    if _PLACEHOLDER in text and text != but:
        raise InputError(
            f"node {node}: {what} must not contain {_PLACEHOLDER!r}, which the backend replaces. "
            f"Received: {text[:80]!r}"
        )


def _check_parameters(node: str, task: Document, component: Document, root: Document) -> None:
    declared = component.get("inputDefinitions", {}).get("parameters", {})
    given = task.get("inputs", {}).get("parameters", {})
    at_root = root.get("inputDefinitions", {}).get("parameters", {})
    for name, definition in declared.items():
        needed = not definition.get("isOptional") and "defaultValue" not in definition
        if name not in given and needed:
            raise InputError(f"node {node}: input parameter {name!r} must be given a value")
    for name, value in given.items():
        if name not in declared:
            raise InputError(f"node {node}: its component has no input parameter {name!r}")
        kind = declared[name].get("parameterType")
        if "runtimeValue" in value:
            if "constant" not in value["runtimeValue"]:
                raise InputError(
                    f"node {node}: parameter {name!r}: a runtimeParameter inside a task does not "
                    "work there; declare the parameter at the pipeline (componentInputParameter)"
                )
            constant = value["runtimeValue"]["constant"]
            _check_value(f"node {node}: parameter {name!r}", constant, kind)
        elif "componentInputParameter" in value:
            source = value["componentInputParameter"]
            if source not in at_root:
                raise InputError(f"node {node}: the pipeline must declare parameter {source!r}")
            if at_root[source].get("parameterType") != kind:
                raise InputError(
                    f"node {node}: parameter {name!r} must have the type of the pipeline's "
                    f"{source!r}. Received: {kind} and {at_root[source].get('parameterType')}"
                )
        else:
            raise InputError(
                f"node {node}: parameter {name!r} must be a constant or a parameter of the "
                "pipeline; a value that another node makes is passed as an artifact, as an input"
            )


def _check_value(what: str, value: Any, kind: str | None) -> None:
    """Checks a constant; what stands in protos as a number may be a whole one."""
    if isinstance(value, float) and value.is_integer() and kind == "NUMBER_INTEGER":
        value = int(value)
    is_bool = isinstance(value, bool)
    if not isinstance(value, _KINDS.get(kind or "", ())) or (is_bool and kind != "BOOLEAN"):
        raise InputError(f"{what} must be of type {kind}. Received: {json.dumps(value)[:80]}")
    if kind == "NUMBER_INTEGER" and abs(value) >= 2**53:
        raise InputError(
            f"{what} must be below 2^53 in size, since larger whole numbers are rounded there. "
            f"Received: {value}"
        )
    if isinstance(value, str) and _PLACEHOLDER in value:
        raise InputError(
            f"{what} must not contain {_PLACEHOLDER!r}, which the backend replaces. "
            f"Received: {value[:80]!r}"
        )


def _check_artifacts(node: str, task: Document, component: Document, pipeline: Document) -> None:
    declared = component.get("inputDefinitions", {}).get("artifacts", {})
    given = task.get("inputs", {}).get("artifacts", {})
    for name, definition in declared.items():
        if name not in given and not definition.get("isOptional"):
            raise InputError(f"node {node}: input {name!r} must come from a node")
    tasks = pipeline["root"]["dag"]["tasks"]
    for name, value in given.items():
        if name not in declared:
            raise InputError(f"node {node}: its component has no input {name!r}")
        source = value.get("taskOutputArtifact", {})
        producer, key = source.get("producerTask"), source.get("outputArtifactKey")
        if producer not in tasks:
            raise InputError(
                f"node {node}: input {name!r} must come from a node of the pipeline. "
                f"Received: {producer!r}"
            )
        maker = pipeline["components"][tasks[producer]["componentRef"]["name"]]
        outputs = maker.get("outputDefinitions", {}).get("artifacts", {})
        if key not in outputs:
            raise InputError(
                f"node {node}: input {name!r} must be an output of {producer} "
                f"({', '.join(outputs) or 'none'}). Received: {key!r}"
            )
    for other in task.get("dependentTasks", []):
        if other not in tasks:
            raise InputError(f"node {node}: must depend on nodes there are. Received: {other}")


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


def _check_root_parameters(root: Document) -> None:
    for name, definition in root.get("inputDefinitions", {}).get("parameters", {}).items():
        if "defaultValue" not in definition:
            raise InputError(
                f"the pipeline's parameter {name!r} must have a default, or each run that does not "
                "pass it is refused"
            )
        what = f"the default of the pipeline's parameter {name!r}"
        _check_value(what, definition["defaultValue"], definition.get("parameterType"))
