"""What the nodes of a compiled pipeline get: parameters and artifacts of the right kind.

See `checks`.
"""

import json
from collections.abc import Mapping
from typing import Any

from preprocessing.errors import InputError

Document = Mapping[str, Any]
# What begins so, the backend replaces.
_PLACEHOLDER = "{{$"
_KINDS = {"NUMBER_INTEGER": (int,), "NUMBER_DOUBLE": (int, float), "STRING": (str,)}
_KINDS |= {"BOOLEAN": (bool,), "LIST": (list,), "STRUCT": (dict,)}


def check_root_parameters(root: Document) -> None:
    """Checks the parameters of the pipeline itself.

    Raises:
      InputError: one has no default, or one of another type.
    """
    for name, definition in root.get("inputDefinitions", {}).get("parameters", {}).items():
        if "defaultValue" not in definition:
            raise InputError(
                f"the pipeline's parameter {name!r} must have a default, or each run that does not "
                "pass it is refused"
            )
        what = f"the default of the pipeline's parameter {name!r}"
        _check_value(what, definition["defaultValue"], definition.get("parameterType"))


def check_text(node: str, what: str, text: str, but: str | None = None) -> None:
    """Checks a text that the backend hands to a node's container.

    Args:
      node: the node.
      what: what the text is, for the message.
      text: the text.
      but: the only text in which a placeholder is meant.

    Raises:
      InputError: it has a placeholder in it.
    """
    if text != but:
        _refuse_placeholder(f"node {node}: {what}", text)


def check_parameters(node: str, task: Document, component: Document, root: Document) -> None:
    """Checks that a node gets its parameters, and of the right type.

    Args:
      node: the node.
      task: its task.
      component: its component.
      root: the pipeline's own component, which declares the parameters of a run.

    Raises:
      InputError: one is missing, unknown, of another type, or not a constant or parameter.
    """
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
        _check_given(node, name, value, declared[name].get("parameterType"), at_root)


def _check_given(
    node: str, name: str, value: Document, kind: str | None, at_root: Document
) -> None:
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
    if isinstance(value, str):
        _refuse_placeholder(what, value)


def _refuse_placeholder(what: str, text: str) -> None:
    if _PLACEHOLDER in text:
        raise InputError(
            f"{what} must not contain {_PLACEHOLDER!r}, which the backend replaces. "
            f"Received: {text[:80]!r}"
        )


def check_artifacts(node: str, task: Document, component: Document, pipeline: Document) -> None:
    """Checks that a node gets its artifacts from outputs that are there.

    Args:
      node: the node.
      task: its task.
      component: its component.
      pipeline: the pipeline document.

    Raises:
      InputError: one is missing, unknown, or comes from nowhere.
    """
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
