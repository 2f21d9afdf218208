"""The data path without TFX: from a source to a dataset that a training reads."""

import contextlib
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from preprocessing import features, transform
from preprocessing.files.publish import scratch_folder, staged
from preprocessing.files.working_folder import working_folder
from preprocessing.ingest import ingest
from preprocessing.ingest.options import IngestOptions
from preprocessing.stage import beam_stage
from preprocessing.stage.counts import copy_warnings, equations, label_conflict_examples
from preprocessing.stage.options import StageOptions


def run(
    ingest_options: IngestOptions,
    stage_options: StageOptions,
    output: Path,
    beam_args: Sequence[str],
) -> list[str]:
    """Does what is not done yet; returns what became of the images, in lines for people.

    Args:
      ingest_options: which images, and how they are split; paths are absolute.
      stage_options: what is done with each.
      output: an existing folder; gets `source`, `transform_graph`, `dataset` and `quarantine`.
        Its path is absolute.
      beam_args: options of the Beam pipelines.

    Raises:
      InputError: the corpus or a setting cannot be used.
    """
    with scratch_folder(output, "start") as folder, _working_folder(beam_args, folder):
        return _run(ingest_options, stage_options, output, beam_args)


def _working_folder(
    beam_args: Sequence[str], folder: Path
) -> contextlib.AbstractContextManager[None]:
    """Where the work is done: what Beam starts on this machine must not find Python files."""
    runner = PipelineOptions(list(beam_args)).view_as(StandardOptions).runner
    # The paths of other runners' options may be relative.
    on_this_machine = runner in (None, "DirectRunner")
    return working_folder(folder) if on_this_machine else contextlib.nullcontext()


def _run(
    ingest_options: IngestOptions,
    stage_options: StageOptions,
    output: Path,
    beam_args: Sequence[str],
) -> list[str]:
    logging.getLogger().setLevel(logging.INFO)
    source, graph, dataset = (output / name for name in ("source", "transform_graph", "dataset"))

    def make_pipeline() -> beam.Pipeline:
        return beam.Pipeline(options=PipelineOptions(list(beam_args)))

    if not source.exists():
        ingest.ingest(
            ingest_options.open()[0],
            str(source),
            make_pipeline=make_pipeline,
            eval_fraction=ingest_options.eval_fraction,
            seed=ingest_options.seed,
        )
    if not graph.exists():
        with scratch_folder(output, "tft") as temporary, staged(str(graph)) as staging:
            transform.write_transform_graph(
                ingest.index_files(source),
                str(staging),
                make_pipeline=make_pipeline,
                temp_dir=str(temporary),
            )
    counts = beam_stage.preprocess(
        str(source),
        str(dataset),
        str(output / "quarantine"),
        class_names=transform.read_class_names(str(graph)),
        options=stage_options,
        make_pipeline=make_pipeline,
    )
    for name in (features.STATISTICS_FILE, features.CLASS_FREQUENCIES_FILE):
        shutil.copyfile(dataset / name, graph / name)
    summary = json.loads((source / features.INGESTION_FILE).read_text(encoding="utf-8"))
    left_out = [
        f"left out: {count} of the source's split {split!r}"
        for split, count in summary["left_out"].items()
    ]
    warnings = copy_warnings(counts, "--on_duplicate=drop")
    notes = [f"note: {note}" for note in summary["notes"]]
    return [*notes, *left_out, *equations(counts), *warnings, *label_conflict_examples(counts)]
