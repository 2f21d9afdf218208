"""Config files: reading them with overrides, and writing down what was resolved."""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline import store_uri
from pipeline.config import PipelineConfig
from preprocessing.errors import InputError
from preprocessing.settings import read_settings
from preprocessing.yaml_values import in_yaml, parse

_MAY_HOLD_PASSWORDS = ("pipeline", "pipeline.metadata_uri")


def load(path: str | Path, overrides: Iterable[str] = ()) -> PipelineConfig:
    """Reads a config file, applies `key=value` overrides and validates the result.

    Args:
      path: YAML file with the sections of `PipelineConfig`.
      overrides: strings such as `trainer.max_epochs=3`; the value is read as YAML.

    Raises:
      InputError: the file is missing or does not consist of sections, an override has no `=`, or
        a key or value is refused; an override with a password is.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a UTF-8 text file"
        raise InputError(f"config {path}: cannot be read: {reason}") from None
    values = parse(text, f"config {path}")
    if not isinstance(values, Mapping):
        raise InputError(
            f"config {path}: must consist of sections "
            f"({', '.join(PipelineConfig.model_fields)}). Received: {in_yaml(values)[:80]}"
        )
    # A section of which every line is a comment has the defaults.
    values = {key: {} if value is None else value for key, value in values.items()}
    values = functools.reduce(_with_override, overrides, values)
    return read_settings(PipelineConfig, values, f"config {path}")


def dump(config: PipelineConfig) -> str:
    """The resolved config as YAML, every default written out, for people to keep.

    `load` reads it back; only a password in `pipeline.metadata_uri` is masked.
    """
    values = config.model_dump(mode="json")
    values["pipeline"]["metadata_uri"] = store_uri.masked(config.pipeline.metadata_uri)
    return yaml.safe_dump(values, sort_keys=False)


def _with_override(values: dict[str, Any], override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    parts = key.split(".")
    if not equals or not all(parts):
        raise InputError(
            f"--set takes key=value, as in trainer.max_epochs=3. Received: {override!r}"
        )
    if key in _MAY_HOLD_PASSWORDS:
        store_uri.refuse_password(text, f"--set {key}")
    result = dict(values)
    section = result
    for part in parts[:-1]:
        inner = section.get(part, {})
        if not isinstance(inner, Mapping):
            raise InputError(f"--set {override}: {part!r} is a value, not a section")
        section[part] = section = dict(inner)
    section[parts[-1]] = parse(text, f"--set {override}")
    return result
