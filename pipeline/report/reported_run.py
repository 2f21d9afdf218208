"""A run as its page is made from it."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2

from components.evaluator import predictions
from components.evaluator.verdict import Verdict
from components.stored_names import SERVING_CHECK_FILE
from pipeline.config import PipelineConfig
from pipeline.node_result import NodeResult
from pipeline.report import summary as summary_lib
from preprocessing import features
from preprocessing.files.class_names import parse_class_names


@dataclasses.dataclass(frozen=True)
class ReportedRun:
    """What the sections of the page are made from.

    Attributes:
      config: the resolved config.
      summary: as in `summary.json`.
      results: what became of the nodes.
      log_dir: folder of the logs, one `<node id>.log` each; None: they are not shown.
    """

    config: PipelineConfig
    summary: dict[str, Any]
    results: Sequence[NodeResult]
    log_dir: Path | None = None

    def output(self, node: str, key: str) -> metadata_store_pb2.Artifact | None:
        """The output artifact `key` of a node, None if the node made none."""
        return summary_lib.output(self.results, node, key)

    def output_json(self, node: str, key: str, file: str) -> Any:
        """The content of a JSON file in an output artifact, None if there is none."""
        return summary_lib.output_json(self.results, node, key, file)

    @functools.cached_property
    def judged(self) -> Verdict | None:
        """What the gate said, None if the run did not get as far."""
        return summary_lib.judged(self.results)

    @functools.cached_property
    def serving_check(self) -> dict[str, Any] | None:
        """What the serving check said, None if the run did not get as far."""
        return self.output_json("ServingValidator", "blessing", SERVING_CHECK_FILE)

    @property
    def quarantine_folder(self) -> Path | None:
        """The folder of the lists of images that were not used, None if there is none."""
        artifact = self.output("ImagePreprocessor", "quarantine")
        # Summaries of earlier versions do not say where the lists of a stopped run are.
        folder = self.summary.get("quarantine") or (artifact.uri if artifact else None)
        return Path(folder) if folder else None

    @property
    def predictions(self) -> str | None:
        """The file with the answer for each evaluated image, None if there is none."""
        of_node = ("Evaluator", "evaluation", predictions.FILE)
        return summary_lib.output_file(self.results, *of_node)

    @property
    def dataset(self) -> Path | None:
        """The folder of the records that the model gets, None if the run did not get as far."""
        artifact = self.output("ImagePreprocessor", "transformed_examples")
        return Path(artifact.uri) if artifact is not None else None

    @property
    def source_records(self) -> Path | None:
        """The folder of the images as they were found, None if the run did not get as far."""
        artifact = self.output("ImageExampleGen", "examples")
        return Path(artifact.uri) if artifact is not None else None

    @functools.cached_property
    def class_names(self) -> list[str]:
        """The names of the classes, by index."""
        if self.dataset is None:
            return []
        path = self.dataset / features.CLASS_NAMES_FILE
        return list(parse_class_names(path.read_bytes(), str(path)))
