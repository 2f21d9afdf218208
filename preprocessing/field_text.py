"""Settings in words, for help and documentation: type, default, bounds and meaning of a field."""

import dataclasses
import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from preprocessing.settings import Mark, Settings
from preprocessing.yaml_values import in_yaml

_TYPES = {str: "text", int: "whole number", float: "number", bool: "true or false"}


@dataclasses.dataclass(frozen=True)
class FieldText:
    """A field in words.

    Attributes:
      name: the key.
      type: what a value may be; the choices where there are some.
      default: as YAML has it; `required`, or `see meaning` where it follows from other fields.
      bounds: what a value must keep to, empty where the type says all.
      meaning: the field's docstring, as one line.
      mark: the word of the field's `Mark`, empty where it has none.
    """

    name: str
    type: str
    default: str
    bounds: str
    meaning: str
    mark: str = ""


def field_texts(cls: type[Settings]) -> list[tuple[str, list[FieldText]]]:
    """The fields of a settings class in words, by the class that declares them.

    Returns:
      (first line of the declaring class's docstring, its fields) in the order of declaration.
    """
    groups: dict[type, list[FieldText]] = {}
    for name, field in cls.model_fields.items():
        groups.setdefault(_declaring_class(cls, name), []).append(_text(name, field))
    return [((group.__doc__ or "").splitlines()[0], texts) for group, texts in groups.items()]


def _declaring_class(cls: type[Settings], name: str) -> type:
    return next(base for base in cls.__mro__ if name in vars(base).get("__annotations__", {}))


def _text(name: str, field: FieldInfo) -> FieldText:
    return FieldText(
        name,
        _type(field.annotation),
        _default(field),
        ", ".join(_bounds(field)),
        " ".join((field.description or "").split()),
        ", ".join(mark.value for mark in field.metadata if isinstance(mark, Mark)),
    )


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin in (Union, types.UnionType):
        return " or ".join("null" if part is type(None) else _type(part) for part in arguments)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"{_type(arguments[1])} by name"
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return f"section ({annotation.__name__})"
    return _TYPES[annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None and field.default_factory_takes_validated_data:
        return "see meaning"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Settings):
        return "see there"
    is_plain_word = isinstance(value, str) and re.fullmatch(r"[a-z][\w-]*", value)
    return value if is_plain_word else in_yaml(value)


def _bounds(field: FieldInfo) -> Iterator[str]:
    for rule in field.metadata:
        if isinstance(rule, annotated_types.Ge):
            yield f"at least {rule.ge:g}"
        elif isinstance(rule, annotated_types.Gt):
            yield f"above {rule.gt:g}"
        elif isinstance(rule, annotated_types.Le):
            yield f"at most {rule.le:g}"
        elif isinstance(rule, annotated_types.Lt):
            yield f"below {rule.lt:g}"
        elif getattr(rule, "pattern", None):
            yield f"like {rule.pattern}"
