"""A file of `effnet compile`, and the parameters with which it runs."""

import difflib
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from kubeflow import checks
from pipeline.kubeflow_config import ROOT_SCHEMES
from preprocessing.errors import InputError
from preprocessing.yaml_values import in_yaml, parse

_LARGEST = 2**53
_KINDS = {
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "STRING": "text",
    "BOOLEAN": "true or false",
    "LIST": "a list",
    "STRUCT": "a mapping",
}


class PipelineFile(NamedTuple):
    """What a file holds.

    Attributes:
      pipeline: the pipeline document.
      platform: the platform document.
    """

    pipeline: dict[str, Any]
    platform: dict[str, Any]

    @property
    def name(self) -> str:
        """The pipeline's."""
        return self.pipeline["pipelineInfo"]["name"]

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of its steps, in their order."""
        return tuple(self.pipeline["root"]["dag"]["tasks"])

    @property
    def spec(self) -> dict[str, Any]:
        """Both documents, as the API takes them."""
        return {"pipeline_spec": self.pipeline, "platform_spec": self.platform}

    def parameters(self, given: Iterable[str]) -> dict[str, Any]:
        """The values of parameters.

        Args:
          given: `name=value` for each.

        Raises:
          InputError: one is not the pipeline's, stands twice, or has a value of another type.
        """
        definitions = self.pipeline["root"].get("inputDefinitions", {}).get("parameters", {})
        values: dict[str, Any] = {}
        for text in given:
            name, equals, value = text.partition("=")
            if not equals:
                raise InputError(f"--param must be NAME=VALUE. Received: {text!r}")
            if name not in definitions:
                raise _unknown(name, tuple(definitions))
            if name in values:
                raise InputError(f"--param must give each parameter once. Received: {name!r} twice")
            values[name] = _value(name, value, definitions[name]["parameterType"])
        return values

    def root(self, given: str | None) -> str:
        """The folder of a run's artifacts; empty for the cluster's default.

        Raises:
          InputError: what is given is none.
        """
        if given is not None and not given.startswith(ROOT_SCHEMES):
            raise InputError(
                f"--pipeline_root must begin with {', '.join(ROOT_SCHEMES)}. Received: {given!r}"
            )
        # The backend does not look at what the file says.
        return given or self.pipeline.get("defaultPipelineRoot", "")


def read(path: Path) -> PipelineFile:
    """Reads a file.

    Raises:
      InputError: it cannot be read, or is none that a backend would run; one line.
    """
    try:
        documents = list(yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader))
    except OSError as error:
        raise InputError(f"pipeline file {path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise InputError(
            f"pipeline file {path} is not YAML; write it with `effnet compile`"
        ) from None
    is_one = len(documents) == 2 and all(isinstance(document, dict) for document in documents)
    if not is_one or "pipelineInfo" not in documents[0] or "platforms" not in documents[1]:
        raise InputError(
            f"{path} must be a file of `effnet compile`: the pipeline and the platform document"
        )
    try:
        checks.check(*documents)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} lacks something ({error}); write it with `effnet compile`"
        ) from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return PipelineFile(*documents)


def _unknown(name: str, known: tuple[str, ...]) -> InputError:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return InputError(
        f"--param must name a parameter of the pipeline ({', '.join(known) or 'it has none'}). "
        f"Received: {name!r}{hint} Everything else is set when compiling: `effnet compile --set`"
    )


def _value(name: str, text: str, kind: str) -> Any:
    if kind == "STRING":
        return text
    value = parse(text, f"--param {name}")
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    fits = {
        "NUMBER_INTEGER": is_whole and abs(value) < _LARGEST,
        "NUMBER_DOUBLE": is_whole or (isinstance(value, float) and math.isfinite(value)),
        "BOOLEAN": isinstance(value, bool),
        "LIST": isinstance(value, list),
        "STRUCT": isinstance(value, dict),
    }
    if not fits.get(kind, False):
        raise InputError(
            f"--param {name} must be {_KINDS.get(kind, kind)}. Received: {in_yaml(value)}"
        )
    return float(value) if kind == "NUMBER_DOUBLE" else value
