"""Typed settings: a base class, and a reader whose errors are one line a person can act on."""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import pydantic

from preprocessing.errors import InputError


def _from_yaml_number(value: Any) -> Any:
    # YAML 1.1 reads `2e-3` (no dot) as a string; a person means a number.
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Float = Annotated[float, pydantic.BeforeValidator(_from_yaml_number)]


class Settings(pydantic.BaseModel):
    """Base of every section: immutable, strict types, no unknown keys, docstrings as help."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


SettingsT = TypeVar("SettingsT", bound=Settings)


def read_settings(cls: type[SettingsT], values: Mapping[str, Any], source: str) -> SettingsT:
    """Makes a `cls` of nested `values`.

    Args:
      cls: the settings class.
      values: keys and values as YAML or flags give them.
      source: what the values came from (a file name, 'command line'), for the message.

    Raises:
      InputError: an unknown key, a wrong type or an impossible value; one line that names the
        key, the value, and the closest valid key or the rule.
    """
    try:
        return cls.model_validate(dict(values))
    except pydantic.ValidationError as error:
        # A default that follows from a wrong value is no second mistake.
        details = [
            detail
            for detail in error.errors(include_url=False)
            if detail["type"] != "default_factory_not_called"
        ]
        more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
        raise InputError(f"{source}: {_one_line(cls, details[0])}{more}") from None


def _one_line(cls: type[Settings], detail: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        section, _, unknown = key.rpartition(".")
        valid = _field_names(cls, section)
        close = difflib.get_close_matches(unknown, valid, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"valid keys: {', '.join(valid)}"
        where = f" in section {section!r}" if section else ""
        return f"unknown key {unknown!r}{where} (value {detail['input']!r}); {hint}"
    rule = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "missing":
        return f"{key}: {rule}"
    if isinstance(detail["input"], Mapping) and detail["type"] == "value_error":
        return f"{key}: {rule}" if key else rule  # a rule over several keys names them itself
    return f"{key}: {rule}. Received: {detail['input']!r}"


def _field_names(cls: type[Settings], section: str) -> list[str]:
    for part in filter(None, section.split(".")):
        annotation = cls.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, Settings)):
            return []
        cls = annotation
    return list(cls.model_fields)
