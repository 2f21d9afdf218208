"""The graph of the run: its nodes, what they read and made, and the way from data to model."""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.node_result import NodeResult
from pipeline.report.reported_run import ReportedRun

# The ends of the way, beside the nodes.
DATA, SERVED = "data", "served"
# Of a node. The page has to stay small; the logs and ML Metadata have all.
MAX_SETTINGS = 100
MAX_TEXT_CHARS = 400
LOG_LINES, LOG_CHARS = 40, 6000
_LAST_NODE = "Pusher"
# By these inputs, the first of them that a node has, the way goes back from the Pusher to the data.
_WAY = ("model", "examples")
# Colours of a terminal, and control characters.
_NOT_PRINTED = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where the nodes do not say how they hang together."""
    results = {result.id: result for result in run.results}
    if not any(result.after for result in run.results):
        return None
    way = _way(results)
    nodes = [_node(result, results, run.log_dir) for result in run.results]
    edges = list(_edges(results))
    path = run.config.data.path
    first = way[0] if way else run.results[0].id
    nodes.insert(0, {"id": DATA, "kind": DATA, "title": Path(path).name, "text": _short(path)})
    edges.insert(0, {"from": DATA, "to": first, "text": ""})
    way.insert(0, DATA)
    served = run.summary["pushed_to"]
    if served and _LAST_NODE in results:
        version = Path(served).name
        nodes.append(
            {"id": SERVED, "kind": SERVED, "title": f"version {version}", "text": _short(served)}
        )
        edges.append({"from": _LAST_NODE, "to": SERVED, "text": ""})
        way.append(SERVED)
    graph = {"nodes": nodes, "edges": edges, "way": way, "start": _start(run, way)}
    return {"graph": graph, "states": list(dict.fromkeys(r.state for r in run.results))}


def _start(run: ReportedRun, way: list[str]) -> str:
    """What a person wants to see first: what failed, else where the model was made."""
    failed = [result.id for result in run.results if result.state == "failed"]
    made = [result.id for result in run.results if "model" in result.outputs]
    return (failed or made or [way[-1]])[0]


def _way(results: Mapping[str, NodeResult]) -> list[str]:
    """The nodes on the way from the data to the Pusher; none where there is no such way."""
    way: list[str] = []
    node: str | None = _LAST_NODE if _LAST_NODE in results else None
    while node is not None and node not in way:
        way.insert(0, node)
        sources = results[node].sources
        found = [sources[key][0][0] for key in _WAY if sources.get(key)]
        node = found[0] if found and found[0] in results else None
    return way if len(way) > 1 else []


def _edges(results: Mapping[str, NodeResult]) -> Iterator[dict[str, str]]:
    """An edge for each pair of nodes of which one gives the other something, or goes before it."""
    for result in results.values():
        for before in result.after:
            keys = [
                key
                for key, found in result.sources.items()
                if any(node == before for node, _ in found)
            ]
            if before in results:
                yield {"from": before, "to": result.id, "text": ", ".join(keys)}


def _node(
    result: NodeResult, results: Mapping[str, NodeResult], log_dir: Path | None
) -> dict[str, Any]:
    return {
        "id": result.id,
        "kind": "node",
        "state": result.state,
        "why": _short(result.why),
        "secs": round(result.secs, 1),
        "peak_memory_mb": result.peak_memory_mb,
        "inputs": list(_inputs(result, results)),
        "outputs": [
            {"key": key, "uri": _short(artifact.uri)} for key, artifact in result.outputs.items()
        ],
        "settings": _settings(result.settings),
        "log": _log_tail(log_dir / f"{result.id}.log") if log_dir is not None else "",
    }


def _inputs(result: NodeResult, results: Mapping[str, NodeResult]) -> Iterator[dict[str, str]]:
    for key, found in result.sources.items():
        for node, output in found:
            made = results[node].outputs.get(output) if node in results else None
            uri = _short(made.uri) if made is not None else ""
            yield {"key": key, "from": f"{node}.{output}", "uri": uri}


def _settings(settings: Mapping[str, Any]) -> list[list[str]]:
    """Names and values; what is JSON inside of a value is taken apart."""
    flat = [pair for name, value in settings.items() for pair in _flat(name, value)]
    return [[_short(name), _short(text)] for name, text in flat[:MAX_SETTINGS]]


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and value.startswith("{"):
        with contextlib.suppress(ValueError):  # a text that only begins like one
            value = json.loads(value)
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(f"{name}.{key}", item)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value, default=str)


def _log_tail(path: Path) -> str:
    """The end of a log, without what moves a terminal's cursor."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - LOG_CHARS, 0))
        text = file.read().decode("utf-8", errors="replace")
    # Of a line that a progress bar wrote again and again, the last state.
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return _NOT_PRINTED.sub("", "\n".join(lines[-LOG_LINES:])).strip("\n")


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT_CHARS else f"{text[:MAX_TEXT_CHARS]}…"
