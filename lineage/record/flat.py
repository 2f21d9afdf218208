"""The settings of a run, and other nested values, as a flat list."""

from collections.abc import Mapping
from typing import Any


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested values by their whole keys, as in `trainer.max_epochs`.

    Args:
      values: by section.
      above: what all keys begin with.
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = value
    return found
