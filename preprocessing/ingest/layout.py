"""Where things lie in a dataset; imports nothing heavy."""

from pathlib import Path

from preprocessing import features

SPLITS = (features.TRAIN_SPLIT, features.EVAL_SPLIT)
INDEX_FOLDER = "index"


def split_folder(root: str | Path, split: str) -> Path:
    """Folder of a split, as TFX names it."""
    return Path(root) / f"Split-{split}"
