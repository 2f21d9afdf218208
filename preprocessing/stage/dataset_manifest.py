"""The manifest of a dataset: which images made it, where each one is, and why others are not in.

`manifest.parquet`, a row a file that was seen, sorted by SHA-256 and URI, so that a reader who
asks for one digest reads one row group:

| column   | type   | value                                                                   |
|----------|--------|-------------------------------------------------------------------------|
| sha256   | string | hexadecimal SHA-256 of the source file's bytes                          |
| uri      | string | of the source file                                                      |
| label    | int32  | index into `labels.txt`; null where the class has no label              |
| class    | string | the class name                                                          |
| split    | string | `train` or `eval`                                                       |
| status   | string | `used`, `quarantined` or `dropped` (a copy of one that is used)         |
| reason   | string | why it is not used; null where it is                                    |
| shard    | string | file name of the shard within the split's folder; null unless used      |
| position | int32  | of its record within the shard, from 0; null unless used                |
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from preprocessing.files import digest_table
from preprocessing.files.external_sort import sorted_rows
from preprocessing.files.new_file import new_file

SCHEMA = pa.schema(
    [
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("label", pa.int32()),
        pa.field("class", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("shard", pa.string()),
        pa.field("position", pa.int32()),
    ]
)
_ROWS_IN_GROUP = 20_000


def write_manifest(path: str, rows: Iterable[Mapping[str, Any]], scratch: str) -> int:
    """Writes a manifest; the same rows give the same bytes, in whatever order they come.

    Args:
      path: of the Parquet file.
      rows: with the columns of `SCHEMA`.
      scratch: folder for temporary files.

    Returns:
      The number of rows.
    """
    count = 0
    # Told that it is a local file, pyarrow does not take a path for a URI.
    local = fs.LocalFileSystem()
    with (
        new_file(path) as temporary,
        pq.ParquetWriter(temporary, SCHEMA, filesystem=local) as writer,
    ):
        ordered = sorted_rows(map(_sortable, rows), scratch)
        while group := list(itertools.islice(ordered, _ROWS_IN_GROUP)):
            columns = [
                [None if missing else value for missing, value in column]
                for column in zip(*group, strict=True)
            ]
            arrays = [
                pa.array(column, kind.type) for column, kind in zip(columns, SCHEMA, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
            count += len(group)
    return count


def read_manifest(path: str) -> Iterator[dict[str, Any]]:
    """Yields the rows of a manifest in order, a row group in memory at a time."""
    for table in read_tables(path):
        yield from table.to_pylist()


def read_tables(path: str) -> Iterator[pa.Table]:
    """Yields the row groups of a manifest in order, of at most 20,000 rows each."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


def find_image(path: str, sha256: str) -> list[dict[str, Any]]:
    """The rows of one image: several where there are copies, none where it was not seen.

    Args:
      path: of the manifest.
      sha256: hexadecimal SHA-256 of the source file's bytes.
    """
    return digest_table.find(path, [sha256])


def find_named(path: str, name: str) -> list[dict[str, Any]]:
    """The rows of images of a name: a whole URI, or its end after a slash or `#`.

    All names are looked at, a row group in memory at a time: 0.2 s for a million.

    Args:
      path: of the manifest.
      name: as in `7.jpg`, `cats/7.jpg` or `/data/cats/7.jpg`.
    """
    found: list[dict[str, Any]] = []
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            uris = file.read_row_group(group, columns=["uri"])["uri"]
            matches = pc.equal(uris, name)
            for end in (f"/{name}", f"#{name}"):
                matches = pc.or_(matches, pc.ends_with(uris, end))
            if pc.any(matches).as_py():
                found += file.read_row_group(group).filter(matches).to_pylist()
    return found


def _sortable(row: Mapping[str, Any]) -> tuple[tuple[bool, Any], ...]:
    """The columns as (is null, value or an empty one): None cannot be compared."""
    values = (row[name] for name in SCHEMA.names)
    return tuple((value is None, value if value is not None else 0) for value in values)
