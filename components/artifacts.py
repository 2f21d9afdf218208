"""Artifact types of our own, beside TFX's standard ones."""

from tfx.types import artifact


class Quarantine(artifact.Artifact):
    """Images that could not be used, `quarantine.jsonl`, and copies, `duplicates.jsonl`.

    A line of the former is an object with `uri` (of the source file), `sha256`, `bytes` (size),
    `class`, `split`, `reason` and `detail`, and `shard` and `position` of its source record;
    preprocessing/stage/duplicates.py describes the latter, and near_duplicates.py beside it the
    third file, `near_duplicates.jsonl`. The files are there, and empty, when every image was
    usable or without copies.
    """

    TYPE_NAME = "Quarantine"


class Verdict(artifact.Artifact):
    """Why a model was or was not blessed: each rule, what was measured, whether it held."""

    TYPE_NAME = "Verdict"
