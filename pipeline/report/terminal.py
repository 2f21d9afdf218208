"""What a person reads on the terminal when a run has ended."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from preprocessing import features
from preprocessing.stage.counts import label_conflict_examples
from preprocessing.text import one_line

MAX_ANOMALIES = 10


def lines(summary: dict[str, Any], log: Path | None, metadata: str) -> list[str]:
    """The lines that are printed; names of files and classes in them are escaped.

    Args:
      summary: as in `summary.json`.
      log: of the node that failed, None if there is none to read.
      metadata: where ML Metadata is.
    """
    shown = ["", summary["verdict"]]
    # The last line is the result, which the verdict begins with.
    shown += [f"  {line}" for line in summary["gate"][:-1]]
    shown += [_line("export", line) for line in summary["exports"]]
    if log is not None:
        shown.append(_line("log", log))
    if summary["top_1"] is not None:
        shown.append(_line("top-1", f"{summary['top_1']:.4f}"))
        shown.append(_line("top-5", f"{summary['top_5']:.4f}"))
    for key, of_key in (
        ("images", _images(summary)),
        ("notes", iter(summary["notes"])),
        ("copies", _copies(summary)),
        ("anomalies", _anomalies(summary)),
    ):
        shown += [_line("" if number else key, text) for number, text in enumerate(of_key)]
    if summary["pushed_to"]:
        shown.append(_line("pushed to", summary["pushed_to"]))
    secs = sum(node["secs"] for node in summary["nodes"])
    page = Path(summary["report"])
    shown.append(_line("report", page))
    shown.append(_line("all runs", page.parents[1] / page.name))
    shown.append(_line("metadata", metadata))
    shown.append(_line("time", f"{secs:.0f} s in all nodes"))
    return [one_line(line) for line in shown]


def _line(key: str, text: object) -> str:
    return f"{key:<10} {text}"


def _images(summary: dict[str, Any]) -> Iterator[str]:
    """Of a run that stopped, only some counts are known."""
    known = {key: count for key, count in summary["images"].items() if count is not None}
    if known:
        yield ", ".join(f"{count} {key}" for key, count in known.items())
    yield from summary["image_sums"]
    for split, count in summary["left_out"].items():
        yield f"left out: {count} of the source's split {split!r}"


def _copies(summary: dict[str, Any]) -> Iterator[str]:
    if summary["copies"]:
        yield from summary["copies"]
        yield from label_conflict_examples(summary)
        yield f"all of them: {summary['quarantine']}/{features.DUPLICATES_FILE}"


def _anomalies(summary: dict[str, Any]) -> Iterator[str]:
    for anomaly in summary["anomalies"][:MAX_ANOMALIES]:
        where = f" (split {anomaly['split']})" if anomaly["split"] else ""
        yield f"{anomaly['text']}{where}"
    more = len(summary["anomalies"]) - MAX_ANOMALIES
    if more > 0:
        yield f"and {more} more, see the report"
    if any(anomaly.get("count") for anomaly in summary["anomalies"]) and summary["anomaly_items"]:
        yield f"each class and file: {summary['anomaly_items']}"
