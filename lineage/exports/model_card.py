"""A model card: Markdown with the metadata that Hugging Face reads, beside the served model.

Beside and not in the version's folder: a served model is the trained one, byte for byte. So the
card of the newest version is `README.md` in the folder of the versions, and that of each run lies
with its report.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml

from components.evaluator import verdict
from components.evaluator.metric_names import EXAMPLE_COUNT, TOP_1, TOP_5
from components.evaluator.verdict import Verdict
from lineage.exports import markdown
from lineage.record.parts import Push
from lineage.record.run import Run
from pipeline.config import NOT_IN_A_RUN
from preprocessing.files.new_file import write_text

FILE = "README.md"
# A card has to stay readable; the report has all classes and slices.
MAX_ROWS = 50
_TASK = {"type": "image-classification", "name": "Image Classification"}
_SHOWN_VERSIONS = ("python", "tensorflow", "tfx", "apache-beam", "horovod")
# What Hugging Face takes as the name of a licence.
_LICENSE_ID = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def write(run: Run, folder: Path) -> None:
    """Writes the card of a run's model, if it made one.

    Args:
      run: its record.
      folder: of the run's report.
    """
    if run.model is None or run.dataset is None or run.source is None:
        return
    card = text(run)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / FILE, card)
    for push in run.pushes[-1:]:
        _write_beside(push, card)


def text(run: Run) -> str:
    """The card.

    Args:
      run: the record of a run that made a model.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # the filters escape for Markdown
    )
    environment.filters |= {
        "text": markdown.text,
        "code": markdown.code,
        "number": markdown.number,
        "interval": lambda bounds: verdict.interval(bounds) if bounds else "",
        "slice_name": verdict.slice_name,
    }
    front = yaml.safe_dump(metadata(run), sort_keys=False, allow_unicode=True)
    values = {"metadata": f"---\n{front}---\n", **_values(run)}
    return environment.get_template("model_card.md").render(values)


def metadata(run: Run) -> dict[str, Any]:
    """The metadata at the head of the card."""
    serving = run.settings.get("serving", {})
    told: dict[str, Any] = {}
    if license_name := serving.get("license", ""):
        told |= _license(license_name)
    told |= {
        "pipeline_tag": _TASK["type"],
        "tags": ["image-classification", "efficientnetv2", "tensorflow", "saved-model"],
    }
    if run.evaluation is not None:
        name = serving.get("model_name") or run.run.pipeline
        told["metrics"] = ["accuracy"]
        told["model-index"] = [{"name": name, "results": _results(run)}]
    return told


def _license(name: str) -> dict[str, str]:
    if _LICENSE_ID.fullmatch(name.lower()):
        return {"license": name.lower()}
    link = {"license_link": name} if "://" in name else {}
    return {"license": "other", "license_name": name, **link}


def _results(run: Run) -> list[dict[str, Any]]:
    judged = run.evaluation.verdict
    confidence = judged.get("confidence")
    results = [_result(run, judged.get("metrics", {}), confidence)]
    for entry in judged.get("slices", [])[:MAX_ROWS]:
        results.append(_result(run, entry, confidence, verdict.slice_name(entry["slice"])))
    return [result for result in results if result["metrics"]]


def _result(
    run: Run, figures: Mapping[str, Any], confidence: float | None, part: str = ""
) -> dict[str, Any]:
    """What was measured on all images, or on a slice of them."""
    metrics = []
    for key, kind, name in (
        (TOP_1, "accuracy", "Top-1 accuracy"),
        (TOP_5, "top_5_accuracy", "Top-5 accuracy"),
        ("loss", "loss", "Cross-entropy"),
        ("expected_calibration_error", "ece", "Expected calibration error"),
    ):
        value = figures.get(key)
        if value is not None and math.isfinite(value):
            metric = {"type": kind, "value": value, "name": name}
            if bounds := figures.get(f"{key}_interval"):
                metric["args"] = {"interval": list(bounds), "confidence": confidence}
            metrics.append(metric)
    dataset = {
        "name": Path(run.source.path).name or run.source.path,
        "type": run.source.format or "images",
        **({"config": part} if part else {}),
        "split": "eval",
        "revision": run.dataset.digest,
        "args": {"images": figures.get(EXAMPLE_COUNT)},
    }
    return {"task": dict(_TASK), "dataset": dataset, "metrics": metrics}


