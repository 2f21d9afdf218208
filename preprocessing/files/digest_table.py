"""Parquet files with a row an image that are sorted by the column `sha256`.

Looking up some images reads only the row groups in whose range of digests they lie.
"""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

COLUMN = "sha256"


def find(path: str, sha256: Iterable[str]) -> list[dict[str, Any]]:
    """The rows of some images, in the order of the file: several where there are copies.

    Args:
      path: of the Parquet file.
      sha256: hexadecimal SHA-256 of the source files' bytes.
    """
    wanted = sorted(set(sha256))
    found: list[dict[str, Any]] = []
    with pq.ParquetFile(path) as file:
        column = file.schema_arrow.get_field_index(COLUMN)
        for group in range(file.num_row_groups):
            bounds = file.metadata.row_group(group).column(column).statistics
            inside = [digest for digest in wanted if bounds.min <= digest <= bounds.max]
            if inside:
                table = file.read_row_group(group)
                rows = pc.is_in(table[COLUMN], value_set=pa.array(inside))
                found += table.filter(rows).to_pylist()
    return found
