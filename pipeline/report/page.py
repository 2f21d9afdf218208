"""The page of a run: one HTML file that needs nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from pipeline.config import PipelineConfig
from pipeline.node_result import NodeResult
from pipeline.report.registry import SECTIONS
from pipeline.report.reported_run import ReportedRun
from preprocessing.files.new_file import write_text

_TEMPLATES = Path(__file__).with_name("templates")


def write(
    page: Path, config: PipelineConfig, summary: dict[str, Any], results: Sequence[NodeResult]
) -> None:
    """Writes the page. What a failed run did not get to is left out.

    Args:
      page: the HTML file.
      config: the resolved config.
      summary: as in `summary.json`.
      results: what became of the nodes.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    values = {
        "summary": summary,
        "model_name": config.serving.model_name,
        "total_secs": sum(node["secs"] for node in summary["nodes"]),
        "style": markupsafe.Markup(_style()),
        "sections": _sections(environment, ReportedRun(config, summary, results)),
    }
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, environment.get_template("page.html").render(values))


def _sections(environment: jinja2.Environment, run: ReportedRun) -> list[dict[str, Any]]:
    """Name, title and body of each section that has something to show."""
    shown = []
    for section in SECTIONS:
        values = section.view(run)
        if values:
            template = environment.get_template(f"sections/{section.name}.html")
            body = markupsafe.Markup(template.render(values))
            shown.append({"name": section.name, "title": section.title, "body": body})
    return shown


def _style() -> str:
    """The style of the page, and what sections add to it."""
    own = [_TEMPLATES / "sections" / f"{section.name}.css" for section in SECTIONS]
    files = [_TEMPLATES / "page.css", *(file for file in own if file.exists())]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)
