"""Runs the ingestion of ImageExampleGen."""

import logging
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_component_specs

from components.examples import describe_examples
from components.parameters import from_exec_properties
from components.progress import report
from preprocessing.ingest import ingest
from preprocessing.ingest.options import IngestOptions
from preprocessing.sources import storage

FACTS_KEY = "image_facts"
# Set by the driver; where the path has a span, so is `span`.
SPAN_KEY = "span"
VERSION_KEY = "version"
FINGERPRINT_KEY = "input_fingerprint"


class Executor(base_beam_executor.BaseBeamExecutor):
    """See `components.image_example_gen.component.ImageExampleGen`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the source records and the image facts of the corpus."""
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        facts = artifact_utils.get_single_instance(output_dict[FACTS_KEY])
        options = from_exec_properties(IngestOptions, exec_properties)
        if storage.is_remote(options.path):
            storage.configure(self._beam_pipeline_args)
        source, resolved = options.open(exec_properties.get(VERSION_KEY))
        report(f"reading images of {resolved.path}")
        summary = ingest.ingest(
            source,
            examples.uri,
            make_pipeline=self._make_beam_pipeline,
            eval_fraction=options.eval_fraction,
            seed=options.seed,
            facts=facts.uri,
        )
        for split, count in summary["left_out"].items():
            logging.warning("%d images of the source's split %r are not used", count, split)
        report(_told(summary), 1.0)
        for artifact in (examples, facts):
            describe_examples(artifact, list(summary["splits"]))
            artifact.set_int_custom_property("span", resolved.span)
            if resolved.version is not None:
                artifact.set_int_custom_property("version", resolved.version)
            if FINGERPRINT_KEY in exec_properties:
                fingerprint = exec_properties[FINGERPRINT_KEY]
                artifact.set_string_custom_property(FINGERPRINT_KEY, fingerprint)


def _told(summary: Mapping[str, Any]) -> str:
    told = ", ".join(f"{count} {split}" for split, count in summary["splits"].items()) + " images"
    left_out = ", ".join(f"{count} of {split}" for split, count in summary["left_out"].items())
    return f"{told}; left out: {left_out}" if left_out else told
