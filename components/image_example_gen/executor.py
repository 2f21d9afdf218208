"""Runs the ingestion of ImageExampleGen."""

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_component_specs

from components.examples import describe_examples
from components.progress import report
from preprocessing import ingest

PATH_KEY = "path"
EVAL_FRACTION_KEY = "eval_fraction"
SEED_KEY = "seed"
FACTS_KEY = "image_facts"
FINGERPRINT_KEY = "input_fingerprint"  # set by the driver


class Executor(base_beam_executor.BaseBeamExecutor):
    """See `components.image_example_gen.component.ImageExampleGen`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the source records of the image folder."""
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        facts = artifact_utils.get_single_instance(output_dict[FACTS_KEY])
        source = exec_properties[PATH_KEY]
        report(f"reading images of {source}")
        counts = ingest.ingest(
            source,
            examples.uri,
            make_pipeline=self._make_beam_pipeline,
            eval_fraction=exec_properties[EVAL_FRACTION_KEY],
            seed=exec_properties[SEED_KEY],
            facts=facts.uri,
        )
        report(", ".join(f"{count} {split}" for split, count in counts.items()) + " images", 1.0)
        for artifact in (examples, facts):
            describe_examples(artifact, list(counts))
            artifact.set_int_custom_property("span", 0)
            if FINGERPRINT_KEY in exec_properties:
                fingerprint = exec_properties[FINGERPRINT_KEY]
                artifact.set_string_custom_property(FINGERPRINT_KEY, fingerprint)
