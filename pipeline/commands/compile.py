"""`effnet compile`: the pipeline for Kubeflow Pipelines."""

import argparse
from pathlib import Path

from pipeline import config_file
from pipeline.commands import config_options, kubeflow_extra
from preprocessing import failures
from preprocessing.errors import InputError
from preprocessing.files.new_file import write_text
from preprocessing.output_capture import OutputCapture


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "compile",
        help="compile the pipeline for Kubeflow Pipelines",
        description="Compiles the pipeline for Kubeflow Pipelines v2, from the same config. What "
        "a cluster would refuse, or fail on later, is refused here.",
    )
    config_options.add_options(parser, "data.path=/data/digits")
    parser.add_argument("--image", required=True, help="container image of the steps")
    parser.add_argument(
        "-o", "--output", metavar="FILE", default="pipeline.yaml", help="ends in .yaml"
    )
    parser.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Compiles and writes the file."""
    config = config_file.load(args.config, args.overrides)
    path = Path(args.output)
    if path.suffix != ".yaml":
        raise InputError(f"--output must end in .yaml. Received: {args.output!r}")
    kubeflow_extra.need("kfp", "`effnet compile`")
    with OutputCapture() as capture, capture.to_file(Path("/dev/null")):
        from kubeflow import compile as compiler  # brings TFX, which takes seconds and prints

        text = compiler.compile_config(config, args.image)
        try:
            write_text(path, text)
        except OSError as error:
            raise InputError(f"--output cannot be written: {path}: {error.strerror}") from None
    print(f"{path}: pipeline {config.pipeline.name} for {args.image}")
    for note in _notes(config):
        print(f"note: {note}")
    return failures.DONE


def _notes(config) -> list[str]:
    """What of the config means nothing on a cluster, or is missing there."""
    notes = []
    if config.pipeline.metadata_uri:
        notes.append("pipeline.metadata_uri is for runs on one machine; a cluster has its own")
    if not config.kubeflow.state_dir:
        notes.append(
            "kubeflow.state_dir is empty: images are not compared with those of the run before, "
            "no record of a run is kept, and a training that is cut off begins anew"
        )
    return notes
