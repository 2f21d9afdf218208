"""Artifact types of our own, beside TFX's standard ones."""

from tfx.types import artifact

# Custom property of all artifacts that were made on one machine: SHA-256 of their files.
CONTENT_FINGERPRINT = "content_fingerprint"


class Quarantine(artifact.Artifact):
    """Images that could not be used: `quarantine.jsonl`, an object a line.

    Each object has `uri` (of the source file), `sha256`, `bytes` (size), `class`, `split` and
    `reason`. The file is there and empty when every image was usable.
    """

    TYPE_NAME = "Quarantine"


class Verdict(artifact.Artifact):
    """Why a model was or was not blessed: each rule, what was measured, whether it held."""

    TYPE_NAME = "Verdict"
