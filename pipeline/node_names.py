"""The nodes of the pipeline by name, for what is checked before TFX is imported."""

import difflib

from preprocessing.errors import InputError

# In the order of the data, as in pipeline/pipeline.py.
NODE_NAMES = (
    "ImageExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "ImagePreprocessor",
    "HorovodTrainer",
    "LatestBlessedModel",
    "Evaluator",
    "ServingValidator",
    "Pusher",
)


def problem(name: str) -> str | None:
    """Says what a person may have meant, None where `name` is that of a node."""
    if name in NODE_NAMES:
        return None
    by_lower = {node.lower(): node for node in NODE_NAMES}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    if close:
        return f"{name!r} is none, did you mean {by_lower[close[0]]!r}?"
    return f"{name!r} is none of {', '.join(NODE_NAMES)}"


def check(name: str | None, option: str) -> None:
    """Raises an InputError if `name`, given for `option`, is there and not that of a node."""
    text = problem(name) if name is not None else None
    if text:
        raise InputError(f"{option} takes the name of a node; {text}")
