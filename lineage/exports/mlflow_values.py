"""What MLflow is given of a run: parameters, tags, and metrics by step."""

import datetime
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lineage.making.artifact_files import read_lines
from lineage.making.outputs import Outputs
from lineage.record.flat import flat
from lineage.record.run import Run
from trainer_module.run_files import LOG_FILE

# What MLflow's servers take of a parameter or tag.
MAX_VALUE_CHARS = 5_000
_EVALUATED = ("top_1", "top_5", "loss", "expected_calibration_error", "example_count")
_TRAINED = ("steps", "epochs", "secs", "images_per_sec", "top_1", "top_5")
_NO_METRICS = ("step", "eta_secs", "total_steps", "secs", "stage")
# More lines of a log are not drawn by anybody.
_MAX_LOG_LINES = 100_000

Metric = tuple[str, float, int, int]
"""Key, value, milliseconds since 1970, step."""


def parameters(run: Run, section: str = "") -> dict[str, str]:
    """The resolved config, or a section of it, by whole keys."""
    chosen = {section: run.settings.get(section, {})} if section else run.settings
    found = flat(chosen)
    return {key: _text(value) for key, value in found.items() if _text(value)}


def tags(run: Run) -> dict[str, str]:
    """What became of the run, and where its model is."""
    push = run.pushes[-1] if run.pushes else None
    told = {
        "effnet.run_id": run.run.id,
        "effnet.state": run.run.state,
        "effnet.result": run.run.said,
        "effnet.output_dir": run.run.output_dir,
        "effnet.dataset": run.dataset.digest if run.dataset else "",
        "effnet.dataset_uri": run.dataset.uri if run.dataset else "",
        "effnet.model": run.model.digest if run.model else "",
        "effnet.model_uri": run.model.uri if run.model else "",
        "effnet.pushed_version": push.version if push else "",
        "effnet.pushed_to": push.destination if push else "",
        "effnet.override": push.override.reason if push and push.override else "",
        "mlflow.source.name": "effnet run",
        "mlflow.source.type": "PROJECT",
        "mlflow.source.git.commit": (run.code.commit or "") if run.code else "",
    }
    return {key: value[:MAX_VALUE_CHARS] for key, value in told.items() if value}


def training_tags(run: Run) -> dict[str, str]:
    """What is to be known of the training."""
    made_in = run.model.made_in_run if run.model else ""
    return {"effnet.trained_in_run": made_in} if made_in else {}


def metrics(run: Run, time: datetime.datetime) -> list[Metric]:
    """What the gate measured, and counts of images.

    Args:
      run: the record.
      time: when it ended.
    """
    judged = run.evaluation.verdict.get("metrics", {}) if run.evaluation else {}
    found: dict[str, Any] = {key: judged.get(key) for key in _EVALUATED}
    for key in ("top_1", "top_5"):
        low, high = judged.get(f"{key}_interval") or (None, None)
        found |= {f"{key}_low": low, f"{key}_high": high}
    if run.dataset is not None:
        found |= {f"images_{key}": count for key, count in run.dataset.images.items()}
    return list(_finite(found, _ms(time), 0))


def training_metrics(run: Run, begun: datetime.datetime) -> list[Metric]:
    """The log of the training, by step, and its summary.

    Args:
      run: the record.
      begun: when the training began.
    """
    trained = Outputs(run.nodes, run.artifacts).artifact("HorovodTrainer", "model_run")
    found: list[Metric] = []
    if trained is not None:
        for entry in read_lines(trained.uri, LOG_FILE, _MAX_LOG_LINES):
            if "step" in entry:
                told = {k: v for k, v in entry.items() if k not in _NO_METRICS}
                time = _ms(begun) + round(1000 * entry.get("secs", 0))
                found += _finite(told, time, entry["step"])
    if run.model is not None:
        summary = {f"final_{key}": run.model.training.get(key) for key in _TRAINED}
        last = max((step for _, _, _, step in found), default=0)
        found += _finite(summary, _ms(run.run.ended or begun), last)
    return found


def files(report: Path) -> Iterator[Path]:
    """The files of a run's report that go to the server."""
    return (path for path in sorted(report.iterdir()) if path.is_file())


def _finite(values: Mapping[str, Any], time_ms: int, step: int) -> Iterator[Metric]:
    for key, value in values.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and math.isfinite(value):
            yield key, float(value), time_ms, step


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:MAX_VALUE_CHARS]


def _ms(time: datetime.datetime) -> int:
    return round(time.timestamp() * 1000)
