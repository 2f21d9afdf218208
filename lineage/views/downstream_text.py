"""What was made from a thing, as text and as JSON."""

from typing import Any

from lineage.images.downstream import Downstream
from lineage.reading import finding
from lineage.views import runs_table
from lineage.views.image_text import uses_json, uses_text


def text(found: Downstream) -> str:
    """What depends on a corpus, dataset or model."""
    lines = [f"{found.kind} {found.digest or 'of unknown digest'}"]
    if found.datasets:
        lines += ["", "datasets made from it", *(f"  {digest}" for digest in found.datasets)]
    if found.models:
        title = "models that started from it" if found.kind == finding.MODEL else "models"
        lines += ["", title, uses_text(found.models)]
    elif found.kind != finding.MODEL:
        lines += ["", "no model was trained or evaluated on it"]
    if found.baseline_of:
        lines += ["", f"the baseline in run {', '.join(found.baseline_of)}"]
    if found.runs:
        lines += ["", "runs", runs_table.text(found.runs)]
    return "\n".join(lines)


def as_json(found: Downstream) -> dict[str, Any]:
    """The same as an object."""
    return {
        "kind": found.kind,
        "digest": found.digest,
        "datasets": list(found.datasets),
        "models": uses_json(found.models),
        "baseline_of": list(found.baseline_of),
        "runs": [line.model_dump(mode="json") for line in found.runs],
    }
