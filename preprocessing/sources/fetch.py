"""Copies of containers that cannot be read in any order where they are."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam


def fetch_all(
    jobs: Sequence[tuple[str, str]],
    unpack: Callable[[str, str], None],
    make_pipeline: Callable[[], beam.Pipeline],
) -> list[str]:
    """Makes local files of containers; a worker has one at a time.

    Args:
      jobs: (container, new file) of each; the folder of a new file is on this machine.
      unpack: makes one of the other.
      make_pipeline: makes the Beam pipeline that does the work. Workers see the same files.

    Returns:
      What is wrong with each container, one line; empty where nothing is.
    """
    with make_pipeline() as pipeline:
        _ = (
            pipeline
            | "Containers" >> beam.Create(list(jobs))
            | "SpreadContainers" >> beam.Reshuffle()  # names only
            | "FetchContainer" >> beam.Map(_fetch, unpack)
        )
    problems = []
    for _, target in jobs:
        report = Path(f"{target}.error")
        problems.append(report.read_text(encoding="utf-8") if report.exists() else "")
    return problems


# `Any`, as Beam takes the hint of a callable for that of what it returns.
def _fetch(job: tuple[str, str], unpack: Any) -> None:
    """Makes a file of a container; what is wrong with it goes into `<target>.error`."""
    name, target = job
    try:
        unpack(name, target)
    except Exception as error:  # clients of remote filesystems have errors of their own
        problem = " ".join(str(error).split()) or type(error).__name__
        Path(f"{target}.error").write_text(problem, encoding="utf-8", errors="backslashreplace")
