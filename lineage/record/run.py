"""The record of a run as a whole, and the line that stands for it in a table."""

from typing import Any, Literal

import pydantic

from lineage.record.parts import (
    Artifact,
    Baseline,
    Code,
    Dataset,
    Evaluation,
    Machine,
    Model,
    Node,
    Part,
    Push,
    RunInfo,
    Source,
)
from preprocessing.errors import InputError

VERSION = 1
"""Goes up whenever a part changes; `lineage/schema/` has the JSON schema of each."""


class Run(Part):
    """All that is known of a run."""

    lineage_version: Literal[1] = VERSION
    run: RunInfo
    root: str = ""
    """Folder of the artifacts; the URIs of local ones begin with it."""
    settings: dict[str, Any] = {}
    """The resolved config, by section."""
    code: Code | None = None
    versions: dict[str, str] = {}
    """Of Python and of the packages that the code is written for."""
    machine: Machine | None = None
    source: Source | None = None
    dataset: Dataset | None = None
    model: Model | None = None
    baseline: Baseline | None = None
    evaluation: Evaluation | None = None
    pushes: list[Push] = []
    nodes: list[Node] = []
    artifacts: list[Artifact] = []

    def to_json(self) -> str:
        """As `lineage.json` has it."""
        return self.model_dump_json(indent=1) + "\n"

    def line(self) -> "RunLine":
        """The line that stands for the run in a table."""
        model, verdict = self.model, self.evaluation.verdict if self.evaluation else {}
        metrics = verdict.get("metrics", {})
        low, high = metrics.get("top_1_interval") or (None, None)
        return RunLine(
            **self.run.model_dump(),
            root=self.root,
            images=self.dataset.images.get("used") if self.dataset else None,
            top_1=metrics.get("top_1"),
            top_1_low=low,
            top_1_high=high,
            blessed=verdict.get("blessed"),
            pushes=self.pushes,
            source=self.source.digest if self.source else "",
            dataset=self.dataset.digest if self.dataset else "",
            dataset_uri=self.dataset.uri if self.dataset else "",
            model=model.digest if model else "",
            trained_in=model.made_in_run if model else "",
            weights=sorted(set(model.weights_files.values())) if model else [],
            init_weights_sha256=model.init_weights_sha256 if model else "",
            baseline=self.baseline.digest if self.baseline else "",
            commit=(self.code.commit or "") if self.code else "",
        )


class RunLine(RunInfo):
    """A run in a table of many: small, so that 10,000 of them are read in a moment."""

    root: str = ""
    images: int | None = None
    """Images that were used."""
    top_1: float | None = None
    top_1_low: float | None = None
    top_1_high: float | None = None
    blessed: bool | None = None
    """What the gate said."""
    pushes: list[Push] = []
    source: str = ""
    """Its digest, as are `dataset`, `model` and `baseline`."""
    dataset: str = ""
    dataset_uri: str = ""
    model: str = ""
    trained_in: str = ""
    weights: list[str] = []
    """Digests of the model's files of weights."""
    init_weights_sha256: str = ""
    baseline: str = ""
    commit: str = ""


def parse(text: str | bytes, where: str) -> Run:
    """Reads a record.

    Args:
      text: what `Run.to_json` wrote.
      where: what to call it in errors.

    Raises:
      InputError: it is no record, or one of a newer version.
    """
    try:
        return Run.model_validate_json(text)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        if place == "lineage_version":
            raise InputError(
                f"{where}: this version reads records up to version {VERSION}; use a newer one. "
                f"Received: lineage_version {first['input']!r}"
            ) from None
        raise InputError(f"{where}: is no record of a run: {place}: {first['msg']}") from None
