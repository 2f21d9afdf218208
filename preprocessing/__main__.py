"""`python -m preprocessing SOURCE OUTPUT [settings] [Beam options]`: the data path without TFX.

Below OUTPUT it writes `source` (records as they were found), `transform_graph`, `dataset` (what a
training reads) and `quarantine`. What stands there already is kept: after a failure, the same
command goes on with the step that failed. Options that are not its own are Beam's, as in
`--runner=PortableRunner --job_endpoint=localhost:8099`.
"""

import argparse
import dataclasses
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from preprocessing import features, transform
from preprocessing.errors import InputError
from preprocessing.files.publish import scratch_folder, staged
from preprocessing.images.colors import color_code, parse_color
from preprocessing.ingest import ingest
from preprocessing.sources.opening import AUTO, FORMATS, open_source
from preprocessing.stage import beam_stage
from preprocessing.stage.counts import equations
from preprocessing.stage.duplicates import POLICIES
from preprocessing.stage.options import Settings

BAD_INPUT = 2


def main(arguments: Sequence[str]) -> int:
    """Runs the data path; returns the exit status: 0, or 2 where the input was wrong."""
    options, beam_options = _parser().parse_known_args(arguments)
    logging.getLogger().setLevel(logging.WARNING)
    try:
        for line in run(options, beam_options):
            print(line)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    return 0


def run(options: argparse.Namespace, beam_options: list[str]) -> list[str]:
    """Does what is not done yet; returns what became of the images, a line a split.

    Raises:
      InputError: the corpus or a setting cannot be used.
    """
    settings = _settings(options)
    output = Path(options.output)
    source, graph, dataset = (output / name for name in ("source", "transform_graph", "dataset"))

    def make_pipeline() -> beam.Pipeline:
        return beam.Pipeline(options=PipelineOptions(beam_options))

    if not source.exists():
        corpus = open_source(
            options.source,
            data_format=options.format,
            label_offset=options.label_offset,
            class_names_file=options.class_names_file,
        )
        ingest.ingest(
            corpus,
            str(source),
            make_pipeline=make_pipeline,
            eval_fraction=options.eval_fraction,
            seed=options.seed,
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
        settings=settings,
        make_pipeline=make_pipeline,
    )
    for name in (features.STATISTICS_FILE, features.CLASS_FREQUENCIES_FILE):
        shutil.copyfile(dataset / name, graph / name)
    return equations(counts)


def _settings(options: argparse.Namespace) -> Settings:
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(Settings)}
    try:
        return Settings(**{**values, "background": parse_color(options.background)})
    except ValueError as error:
        raise InputError(str(error)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m preprocessing", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("source", help="folder, manifest, TFRecords or tar shards")
    parser.add_argument("output", help="folder for the result")
    parser.add_argument("--format", choices=FORMATS, default=AUTO)
    parser.add_argument("--label_offset", type=int, default=0)
    parser.add_argument("--class_names_file", default="")
    parser.add_argument("--eval_fraction", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--background", default=color_code(Settings.background))
    parser.add_argument("--on_duplicate", choices=POLICIES, default=Settings.on_duplicate)
    for field in dataclasses.fields(Settings):
        if field.type in (int, float):
            parser.add_argument(f"--{field.name}", type=field.type, default=field.default)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
