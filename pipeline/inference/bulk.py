"""Predictions of very many files into one table, through Beam, in memory that does not grow.

Only numbers travel through Beam: the names lie in a file, an element is an offset in it, and the
worker that gets the element reads the pictures and writes its part of the table. The parts are
joined in order at the end.
"""

import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions

from components import progress
from pipeline.inference.classifier import BATCH_SIZE, Classifier, Prediction, batches
from preprocessing.errors import InputError
from preprocessing.files.publish import scratch_folder
from preprocessing.files.working_folder import working_folder
from preprocessing.text import path_text

# Files in a part: enough to amortise a part's own file, few enough for progress to be seen.
FILES_A_PART = 512
PARQUET, CSV = ".parquet", ".csv"
_END = b"\0"  # no path holds it
_BAD_COLUMNS = ("file", "error")


def bad_file(output: Path) -> Path:
    """Where the pictures are listed that got no answer: `predictions.bad.csv`."""
    return output.with_suffix(".bad.csv")


def run(model: Path, files: Iterable[str], output: Path, top_k: int, num_workers: int) -> int:
    """Writes `output`, one row per readable picture, and the list of the others.

    Columns are `file`, `label_1`, `probability_1`, `label_2` ... , the likeliest first.

    Args:
      model: folder of the SavedModel.
      files: paths, in the order of the rows.
      output: `.parquet` or `.csv`; replaced at the end, all at once.
      top_k: classes per picture, at most as many as the model gives.
      num_workers: processes; with 1 all of it happens in this one.

    Returns:
      number of rows.

    Raises:
      InputError: the ending is another one, or the folder of `output` does not exist.
    """
    if output.suffix not in (PARQUET, CSV):
        raise InputError(f"--output must end in .parquet or .csv. Received: {str(output)!r}")
    if not output.parent.is_dir():
        raise InputError(f"--output must lie in an existing folder. Received: {str(output)!r}")
    mode = "in_memory" if num_workers == 1 else "multi_processing"
    options = PipelineOptions(
        [], runner="DirectRunner", direct_running_mode=mode, direct_num_workers=num_workers
    )
    output, model, folder = output.absolute(), model.absolute(), os.getcwd()
    # It also removes what a killed command left beside this output.
    with scratch_folder(output.parent, output.name) as work:
        offsets = _write_names(files, work / "names")
        predict = _Predict(str(model), str(work), folder, top_k, len(offsets))
        with working_folder(work), beam.Pipeline(options=options) as pipeline:
            _ = (
                pipeline
                | "offsets" >> beam.Create(list(enumerate(offsets)))
                | "spread" >> beam.Reshuffle()
                | "predict" >> beam.ParDo(predict)
            )
        _join_csv(work, "bad", _BAD_COLUMNS, bad_file(output))
        return _join(work, output)


def _write_names(files: Iterable[str], path: Path) -> list[int]:
    """Writes the paths one after the other; returns where each part's first one begins."""
    offsets = []
    with path.open("wb") as file:
        for group in batches(files, FILES_A_PART):
            offsets.append(file.tell())
            file.write(b"".join(os.fsencode(name) + _END for name in group))
    return offsets


class _Predict(beam.DoFn):
    """Predicts a part: `part-00000.parquet`, `bad-00000.csv` in the work folder."""

    def __init__(self, model: str, work: str, folder: str, top_k: int, num_parts: int):
        """Names are relative to `folder`."""
        self._model, self._work, self._folder = model, work, folder
        self._top_k, self._num_parts = top_k, num_parts
        self._classifier: Classifier | None = None

    def setup(self) -> None:
        """Loads the model, once a worker."""
        self._classifier = Classifier.load(Path(self._model))

    def process(self, element: tuple[int, int]) -> list[None]:
        """Takes a part's number and the offset of its first name; nothing follows."""
        number, offset = element
        names = _read_names(Path(self._work, "names"), offset)
        good, bad = [], []
        for group in batches(names, BATCH_SIZE):
            for prediction in self._classifier.predict(group, self._top_k, self._folder):
                (good if prediction.error is None else bad).append(prediction)
        if good:
            pq.write_table(_table(good), Path(self._work, f"part-{number:07d}{PARQUET}"))
        rows = [(path_text(prediction.file), prediction.error) for prediction in bad]
        _write_csv(Path(self._work, f"bad-{number:07d}{CSV}"), rows)
        done = len(list(Path(self._work).glob("bad-*")))
        progress.report(f"part {done} of {self._num_parts}", done / self._num_parts)
        return []


def _read_names(path: Path, offset: int) -> Iterator[str]:
    with path.open("rb") as file:
        file.seek(offset)
        data = b""
        for _ in range(FILES_A_PART):
            while _END not in data and (block := file.read(1 << 16)):
                data += block
            if not data:
                return
            name, _, data = data.partition(_END)
            yield os.fsdecode(name)


def _table(predictions: list[Prediction]) -> pa.Table:
    columns: dict[str, pa.Array] = {"file": pa.array([path_text(p.file) for p in predictions])}
    for rank in range(len(predictions[0].top_k)):
        names, values = zip(*(p.top_k[rank] for p in predictions), strict=True)
        columns[f"label_{rank + 1}"] = pa.array(names, pa.string())
        columns[f"probability_{rank + 1}"] = pa.array(values, pa.float32())
    return pa.table(columns)


def _join(work: Path, output: Path) -> int:
    """Writes the parts into one file, part by part; returns the number of rows."""
    parts = sorted(work.glob(f"part-*{PARQUET}"))
    if output.suffix == CSV:
        for part in parts:
            table = pq.read_table(part)
            rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
            _write_csv(part.with_suffix(CSV), [tuple(map(_cell, row)) for row in rows])
        header = pq.read_schema(parts[0]).names if parts else ["file"]
        _join_csv(work, "part", header, output)
    else:
        schema = pq.read_schema(parts[0]) if parts else pa.schema([("file", pa.string())])
        with pq.ParquetWriter(work / "whole", schema) as writer:
            for part in parts:
                writer.write_table(pq.read_table(part))
        (work / "whole").replace(output)
    return sum(pq.read_metadata(part).num_rows for part in parts)


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _write_csv(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def _join_csv(work: Path, prefix: str, header: Iterable[str], output: Path) -> None:
    whole = work / "whole"
    _write_csv(whole, [tuple(header)])
    with whole.open("ab") as file:
        for part in sorted(work.glob(f"{prefix}-*{CSV}")):
            file.write(part.read_bytes())
    whole.replace(output)
