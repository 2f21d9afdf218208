"""The log of a training, `train_log.jsonl`: one JSON object per line, written and followed.

The first rank writes it, and the supervisor before there are ranks. It is for people and charts to
read: no training takes anything from it. A line is one of

- an interval of training: `step`, `total_steps`, `epoch`, `stage` (from 0), `img_size`, `loss`,
  `top_1_train`, `lr`, `images_per_sec`, `skipped_steps`, `eta_secs` (null at first), `secs`;
- an evaluation: `step`, `epoch`, `weights` (`raw` or `ema`), `eval_top_1`, `eval_top_5` and
  `eval_loss` (null where there is no result), `eval_examples`, `eval_not_finite`, `secs`;
- a `message` for the person.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from preprocessing.files import disk_full
from trainer_module.run_files import LOG_FILE

MESSAGE = "message"

Entry = Mapping[str, Any]


def append(model_dir: str | Path, entry: Entry) -> None:
    """Adds a line, or nothing where the disk is full.

    Raises:
      DiskFullError: there is no space for it.
    """
    path = Path(model_dir) / LOG_FILE
    line = json.dumps(entry).encode() + b"\n"
    with disk_full.naming(path), path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            while line:
                line = line[file.write(line) :]
        except OSError:
            file.truncate(before)
            raise


class Follower:
    """Reads the lines that are added to a log."""

    def __init__(self, model_dir: str | Path):
        """Starts after what the log holds now."""
        self._path = Path(model_dir) / LOG_FILE
        self._position = self._path.stat().st_size if self._path.exists() else 0

    def read_new(self) -> list[Entry]:
        """The lines that were not read yet."""
        size = self._path.stat().st_size if self._path.exists() else 0
        self._position = self._position if self._position <= size else 0  # somebody cut it off
        if size == self._position:
            return []
        with self._path.open("rb") as file:
            file.seek(self._position)
            # The last line may still be on its way.
            complete, newline, _ = file.read().rpartition(b"\n")
        self._position += len(complete) + len(newline)
        return [json.loads(line) for line in complete.splitlines()]
