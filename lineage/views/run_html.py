"""A run as a page: where its model came from and where it went, with pictures."""

import json
from pathlib import Path
from typing import Any

from components.evaluator import mistakes
from lineage.making.artifact_files import read_lines
from lineage.record.run import Run
from lineage.views import html, run_text, words
from pipeline.report import pictures

MAX_MISTAKES = 24
MAX_QUARANTINE_ROWS = 100
MAX_QUARANTINED = 24
# They are shown as tables.
_AS_TABLES = ("settings", "nodes")


def page(run: Run) -> str:
    """The lineage of a run, a section for each question."""
    blocks = {
        name: list(lines) for name, lines in run_text.blocks(run).items() if name not in _AS_TABLES
    }
    return html.render(
        "lineage_run.html",
        {
            "run": run,
            "line": run.line(),
            "words": words,
            "blocks": {name: lines for name, lines in blocks.items() if lines},
            "settings": [(k, _said(v)) for k, v in run_text.not_default(run.settings)],
            **_mistakes(run),
            **_quarantine(run),
        },
    )


def _mistakes(run: Run) -> dict[str, Any]:
    path = run.evaluation.predictions if run.evaluation is not None else ""
    if not path or not Path(path).is_file():
        return {"mistakes": [], "count": 0}
    rows, count = mistakes.most_confident(path, MAX_MISTAKES)
    shown = pictures.with_images(html.dataset_folder(run), rows, html.picture_options(run))
    return {"mistakes": shown, "count": count}


def _quarantine(run: Run) -> dict[str, Any]:
    listed = run.dataset.quarantine if run.dataset is not None else None
    if listed is None or not listed.images:
        return {"quarantine": [], "hidden_quarantine": 0, "has_images": False}
    path = Path(listed.file)
    rows = read_lines(str(path.parent), path.name, MAX_QUARANTINE_ROWS)
    rows = rows or [{**row.model_dump(), "class": "", "bytes": ""} for row in listed.first]
    source = _source_records(run)
    shown = pictures.of_quarantine(source, rows, html.picture_options(run), MAX_QUARANTINED)
    return {
        "quarantine": shown,
        "hidden_quarantine": max(listed.images - len(shown), 0),
        "has_images": any(row["image"] for row in shown),
    }


def _source_records(run: Run) -> Path | None:
    wanted = run.source.artifact_id if run.source is not None else None
    found = [artifact.uri for artifact in run.artifacts if artifact.id == wanted]
    return Path(found[0]) if found else None


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
