"""Typed settings: a base class, and a reader whose errors are one line a person can act on."""

import difflib
import enum
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import pydantic

from preprocessing.errors import InputError
from preprocessing.text import without_passwords
from preprocessing.yaml_values import in_yaml


def _from_yaml_number(value: Any) -> Any:
    # YAML 1.1 reads `2e-3` (no dot) as a string; a person means a number.
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Float = Annotated[float, pydantic.BeforeValidator(_from_yaml_number)]


class Mark(enum.Enum):
    """Says something of a setting where it is declared, as in `Annotated[int, Effect.JOB]`.

    The value is the word that help and documentation use; subclasses have the members.
    """


# What TensorFlow, numpy and ML Metadata take as a whole number.
MAX_INT = 2**63 - 1


class Settings(pydantic.BaseModel):
    """Base of every section: immutable, strict types, no unknown keys, docstrings as help."""

    model_config = pydantic.ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    @pydantic.field_validator("*")
    @classmethod
    def _fits_in_64_bits(cls, value: Any) -> Any:
        if isinstance(value, int) and not -MAX_INT <= value <= MAX_INT:
            raise ValueError(f"must be {MAX_INT} or less")
        return value


# A value that a person gave for another one may be a whole file.
MAX_SHOWN_CHARS = 200

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


# By pydantic's types of errors; what stands in braces is the error's context.
_RULES = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text; put a number, a date, yes or no in quotes",
    "list_type": "must be a list, as in [a, b]",
    "dict_type": "must be a section with keys of its own",
    "model_type": "must be a section with keys of its own",
    "missing": "must be set; it has no default",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must match the pattern {pattern}",
}


def _one_line(cls: type[Settings], detail: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        section, _, unknown = key.rpartition(".")
        valid = _field_names(cls, section)
        close = difflib.get_close_matches(unknown, valid, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"valid keys: {', '.join(valid)}"
        where = f" in section {section!r}" if section else ""
        return f"unknown key {unknown!r}{where} (value {_shown(detail['input'])}); {hint}"
    rule = _RULES.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    bounds = detail.get("ctx", {}).items()
    rule = rule.format(**{k: f"{v:g}" if isinstance(v, float) else v for k, v in bounds})
    if detail["type"] == "missing":
        return f"{key}: {rule}"
    if isinstance(detail["input"], Mapping) and detail["type"] == "value_error":
        return f"{key}: {rule}" if key else rule  # a rule over several keys names them itself
    if "Received: " in rule:
        return f"{key}: {rule}"
    return f"{key}: {rule}. Received: {_shown(detail['input'])}"


def _shown(value: Any) -> str:
    text = without_passwords(in_yaml(value))
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}..."


def _field_names(cls: type[Settings], section: str) -> list[str]:
    for part in filter(None, section.split(".")):
        annotation = cls.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, Settings)):
            return []
        cls = annotation
    return list(cls.model_fields)
