"""The page of a run: one HTML file that needs nothing else, and stays small."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from pipeline.config import PipelineConfig
from pipeline.node_result import NodeResult
from pipeline.report import assets, node_details
from pipeline.report.registry import SECTIONS
from pipeline.report.reported_run import ReportedRun
from pipeline.report.sentence import sentence
from preprocessing.files.new_file import write_text

# 10^6 bytes; the libraries and what is always there take one of them.
MAX_MB = 5.0
_LIBRARIES = (*assets.CHART_LIBRARIES, assets.DAGRE)


def write(
    page: Path,
    config: PipelineConfig,
    summary: dict[str, Any],
    results: Sequence[NodeResult],
    log_dir: Path | None = None,
) -> None:
    """Writes the page, and `nodes.json` beside it. What a failed run did not get to is left out.

    Args:
      page: the HTML file.
      config: the resolved config.
      summary: as in `summary.json`.
      results: what became of the nodes.
      log_dir: folder of the logs, one `<node id>.log` each; None: they are not shown.
    """
    environment = assets.environment()
    run = ReportedRun(config, summary, results, log_dir)
    text = _fitting(environment, run, _sections(environment, run))
    page.parent.mkdir(parents=True, exist_ok=True)
    node_details.write(page.parent, results)
    write_text(page, text)


def _fitting(
    environment: jinja2.Environment, run: ReportedRun, sections: list[dict[str, Any]]
) -> str:
    """The page, without the largest sections if it would be too large with them.

    The bounds of each section leave room; this holds for what they did not foresee.
    """
    text = _render(environment, run, sections)
    by_size = sorted(sections, key=lambda section: len(section["body"]), reverse=True)
    for section in by_size:
        if len(text.encode()) <= MAX_MB * 1e6:
            break
        said = f"Left out, since the page would have more than {MAX_MB:g} MB with it."
        section |= {"body": markupsafe.escape(said), "left_out": True}
        text = _render(environment, run, sections)
    return text


def _render(
    environment: jinja2.Environment, run: ReportedRun, sections: Sequence[dict[str, Any]]
) -> str:
    folder = assets.TEMPLATES / "sections"
    own = [folder / f"{section['name']}.js" for section in sections if not section["left_out"]]
    values = {
        "summary": run.summary,
        "sentence": sentence(run),
        "model_name": run.config.serving.model_name,
        "total_secs": sum(node["secs"] for node in run.summary["nodes"]),
        "sections": sections,
        "style": assets.style(folder / f"{section['name']}.css" for section in sections),
        "libraries": assets.libraries(_LIBRARIES),
        "scripts": assets.scripts([assets.TEMPLATES / "script" / "charts.js", *own]),
    }
    return environment.get_template("page.html").render(values)


def _sections(environment: jinja2.Environment, run: ReportedRun) -> list[dict[str, Any]]:
    """Name, title and body of each section that has something to show."""
    shown = []
    for section in SECTIONS:
        values = section.view(run)
        if values:
            template = environment.get_template(f"sections/{section.name}.html")
            body = markupsafe.Markup(template.render(values))
            shown.append(
                {"name": section.name, "title": section.title, "body": body, "left_out": False}
            )
    return shown
