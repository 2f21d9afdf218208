"""Artifact types of our own, beside TFX's standard ones."""

from tfx.types import artifact


class Quarantine(artifact.Artifact):
    """Images that could not be used, `quarantine.jsonl`, and copies, `duplicates.jsonl`.

    Also `near_duplicates.jsonl`: evaluation images that look like training images.

    A line of the former is an object with `uri` (of the source file), `sha256`, `bytes` (size),
    `class`, `split`, `reason` and `detail`; preprocessing/stage/duplicates.py describes the latter.
    The files are there, and empty, when every image was usable or without copies.
    """

    TYPE_NAME = "Quarantine"


class Verdict(artifact.Artifact):
    """Why a model was or was not blessed: each rule, what was measured, whether it held."""

    TYPE_NAME = "Verdict"