def _values(run: Run) -> dict[str, Any]:
    """What the template needs."""
    data, serving = run.settings.get("data", {}), run.settings.get("serving", {})
    trainer = run.settings.get("trainer", {})
    dataset = run.dataset
    return {
        "title": serving.get("model_name") or run.run.pipeline,
        "run_id": run.run.id,
        "said": run.run.said or run.run.state,
        "served": run.pushes[-1] if run.pushes else None,
        "intended_use": serving.get("intended_use", "").strip(),
        "data_description": data.get("description", "").strip(),
        "data_license": data.get("license", ""),
        "source": run.source,
        "dataset": dataset,
        "splits": list(dataset.splits),
        "classes": dataset.classes,
        "seen": dataset.images.get("seen", 0),
        "quarantined": dataset.images.get("quarantined", 0),
        "model": run.model,
        "trainer": trainer,
        "trainer_settings": {k: v for k, v in trainer.items() if k not in NOT_IN_A_RUN},
        "training_line": _training_line(run),
        "commit": (run.code.commit or run.code.digest) if run.code is not None else "unknown",
        "dirty": bool(run.code is not None and run.code.dirty),
        "versions": {n: v for n, v in run.versions.items() if n in _SHOWN_VERSIONS},
        "max_rows": MAX_ROWS,
        "more": _more,
        **_evaluation(run),
    }


def _evaluation(run: Run) -> dict[str, Any]:
    judged = run.evaluation.verdict if run.evaluation is not None else {}
    spots = []
    if "rules" in judged:  # what is known only from the artifact has no more than figures
        known = Verdict.from_values(judged)
        spots = [*known.worst_classes(), *known.worse_slices()]
    metrics = dict.fromkeys((TOP_1, TOP_5, "loss", "expected_calibration_error"))
    intervals = {f"{key}_interval": None for key in (TOP_1, TOP_5)}
    found = judged.get("metrics")
    return {
        "metrics": {**metrics, **intervals, EXAMPLE_COUNT: "some", **found} if found else None,
        "percent": f"{judged.get('confidence', 0.95):.0%}",
        "rules": judged.get("rules", []),
        "slices": judged.get("slices", []),
        "class_figures": judged.get("classes", []),
        "weak_spots": spots,
        "serving_check": run.evaluation.serving_check if run.evaluation is not None else None,
    }


def _training_line(run: Run) -> str:
    told, machine = run.model.training, run.machine
    parts = []
    if "steps" in told:
        parts.append(f"{told['steps']} steps, {told.get('epochs', 0):.4g} epochs")
    if "secs" in told:
        parts.append(f"{told['secs']:.0f} s")
    if machine is not None and run.model.made_in_run in ("", run.run.id):
        processors = machine.gpus or [f"{machine.processor}, {machine.cores} cores"]
        parts.append(f"on {'; '.join(processors)}")
    started = run.model.init_weights
    parts.append(f"from the weights {started}" if started else "from random weights")
    return ", ".join(parts) + "."


def _more(entries: Sequence[Any]) -> str:
    hidden = len(entries) - MAX_ROWS
    return f"\nand {hidden} more: see the report of the run.\n" if hidden > 0 else ""


def _write_beside(push: Push, card: str) -> None:
    """Into the folder of the versions, if it is the newest one that is served there."""
    folder, _, version = push.destination.rstrip("/").rpartition("/")
    path = f"{folder}/{FILE}"
    if "://" not in folder:
        names = [entry.name for entry in Path(folder).iterdir()] if Path(folder).is_dir() else []
        if _is_newest(version, names):
            write_text(Path(path), card)
        return
    from tfx.dsl.io import fileio  # reaches object stores, and brings TensorFlow

    if fileio.isdir(folder) and _is_newest(version, fileio.listdir(folder)):
        with fileio.open(path, "w") as file:
            file.write(card)


def _is_newest(version: str, names: Sequence[str]) -> bool:
    versions = [name.rstrip("/") for name in names]
    numbers = [int(name) for name in versions if name.isascii() and name.isdigit()]
    return version in versions and int(version) == max(numbers, default=-1)
