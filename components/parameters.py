"""A class of settings as the parameters of a component, and back.

So the parameters of a component, which ML Metadata shows one by one, are declared once, where the
code that uses them is.
"""

from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from tfx.types.component_spec import ExecutionParameter

from preprocessing.settings import Settings

SettingsT = TypeVar("SettingsT", bound=Settings)

_TYPES = (int, float, str)


def parameters_of(settings: type[Settings]) -> dict[str, ExecutionParameter]:
    """An execution parameter for every field.

    Args:
      settings: its fields are integers, floats and texts, or one of these and None.
    """
    return {
        name: ExecutionParameter(
            type=_type_of(field.annotation), optional=type(None) in get_args(field.annotation)
        )
        for name, field in settings.model_fields.items()
    }


def from_exec_properties(
    settings: type[SettingsT], exec_properties: Mapping[str, Any]
) -> SettingsT:
    """The settings of a node's exec properties; where one is missing, its default."""
    values = {name: exec_properties.get(name) for name in settings.model_fields}
    return settings(**{name: value for name, value in values.items() if value is not None})


def _type_of(annotation: Any) -> type:
    """The type of a field; that of a choice is that of its values."""
    parts = (annotation, *get_args(annotation))
    return next(kind for kind in _TYPES for part in parts if part is kind or type(part) is kind)
