"""What a run keeps for its comparison with others, in a file that a page can load.

`reports/<run>/compare.js`: a page that was opened from a disk may load scripts from there, and
nothing else; and of thousands of runs, the page of a comparison needs two.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from lineage.compare import facts
from lineage.record.run import Run
from lineage.views import words
from pipeline import output_dir as folders
from preprocessing.files.new_file import write_text

FILE = "compare.js"
# More are not compared in a page, but by `effnet runs --compare`.
MAX_CLASSES = 5_000
_DIGEST_CHARS = 12


def write(run: Run, output_dir: Path) -> None:
    """Writes the file of a run into the folder of its report, if it has one."""
    folder = folders.report_dir(output_dir, run.run.id)
    if folder.is_dir():
        text = json.dumps(kept(run), ensure_ascii=True)
        write_text(folder / FILE, f"keptRun({text});\n")


def kept(run: Run) -> dict[str, Any]:
    """What the page shows and compares of a run."""
    line = run.line()
    values = dataclasses.asdict(facts.of(run))
    values["files"] = {name: digest[:_DIGEST_CHARS] for name, digest in values["files"].items()}
    too_many = len(values["recalls"]) > MAX_CLASSES or len(values["classes"]) > 3 * MAX_CLASSES
    if too_many:
        values |= {"recalls": {}, "classes": {}}
    return {
        "id": line.id,
        "started": line.started.isoformat(),
        "runs": {
            "state": words.state(line.state),
            "verdict": words.verdict(line),
            "pushed": words.pushed(line.pushes),
        },
        "top_1": line.top_1,
        "top_1_low": line.top_1_low,
        "top_1_high": line.top_1_high,
        "said": line.said,
        "dataset": line.dataset,
        "model": line.model,
        "baseline": line.baseline,
        "change": _change(run),
        "too_many_classes": too_many,
        **values,
    }


def _change(run: Run) -> dict[str, Any] | None:
    """The gate's own test against the baseline, on the images of the evaluation."""
    verdict = run.evaluation.verdict if run.evaluation is not None else {}
    change = verdict.get("change", {}).get("top_1")
    return {**change, "images": verdict["metrics"]["example_count"]} if change else None
