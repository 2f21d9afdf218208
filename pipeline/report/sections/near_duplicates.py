"""Evaluation images that look like training images, in pairs."""

import itertools
import json
from typing import Any

from pipeline.report import pictures
from pipeline.report.reported_run import ReportedRun
from preprocessing import features

MAX_PAIRS = 12


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where there are none."""
    folder = run.quarantine_folder
    path = folder / features.NEAR_DUPLICATES_FILE if folder is not None else None
    if path is None or not path.exists():
        return None
    with path.open(encoding="utf-8") as lines:
        pairs = [json.loads(line) for line in itertools.islice(lines, MAX_PAIRS)]
        hidden = sum(1 for _ in lines)
    if not pairs:
        return None
    both = [pair[side] for pair in pairs for side in ("eval", "train")]
    shown = pictures.with_images(run.dataset, both, run.config.preprocessing)
    return {"pairs": list(zip(shown[::2], shown[1::2], strict=True)), "hidden": hidden}
