"""Runs the Beam stage and the TensorFlow Transform part of ImagePreprocessor."""

import os
import shutil
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import (
    EXAMPLES_KEY,
    SCHEMA_KEY,
    TRANSFORM_GRAPH_KEY,
    TRANSFORMED_EXAMPLES_KEY,
)
from tfx.utils import io_utils

from components.examples import describe_examples
from components.parameters import from_exec_properties
from components.progress import report
from preprocessing import features, transform
from preprocessing.files.publish import scratch_folder
from preprocessing.ingest import ingest
from preprocessing.stage import beam_stage
from preprocessing.stage.counts import equations
from preprocessing.stage.options import StageOptions

QUARANTINE_KEY = "quarantine"


class Executor(base_beam_executor.BaseBeamExecutor):
    """See `components.image_preprocessor.component.ImagePreprocessor`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the transform graph, then the normalised records and the quarantine."""
        self._log_startup(input_dict, output_dict, exec_properties)
        source = artifact_utils.get_single_uri(input_dict[EXAMPLES_KEY])
        examples = artifact_utils.get_single_instance(output_dict[TRANSFORMED_EXAMPLES_KEY])
        report("analysing the classes")
        names = self._write_transform_graph(input_dict, output_dict, source)
        report(f"normalising the images of {len(names)} classes")
        quarantine = artifact_utils.get_single_uri(output_dict[QUARANTINE_KEY])
        counts = beam_stage.preprocess(
            source,
            examples.uri,
            quarantine,
            class_names=names,
            options=from_exec_properties(StageOptions, exec_properties),
            make_pipeline=self._make_beam_pipeline,
            # TFX removes the outputs of a failed node, and this is what the person needs then.
            stopped_folder=f"{quarantine}-stopped",
        )
        graph = artifact_utils.get_single_uri(output_dict[TRANSFORM_GRAPH_KEY])
        for name in (features.STATISTICS_FILE, features.CLASS_FREQUENCIES_FILE):
            # Who has only the graph, knows classes and pixels as well.
            shutil.copyfile(os.path.join(examples.uri, name), os.path.join(graph, name))
        describe_examples(examples, list(counts["splits"]))
        report("; ".join(equations(counts)), 1.0)

    def _write_transform_graph(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        source: str,
    ) -> list[str]:
        schema_folder = artifact_utils.get_single_uri(input_dict[SCHEMA_KEY])
        graph = artifact_utils.get_single_uri(output_dict[TRANSFORM_GRAPH_KEY])
        # Beside the output, where Beam workers on other machines find it as well.
        with scratch_folder(os.path.dirname(graph), "tft") as temp_dir:
            return transform.write_transform_graph(
                ingest.index_files(source),
                graph,
                make_pipeline=self._make_beam_pipeline,
                temp_dir=str(temp_dir),
                schema=io_utils.parse_pbtxt_file(
                    io_utils.get_only_uri_in_dir(schema_folder), schema_pb2.Schema()
                ),
            )
