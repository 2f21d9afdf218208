"""What became of the nodes, and how long they took."""

from typing import Any

from pipeline.report.reported_run import ReportedRun


def view(run: ReportedRun) -> dict[str, Any]:
    """Values of the template."""
    nodes = run.summary["nodes"]
    return {"nodes": nodes, "total_secs": sum(node["secs"] for node in nodes)}
