"""`effnet run --explain-cache`: what would run, and why, without running anything."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import rich.box
import rich.markup
from rich.console import Console
from rich.table import Table

from pipeline.config import PipelineConfig
from pipeline.mlmd import connection, moved_artifacts
from pipeline.output_dir import METADATA_FILE
from pipeline.store_uri import StoreUri
from preprocessing import failures
from preprocessing.output_capture import OutputCapture
from preprocessing.sources.base import Survey

_COLORS = {"hit": "green", "miss": "yellow", "open": "cyan"}


def run(config: PipelineConfig, data: Survey, output_dir: Path) -> int:
    """Prints one line per node: its name, `hit`, `miss` or `open`, and why.

    Args:
      config: the validated config.
      data: what a look at its data told.
      output_dir: absolute path of the run's output folder; nothing is written there but
        records of fingerprints, and where it was moved to.

    Returns:
      The exit status.
    """
    with OutputCapture() as capture, capture.to_file(Path(os.devnull)):
        rows = explain(config, data, output_dir)
        _show(rows, Console(file=capture.terminal, highlight=False))
    return failures.DONE


def explain(config: PipelineConfig, data: Survey, output_dir: Path) -> list[tuple[str, str, str]]:
    """Asks the cache about each node in the order of the data.

    Returns:
      Node, state (see `cache.Decision`) and reason.
    """
    from pipeline.cache import decide
    from pipeline.runner import build_dag  # brings TFX, which takes seconds

    store = _connect(config, output_dir)
    moved_artifacts.follow(connection.open_store(store), output_dir)
    dag = build_dag.make_dag(config, data, output_dir, "explain", store)
    off = build_dag.cache_off(config)
    outputs: dict[str, decide.Artifacts] = {}
    waiting_for: set[str] = set()
    rows = []
    for node_id in dag.nodes:
        decision = decide.decide(
            dag, node_id, outputs, off=off.get(node_id), waiting_for=waiting_for
        )
        if decision.state == "hit":
            outputs[node_id] = decision.outputs
        else:
            waiting_for.add(node_id)
        rows.append((node_id, decision.state, decision.why))
    return rows


def _connect(config: PipelineConfig, output_dir: Path):
    """ML Metadata; an empty one in memory where the first run has yet to make the file."""
    uri, path = config.pipeline.metadata_uri, output_dir / METADATA_FILE
    if uri.startswith("sqlite://"):
        path = Path(uri.removeprefix("sqlite://"))
    if (not uri or uri.startswith("sqlite://")) and not path.exists():
        return connection.Connection(StoreUri("sqlite", path=":memory:"))
    return connection.connect(uri, output_dir / METADATA_FILE)


def _show(rows: Sequence[tuple[str, str, str]], console: Console) -> None:
    if not console.is_terminal:
        for node_id, state, why in rows:
            console.print(f"{node_id:<19} {state:<5} {why}", markup=False, soft_wrap=True)
        return
    table = Table(box=rich.box.SIMPLE, width=min(shutil.get_terminal_size().columns, 140))
    for name in ("node", "cache", "why"):
        table.add_column(name, overflow="fold")
    for node_id, state, why in rows:
        table.add_row(node_id, f"[{_COLORS[state]}]{state}[/]", rich.markup.escape(why))
    console.print(table)
