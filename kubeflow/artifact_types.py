"""Types of artifacts by the titles that a compiled pipeline has for them.

TFX has titles for its own types; to others it gives their TYPE_NAME, which must then be of the
form `<namespace>.<Name>`. Those of ours are not, and are in ML Metadata as they are.
"""

import yaml
from tfx import types
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.kubeflow.v2 import compiler_utils

from components import artifacts
from preprocessing.errors import InputError

_NAMESPACE = "effnet."
_OWN = {f"{_NAMESPACE}{cls.TYPE_NAME}": cls for cls in (artifacts.Quarantine, artifacts.Verdict)}


def give_titles(pipeline: tfx_pipeline.Pipeline) -> None:
    """Makes TFX write titles for types of ours in the outputs and inputs of a pipeline's nodes."""
    titles = {cls: title for title, cls in _OWN.items()}
    for node in pipeline.components:
        for channel in (*node.outputs.values(), *node.inputs.values()):
            if channel.type in titles:
                title = titles[channel.type]
                channel.type = type(channel.type.__name__, (channel.type,), {"TYPE_NAME": title})


def class_path(schema: str) -> str:
    """The dotted name of the class that an `instanceSchema` means.

    Args:
      schema: YAML with a `title`.

    Raises:
      InputError: it has no title.
    """
    title = (yaml.safe_load(schema) or {}).get("title")
    if not title:
        raise InputError(f"an artifact's schema must have a title. Received: {schema[:80]!r}")
    if title in _OWN:
        cls: type[types.Artifact] = _OWN[title]
        return f"{cls.__module__}.{cls.__qualname__}"
    return compiler_utils.TITLE_TO_CLASS_PATH.get(title, title)
