"""The parts of a run's record, in words of the trade: code, data, model, evaluation, push.

Whatever they are read from, a file or ML Metadata, they are these. Times are UTC; a digest is a
SHA-256 in hexadecimal.
"""

import datetime
from typing import Any

import pydantic

Time = datetime.datetime


class Part(pydantic.BaseModel):
    """Immutable, without unknown fields."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RunInfo(Part):
    """The run itself."""

    id: str
    pipeline: str
    """Name of the pipeline in ML Metadata."""
    state: str
    """running, pushed, not_blessed, partial, failed, or killed: it ended without a word."""
    started: Time
    ended: Time | None = None
    secs: float | None = None
    """From the first look at the config to the summary, in seconds."""
    said: str = ""
    """The result in one line."""
    output_dir: str = ""
    output_id: str = ""
    """A random name of the output folder, by which it is known wherever it is mounted."""
    host: str = ""
    pid: int = 0


class Code(Part):
    """The own code that ran."""

    digest: str
    """Over the paths and contents of all own source files."""
    commit: str | None = None
    """The git commit; None where the code is no checkout."""
    dirty: bool | None = None
    """Whether files differed from the commit."""
    changed: list[str] = []
    """Some of those files."""
    why_no_commit: str = ""
    files: dict[str, str] = {}
    """The digest of each own source file by its path."""


class Machine(Part):
    """Where the run's own process ran."""

    host: str
    system: str
    """Operating system, kernel and C library."""
    processor: str
    cores: int
    """Cores that the process may use."""
    memory_bytes: int
    gpus: list[str] = []


class Source(Part):
    """The images as they were found."""

    path: str
    digest: str = ""
    """Over the source records that were written of them."""
    artifact_id: int | None = None
    format: str = ""
    span: int | None = None
    version: int | None = None
    fingerprint: str = ""
    """Over names, sizes and times of the files."""
    images: int | None = None
    splits: dict[str, int] = {}
    """Images by split."""
    left_out: dict[str, int] = {}
    """Images by split of the source that is not used."""


class ClassCount(Part):
    """The used images of a class."""

    name: str
    images: dict[str, int]
    """By split."""


class Quarantined(Part):
    """An image that could not be used."""

    uri: str
    sha256: str
    split: str
    reason: str
    detail: str = ""


class Quarantine(Part):
    """The images that could not be used."""

    images: int
    reasons: dict[str, int] = {}
    """Images by reason."""
    first: list[Quarantined] = []
    """Some of them; the file has all."""
    file: str = ""


class Dataset(Part):
    """The records that a model was trained and evaluated on."""

    digest: str
    artifact_id: int
    uri: str
    made_in_run: str = ""
    images: dict[str, int] = {}
    """seen, used, quarantined, dropped, duplicates of all splits."""
    splits: dict[str, dict[str, int]] = {}
    """The same by split."""
    classes: list[ClassCount] = []
    quarantine: Quarantine | None = None


class Model(Part):
    """A trained model."""

    digest: str
    """Over the files of the SavedModel; a pushed version has the same one."""
    weights_sha256: str = ""
    artifact_id: int
    uri: str
    made_in_run: str = ""
    training: dict[str, Any] = {}
    """What the training said at its end."""
    weights_files: dict[str, str] = {}
    """Digests of the files of weights that the training left, by name."""
    init_weights: str = ""
    init_weights_sha256: str = ""


class Baseline(Part):
    """The served model that the candidate was compared with."""

    version: str
    served_from: str
    digest: str


class Evaluation(Part):
    """What the gate measured and said."""

    artifact_id: int
    uri: str = ""
    made_in_run: str = ""
    predictions: str = ""
    """File with the answer for each evaluated image; empty where an earlier version evaluated."""
    verdict: dict[str, Any]
    """As `verdict.json` has it; the gate's own, before any override."""
    serving_check: dict[str, Any] | None = None
    """As `serving_check.json` has it."""


class Override(Part):
    """A person's decision to serve a model that the gate did not bless."""

    reason: str
    user: str
    time: Time


class Push(Part):
    """A version that is or was served."""

    version: str
    destination: str
    time: Time | None = None
    override: Override | None = None
    served_by: str = ""
    """What serves it beside the push folder, as in kserve:NAMESPACE/NAME."""
    served_at: str = ""
    """Where that is asked."""


class Node(Part):
    """What became of a node in the run."""

    id: str
    state: str
    """ran, cached, failed, skipped, running, or killed."""
    why: str = ""
    secs: float | None = None
    execution_id: int | None = None
    execution_type: str = ""
    made_in_run: str = ""
    """The run whose execution made the outputs: another one where the cache was used."""
    properties: dict[str, Any] = {}
    inputs: dict[str, list[int]] = {}
    """Ids of artifacts by key."""
    outputs: dict[str, list[int]] = {}


class Artifact(Part):
    """What a node made, as ML Metadata knows it."""

    id: int
    type: str
    uri: str
    digest: str = ""
    made_in_run: str = ""
    made_by: str = ""
    """The node."""
    made: Time | None = None
    pruned: Time | None = None
    """When its files were removed to free their room; what is recorded of it stays."""
    properties: dict[str, Any] = {}
