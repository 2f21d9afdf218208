"""SavedModels whose bytes follow from what they compute.

TensorFlow numbers functions by what the process has traced before, names lookup tables by the paths
of their files, and adds a fingerprint with a random part. So the same model has other bytes each
time. Here these names are given anew, in the order in which the model refers to them; the functions
are sorted likewise. Models load as before: a loader takes names from the file, and tells tables of
two models apart itself.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tensorflow.core.framework import attr_value_pb2, function_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

_GRAPH_FILE = "saved_model.pb"
# Digests for lookups by hand; TensorFlow loads models without it.
_FINGERPRINT_FILE = "fingerprint.pb"
# The number that TensorFlow puts behind names.
_NUMBER = re.compile(r"[_-]\d+$")
_UNUSED_NUMBER = re.compile(r"_\d+(___redundant_placeholder\d+)$")
_TABLE_NAME, _GRADIENT_NAME = "shared_name", "_gradient_op_type"
_ARGUMENT_NAME = "_user_specified_name"


def make_canonical(folder: Path) -> None:
    """Rewrites a SavedModel: the same model has the same bytes afterwards, wherever it was made.

    Args:
      folder: what `tf.saved_model.save` wrote.
    """
    path = folder / _GRAPH_FILE
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for meta_graph in model.meta_graphs:
        _rename(meta_graph)
    path.write_bytes(model.SerializeToString(deterministic=True))
    (folder / _FINGERPRINT_FILE).unlink(missing_ok=True)


def _rename(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    library = meta_graph.graph_def.library
    functions = {function.signature.name: function for function in library.function}
    order = list(_references(meta_graph, functions))
    names, gradients, tables = _Names(), _Names(), _Names()
    renamed = {name: names.give(name, _base(name)) for name in order}
    for node in _nodes(meta_graph, [functions[name] for name in order]):
        for key, value in sorted(node.attr.items()):
            for function in _functions(value):
                function.name = renamed.get(function.name, function.name)
            if key == _GRADIENT_NAME:
                value.s = gradients.give(value.s.decode(), _base(value.s.decode())).encode()
            elif key == _TABLE_NAME and value.s:
                value.s = tables.give(value.s.decode(), node.op).encode()
    # A new one: what is taken out of a message is no longer valid.
    kept = type(library)()
    for name in order:
        functions[name].signature.name = renamed[name]
        _rename_arguments(functions[name])
        kept.function.append(functions[name])
    for gradient in library.registered_gradients:
        operation = gradient.registered_op_type
        kept.registered_gradients.add(
            gradient_func=renamed[gradient.gradient_func],
            registered_op_type=gradients.give(operation, _base(operation)),
        )
    kept.registered_gradients.sort(key=lambda gradient: gradient.gradient_func)
    library.CopyFrom(kept)
    _rename_objects(meta_graph, renamed)


def _rename_arguments(function: function_pb2.FunctionDef) -> None:
    """Takes numbers out of the names of arguments that a loop hands on and does not use."""
    for argument in function.arg_attr.values():
        # A tensor's number instead of a name. (To read an entry that is not there would make it.)
        if _ARGUMENT_NAME in argument.attr and argument.attr[_ARGUMENT_NAME].s.isdigit():
            del argument.attr[_ARGUMENT_NAME]
    renamed = {
        argument.name: _UNUSED_NUMBER.sub(r"\1", argument.name)
        for argument in function.signature.input_arg
    }
    for argument in function.signature.input_arg:
        argument.name = renamed[argument.name]
    for node in function.node_def:
        node.input[:] = [_renamed_output(name, renamed) for name in node.input]
    for name, output in list(function.ret.items()):
        function.ret[name] = _renamed_output(output, renamed)


def _renamed_output(name: str, renamed: Mapping[str, str]) -> str:
    """The name of an output of a node or argument, as in `placeholder:0`."""
    node, colon, rest = name.partition(":")
    return f"{renamed.get(node, node)}{colon}{rest}"


def _base(name: str) -> str:
    return _NUMBER.sub("", name)


class _Names:
    """Gives names anew, numbered in the order in which they are asked for."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def give(self, name: str, base: str) -> str:
        """The new name of `name`, always the same: `base` and a number."""
        return self._given.setdefault(name, f"{base}_{len(self._given)}")


def _references(
    meta_graph: meta_graph_pb2.MetaGraphDef, functions: Mapping[str, function_pb2.FunctionDef]
) -> Iterator[str]:
    """The functions that the model refers to, each once, in an order that follows from it."""
    library = meta_graph.graph_def.library
    gradients = {g.registered_op_type: g.gradient_func for g in library.registered_gradients}
    waiting = [
        name
        for node in meta_graph.object_graph_def.nodes
        for name in (
            *node.function.concrete_functions,
            node.bare_concrete_function.concrete_function_name,
            node.captured_tensor.concrete_function,
        )
    ]
    waiting += [name for node in meta_graph.graph_def.node for name in _called(node, gradients)]
    # What only the loader knows of, in the order in which it was made.
    others = {*meta_graph.object_graph_def.concrete_functions, *gradients.values()}
    waiting += sorted(others, key=lambda name: (len(name), name))
    seen: set[str] = set()
    while waiting:
        name = waiting.pop(0)
        if name not in seen and name in functions:
            seen.add(name)
            yield name
            nodes = functions[name].node_def
            waiting[:0] = [called for node in nodes for called in _called(node, gradients)]


def _called(node: node_def_pb2.NodeDef, gradients: Mapping[str, str]) -> Iterator[str]:
    """The functions that a node calls, and the one that is its gradient."""
    for key, value in sorted(node.attr.items()):
        yield from (function.name for function in _functions(value))
        if key == _GRADIENT_NAME and value.s.decode() in gradients:
            yield gradients[value.s.decode()]


def _functions(value: attr_value_pb2.AttrValue) -> list[attr_value_pb2.NameAttrList]:
    """The references to functions in an attribute."""
    # To read a part that is not set would set it, and take away what is.
    kind = value.WhichOneof("value")
    return [value.func] if kind == "func" else [*value.list.func] if kind == "list" else []


def _nodes(
    meta_graph: meta_graph_pb2.MetaGraphDef, functions: Sequence[function_pb2.FunctionDef]
) -> Iterator[node_def_pb2.NodeDef]:
    yield from meta_graph.graph_def.node
    for function in functions:
        yield from function.node_def


def _rename_objects(meta_graph: meta_graph_pb2.MetaGraphDef, renamed: dict[str, str]) -> None:
    objects = meta_graph.object_graph_def
    for node in objects.nodes:
        if node.WhichOneof("kind") == "function":
            called = node.function.concrete_functions
            called[:] = [renamed.get(name, name) for name in called]
        elif node.WhichOneof("kind") == "bare_concrete_function":
            name = node.bare_concrete_function.concrete_function_name
            node.bare_concrete_function.concrete_function_name = renamed.get(name, name)
        elif node.WhichOneof("kind") == "captured_tensor":
            name = node.captured_tensor.concrete_function
            node.captured_tensor.concrete_function = renamed.get(name, name)
    before = type(objects)()
    before.CopyFrom(objects)
    objects.concrete_functions.clear()
    for name, function in before.concrete_functions.items():
        objects.concrete_functions[renamed.get(name, name)].CopyFrom(function)
