"""What became of the nodes, how long they took, and how much memory."""

from typing import Any

from pipeline.report.reported_run import ReportedRun


def view(run: ReportedRun) -> dict[str, Any]:
    """Values of the template."""
    peaks_mb = {result.id: result.peak_memory_mb for result in run.results}
    nodes = [{**n, "peak_memory_mb": peaks_mb.get(n["id"])} for n in run.summary["nodes"]]
    return {
        "nodes": nodes,
        "total_secs": sum(node["secs"] for node in nodes),
        "most_mb": max((node["peak_memory_mb"] or 0 for node in nodes), default=0),
    }
