"""The answer for each evaluated image, `predictions.parquet` of a ModelEvaluation artifact.

A row an evaluated record, sorted by SHA-256 and URI, so that two evaluations are compared by
reading them side by side, and one image is found by reading one row group (`digest_table.find`):

| column            | type         | value                                                       |
|-------------------|--------------|-------------------------------------------------------------|
| sha256            | string       | hexadecimal SHA-256 of the source file's bytes              |
| uri               | string       | of the source file                                          |
| split             | string       | as a rule `eval`                                            |
| class             | string       | the class that it is labelled with                          |
| predicted         | string       | the likeliest class; null where the model gave no answer    |
| probability       | float        | of that class, 0 to 1                                       |
| class_probability | float        | of the labelled class; null where the model does not know it |
| correct           | bool         | whether the likeliest class is the labelled one             |
| correct_top_5     | bool         | whether the labelled class is among the five likeliest      |
| top_classes       | list<string> | the five likeliest, the likeliest first                     |
| top_probabilities | list<float>  | theirs                                                      |

and the columns from `predicted` on once more for the baseline, as `baseline_predicted` and so on;
null where there was none. An image without an answer is not correct, and the other columns of the
answer are null. Probabilities are rounded to `DIGITS` decimal places: below them they depend on
which images a worker puts into one batch.

The manifest of the dataset (`preprocessing.stage.dataset_manifest`) says by the digest in which
shard a record is, and where in it.

Reading needs neither TensorFlow nor Beam.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

FILE = "predictions.parquet"
DIGITS = 6
CANDIDATE, BASELINE = "", "baseline_"

IDENTITY = pa.schema(
    [
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("class", pa.string(), nullable=False),
    ]
)
ANSWER = pa.schema(
    [
        pa.field("predicted", pa.string()),
        pa.field("probability", pa.float32()),
        pa.field("class_probability", pa.float32()),
        pa.field("correct", pa.bool_()),
        pa.field("correct_top_5", pa.bool_()),
        pa.field("top_classes", pa.list_(pa.string())),
        pa.field("top_probabilities", pa.list_(pa.float32())),
    ]
)
SCHEMA = pa.schema(
    [
        *IDENTITY,
        *ANSWER,
        *(pa.field(f"{BASELINE}{field.name}", field.type) for field in ANSWER),
    ]
)
_ROWS_IN_GROUP = 20_000


def write(path: str, rows: Iterable[Sequence[Any]]) -> int:
    """Writes rows; the same rows in the same order give the same bytes.

    Args:
      path: of the Parquet file.
      rows: values of the columns of `SCHEMA`, in the order of SHA-256 and URI.

    Returns:
      How many there were.
    """
    count, rows = 0, iter(rows)
    # Told that it is a local file, pyarrow does not take a path for a URI.
    local = fs.LocalFileSystem()
    with pq.ParquetWriter(path, SCHEMA, filesystem=local, compression="zstd") as writer:
        while group := list(itertools.islice(rows, _ROWS_IN_GROUP)):
            arrays = [
                pa.array(column, field.type)
                for column, field in zip(zip(*group, strict=True), SCHEMA, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
            count += len(group)
    return count


def read(path: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yields the row groups of a file in order, of at most 20,000 rows each.

    Args:
      path: of the Parquet file.
      columns: names of those that are read; None: all of them.
    """
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=None if columns is None else list(columns))
