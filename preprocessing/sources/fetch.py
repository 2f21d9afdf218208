"""Copies of containers that cannot be read in any order where they are."""

import gzip
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import apache_beam as beam

from preprocessing.sources import storage

GZIP_MAGIC = b"\x1f\x8b"
_PIECE_BYTES = 1 << 20


def fetch_all(
    jobs: Sequence[tuple[str, str]], make_pipeline: Callable[[], beam.Pipeline]
) -> list[str]:
    """Copies files, uncompressed; a worker has one at a time.

    Args:
      jobs: (source, target) of each; a target's folder is on this machine.
      make_pipeline: makes the Beam pipeline that does the work. Workers see the same files.

    Returns:
      What is wrong with each source, one line; empty where nothing is.
    """
    with make_pipeline() as pipeline:
        _ = (
            pipeline
            | "Containers" >> beam.Create(list(jobs))
            | "SpreadContainers" >> beam.Reshuffle()  # names only
            | "FetchContainer" >> beam.MapTuple(fetch)
        )
    problems = []
    for _, target in jobs:
        report = Path(f"{target}.error")
        problems.append(report.read_text(encoding="utf-8") if report.exists() else "")
    return problems


def fetch(source: str, target: str) -> None:
    """Copies a file, uncompressed; what is wrong with it goes into `<target>.error`."""
    with open(target, "wb") as copy:
        try:
            with storage.open_file(source) as file:
                compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            with storage.open_file(source) as file:
                whole = gzip.GzipFile(fileobj=file) if compressed else file
                shutil.copyfileobj(whole, copy, _PIECE_BYTES)
        except Exception as error:  # clients of remote filesystems have errors of their own
            problem = " ".join(str(error).split()) or type(error).__name__
            Path(f"{target}.error").write_text(problem, encoding="utf-8")
