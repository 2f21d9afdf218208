"""`effnet submit`: run a compiled pipeline on Kubeflow Pipelines."""

import argparse
import functools
import sys
from pathlib import Path

from pipeline.commands import cluster_options, kubeflow_extra
from preprocessing import failures


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "submit",
        help="run a compiled pipeline on Kubeflow Pipelines",
        description="Submits a file of `effnet compile`, and prints the page of the run. The token "
        "is in a file or a variable, never on the command line. Exit status with --wait: 0 the run "
        "succeeded, 3 it failed.",
    )
    parser.add_argument("file", metavar="FILE", help="of `effnet compile`")
    cluster_options.add_options(parser, required=True)
    parser.add_argument(
        "--param",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter of the run, as in max_epochs=3; can be given again",
    )
    parser.add_argument(
        "--pipeline_root", metavar="URI", help="bucket and folder of artifacts (the config's)"
    )
    parser.add_argument(
        "--service_account", metavar="NAME", default="", help="of the steps (the cluster's)"
    )
    end = parser.add_mutually_exclusive_group()
    end.add_argument(
        "--recurring",
        metavar="CRON",
        help="again and again, as in '0 3 * * *' for each day at 3:00; in the cluster's time zone",
    )
    end.add_argument(
        "--wait", action="store_true", help="say what becomes of each step, and end with the run"
    )
    parser.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Submits, and waits where that is asked for."""
    from kubeflow.submission import cron

    kubeflow_extra.need("kfp", "`effnet submit`")
    schedule = "" if args.recurring is None else cron.six_fields(args.recurring)
    client = cluster_options.client(args)
    from kubeflow.submission import follow, pipeline_file, submit  # kfp takes seconds

    file = pipeline_file.read(Path(args.file))
    order = submit.Order(
        file=file,
        parameters=file.parameters(args.param),
        root=file.root(args.pipeline_root),
        namespace=cluster_options.object_name("--namespace", args.namespace),
        service_account=cluster_options.object_name("--service_account", args.service_account),
        cron=schedule,
    )
    created = submit.submit(client, order)
    when = f", at {schedule} (second, minute, hour, day, month, weekday)" if schedule else ""
    print(f"{created.name}{when}\n{created.link}", flush=True)
    if not args.wait:
        return failures.DONE
    try:
        return follow.follow(client, created.id, file.steps, functools.partial(print, flush=True))
    except BaseException:
        print(f"effnet: the run goes on: {created.link}", file=sys.stderr)
        raise
