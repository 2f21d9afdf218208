"""`effnet run`: the whole pipeline on this machine."""

import argparse
from pathlib import Path

from lineage.making.recorder import Recorder
from pipeline import config_file, node_names, preflight
from pipeline.commands import config_options, kubeflow_extra
from pipeline.config import PipelineConfig
from pipeline.runner import session
from preprocessing.errors import InputError


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "run",
        help="run the whole pipeline on this machine",
        description="Runs the whole pipeline on this machine. Exit status: 0 the model was "
        "pushed, 1 it was not blessed, 2 the input was wrong, 3 a step failed.",
    )
    config_options.add_options(parser, "trainer.max_epochs=3")
    parser.add_argument(
        "--output_dir", metavar="DIR", help="folder of the results (runs/<name of the config>)"
    )
    parser.add_argument(
        "--from",
        metavar="NODE",
        dest="first",
        help="start with this node; those before it give their newest results",
    )
    parser.add_argument(
        "--until", metavar="NODE", dest="last", help="end with this node, as in ImagePreprocessor"
    )
    parser.add_argument(
        "--explain_cache",
        action="store_true",
        help="say for each node why it would run or not, and run nothing",
    )
    parser.add_argument(
        "--verbose", action="store_true", help="show what the libraries print, instead of logs"
    )
    parser.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Checks, then runs; nothing heavy is imported before the checks are done."""
    node_names.check(args.first, "--from")
    node_names.check(args.last, "--until")
    config = config_file.load(args.config, args.overrides)
    output_dir = Path(args.output_dir or Path("runs") / Path(args.config).stem).absolute()
    if args.explain_cache:
        if args.first or args.last:
            raise InputError("--explain_cache explains whole runs; give it without --from, --until")
        from pipeline.runner import explain  # brings ml-metadata, which takes seconds

        return explain.run(config, preflight.check_data(config), output_dir)
    data = preflight.check(config, output_dir)
    if config.serving.kserve.enabled:
        _prepare_kserve(config)
    return session.run(
        config,
        data,
        output_dir,
        recorder=Recorder(),
        verbose=args.verbose,
        first=args.first,
        last=args.last,
    )


def _prepare_kserve(config: PipelineConfig) -> None:
    """Looks for the cluster, and lets the Pusher of this process deploy there."""
    kubeflow_extra.need("kubernetes", "serving.kserve")
    from kubeflow import kserve

    serving = config.serving
    kserve.check(
        serving.kserve.options(serving.model_name, serving.push_dir, serving.parity_tolerance)
    )
    kserve.register()
