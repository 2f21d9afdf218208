"""The pages of an output folder: all runs, and the comparison of any two of them.

    reports/index.html      all runs, and the datasets with theirs
    reports/compare.html    what differs between the two that stand in its address

Both need no server: what a run has to say in a comparison is in its folder (`kept.py`).
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lineage.pages import kept, top_1_chart
from lineage.reading.from_files import FileRuns
from lineage.record import files
from lineage.record.run import Run, RunLine
from lineage.views import words
from pipeline import output_dir as folders
from pipeline.report import assets
from preprocessing.errors import InputError
from preprocessing.files.new_file import write_text

INDEX_FILE, COMPARE_FILE = "index.html", "compare.html"
# The newest ones; `effnet runs` lists all. Some 250 bytes each.
MAX_RUNS = 5_000
MAX_DRAWN = 1_000
# Runs of before get their file as well, but no run waits long for that.
_MAX_KEPT_LATER = 200
_TEMPLATES = Path(__file__).with_name("templates")


def write(run: Run, output_dir: Path) -> None:
    """Writes the pages again, with what a run has to say in a comparison.

    Args:
      run: the record of the run that has ended, or that was added to.
      output_dir: its output folder, which has that record as a file too.
    """
    kept.write(run, output_dir)
    source = FileRuns(output_dir / folders.ARTIFACTS_FOLDER / files.FOLDER, output_dir)
    # Its own file may not say yet how it ended, where ML Metadata was away.
    lines = [run.line() if line.id == run.run.id else line for line in source.lines()]
    reports = output_dir / folders.REPORTS_FOLDER
    reports.mkdir(parents=True, exist_ok=True)  # a person may have removed it
    _keep_of_before(lines, output_dir)
    write_text(reports / INDEX_FILE, index_page(lines, reports))
    write_text(reports / COMPARE_FILE, compare_page())


def index_page(lines: Sequence[RunLine], reports: Path) -> str:
    """The page of all runs.

    Args:
      lines: of all runs, the newest first.
      reports: the folder of the page.
    """
    shown = lines[:MAX_RUNS]
    rows = [_row(line, reports) for line in shown]
    values = {
        "folder": str(reports.parent),
        "rows": rows,
        "datasets": _datasets(shown),
        "hidden": len(lines) - len(shown),
        "sentence": _sentence(lines),
        "chart": top_1_chart.chart(shown[:MAX_DRAWN]),
        "not_drawn": max(len(shown) - MAX_DRAWN, 0),
        "style": assets.style([_TEMPLATES / "all_runs.css"]),
        "libraries": assets.libraries(assets.CHART_LIBRARIES),
        "scripts": assets.scripts(
            [assets.TEMPLATES / "script" / "charts.js", _TEMPLATES / "all_runs.js"]
        ),
    }
    return assets.environment(_TEMPLATES).get_template("all_runs.html").render(values)


def compare_page() -> str:
    """The page that compares the two runs in its address."""
    values = {
        "style": assets.style([_TEMPLATES / "compare.css"]),
        "libraries": [],
        "scripts": assets.scripts([_TEMPLATES / "compare.js"]),
    }
    return assets.environment(_TEMPLATES).get_template("compare.html").render(values)


def _keep_of_before(lines: Sequence[RunLine], output_dir: Path) -> None:
    """Writes what runs of earlier versions did not keep."""
    missing = [
        line.id
        for line in lines
        if folders.report_dir(output_dir, line.id).is_dir()
        and not (folders.report_dir(output_dir, line.id) / kept.FILE).exists()
    ]
    for run_id in missing[:_MAX_KEPT_LATER]:
        path = files.path_of(output_dir / folders.ARTIFACTS_FOLDER, run_id)
        try:
            kept.write(files.read(path), output_dir)
        except InputError as error:  # its line in the table says as much as can be said
            logging.warning("%s", error)


def _row(line: RunLine, reports: Path) -> dict[str, Any]:
    """What the table has of a run; texts are those of `effnet runs`."""
    folder = reports / line.id
    return {
        "id": line.id,
        "started": line.started.isoformat(),
        "state": words.state(line.state),
        "secs": line.secs,
        "duration": words.duration(line.secs),
        "images": line.images,
        "top_1": line.top_1,
        "low": line.top_1_low,
        "high": line.top_1_high,
        "verdict": words.verdict(line),
        "pushed": words.pushed(line.pushes),
        "dataset": line.dataset[: words.SHORT_DIGEST],
        "page": (folder / "index.html").exists(),
        "kept": (folder / kept.FILE).exists(),
    }


def _datasets(lines: Sequence[RunLine]) -> list[dict[str, Any]]:
    """Each dataset with its runs, that of the newest run first."""
    members: dict[str, list[RunLine]] = {}
    for line in lines:
        if line.dataset:
            members.setdefault(line.dataset[: words.SHORT_DIGEST], []).append(line)
    return [
        {
            "digest": digest,
            "images": max((line.images or 0 for line in of), default=0),
            "runs": len(of),
            "best": max((line.top_1 for line in of if line.top_1 is not None), default=None),
            "newest": of[0].id,
            "oldest": of[-1].id,
        }
        for digest, of in members.items()
    ]


def _sentence(lines: Sequence[RunLine]) -> str:
    """How it stands, in plain words."""
    if not lines:
        return "There is no run yet."
    newest = lines[0]
    text = f"{words.counted(len(lines), 'run')}; the newest one, {newest.id}, "
    if newest.state == "pushed":
        text += f"is served as version {words.pushed(newest.pushes)}."
    else:
        text += f"is not served: {words.state(newest.state)}."
    pushed = next((line for line in lines if line.pushes), None)
    if pushed is not None and pushed is not newest:
        text += (
            f" The last one that was pushed is {pushed.id}, version {pushed.pushes[-1].version}."
        )
    return text
