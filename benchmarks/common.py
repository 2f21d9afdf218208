"""What the benchmarks share: the machine in a line, repeated measurements, ratios, verdicts."""

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
# Above this load (processes that want a core, over cores) a figure says little.
BUSY_LOAD = 0.5


def print_machine() -> None:
    """Prints the processor, its cores, the memory, the system, and whether others use it."""
    memory_gib = psutil.virtual_memory().total / 2**30
    name = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    print(f"machine: {name}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, {system}")
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    if load > BUSY_LOAD:
        print(f"note: the machine is busy (load {load:.1f} a core); measure when it is idle")


def alternate(
    measures: Sequence[Callable[[], float]], repeats: int
) -> tuple[list[float], list[list[float]]]:
    """Measures in turns, so that what disturbs the machine disturbs all alike.

    Returns:
      the median of each, and all its measurements.
    """
    values: list[list[float]] = [[] for _ in measures]
    for _ in range(repeats):
        for results, measure in zip(values, measures, strict=True):
            results.append(measure())
    return [statistics.median(results) for results in values], values


def run_script(script: str, *arguments: str) -> str:
    """Runs a Python script of this repository in a process of its own; returns its last line.

    Raises:
      subprocess.CalledProcessError: it failed; what it said went to stderr.
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    return done.stdout.strip().splitlines()[-1]


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table in Markdown."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |")


class Verdict:
    """Collects claims, and makes the exit status of them."""

    def __init__(self) -> None:
        self._missed = 0

    def claim(self, text: str, value: float, *, at_least: float = 0.0, at_most: float = 0.0):
        """Prints a figure beside its bound: one of `at_least` and `at_most`."""
        bound = f"at least {at_least:g}" if at_least else f"at most {at_most:g}"
        held = value >= at_least if at_least else value <= at_most
        self._missed += not held
        print(f"{'held  ' if held else 'MISSED'}  {text}: {value:.3f} ({bound})", flush=True)

    def exit(self) -> None:
        """Ends the process: 0 if every claim held, else 1."""
        sys.exit(1 if self._missed else 0)
