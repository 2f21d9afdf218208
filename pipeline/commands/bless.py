"""`effnet bless`: serve a model that the gate did not bless."""

import argparse
import getpass
import json
import time
from pathlib import Path
from typing import Any

from pipeline import config_file, store_uri
from pipeline import output_dir as folders
from pipeline.config import PipelineConfig
from preprocessing import failures
from preprocessing.errors import InputError
from preprocessing.output_capture import OutputCapture

LATEST = "latest"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "bless",
        help="serve a model that the gate did not bless",
        description="Pushes the model of a run that was not blessed. The decision, its reason, "
        "the user and the time are kept in ML Metadata, in a new verdict and beside the version. "
        "A model that failed the serving check is refused. Exit status: 0 the model is served, "
        "2 the input was wrong.",
    )
    parser.add_argument("run", metavar="RUN", help=f"id of a run, or {LATEST}")
    parser.add_argument("--reason", required=True, help="why; one line, which is kept")
    parser.add_argument(
        "--output_dir", metavar="DIR", help="output folder of the run (the only one in runs/)"
    )
    parser.add_argument(
        "--metadata_uri",
        metavar="URI",
        help="where ML Metadata is now, if not where it was in the run",
    )
    parser.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Overrides the gate, and says what is served now."""
    reason = " ".join(args.reason.split())
    if not reason:
        raise InputError("--reason must say why the model is to be served. Received: nothing")
    output_dir = folders.find(args.output_dir)
    run_id = _last_run(output_dir) if args.run == LATEST else args.run
    config = _config(output_dir, run_id)
    if args.metadata_uri:
        store_uri.refuse_password(args.metadata_uri, "--metadata_uri")
    uri = args.metadata_uri or config.pipeline.metadata_uri
    with folders.locked(output_dir), OutputCapture() as capture:
        with capture.to_file(folders.log_dir(output_dir, run_id) / "bless.log"):
            # Importing TFX takes seconds, and prints.
            from components.evaluator.verdict import Override
            from lineage.making import recorder
            from pipeline import bless
            from pipeline.mlmd import connection

            store = connection.connect(uri, output_dir / folders.METADATA_FILE)
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            override = Override(reason, getpass.getuser(), now)
            blessed = bless.bless(store, run_id, override, output_dir / folders.ARTIFACTS_FOLDER)
            _show(output_dir, config, run_id, blessed)
            said = {"status": "pushed", "verdict": blessed.verdict.reason(), "nodes": []}
            told = recorder.update(connection.open_store(store), output_dir, run_id, said)
        for line in blessed.verdict.lines():
            print(line, file=capture.terminal)
        print(f"pushed to  {blessed.destination}", file=capture.terminal)
        for line in told:
            print(line, file=capture.terminal)
    return failures.DONE


def _last_run(output_dir: Path) -> str:
    file = output_dir / folders.SUMMARY_FILE
    if not file.is_file():
        raise InputError(f"no run has ended in {str(output_dir)!r}: there is no {file.name}")
    return json.loads(file.read_text(encoding="utf-8"))["run_id"]


def _config(output_dir: Path, run_id: str) -> PipelineConfig:
    """The resolved config of a run, as it was kept with the report."""
    file = folders.config_file(output_dir, run_id)
    if not file.is_file():
        known = folders.kept_runs(output_dir)
        raise InputError(
            f"RUN must be a run in {str(output_dir)!r}, or {LATEST}. Received: {run_id!r}; the "
            f"last ones are: {', '.join(known[-5:]) or 'none'}"
        )
    return config_file.load(file)


def _show(output_dir: Path, config: PipelineConfig, run_id: str, blessed: Any) -> None:
    """Makes summary and page of the last run say what is served, if it was that run."""
    from pipeline.node_result import NodeResult
    from pipeline.report import node_details, page
    from pipeline.report import summary as summary_lib

    file = output_dir / folders.SUMMARY_FILE
    summary = json.loads(file.read_text(encoding="utf-8"))
    if summary["run_id"] != run_id:
        return
    summary |= {
        "status": summary_lib.PUSHED,
        "verdict": blessed.verdict.reason(),
        "gate": blessed.verdict.lines(),
        "pushed_to": blessed.destination,
    }
    outputs: dict[str, dict[str, Any]] = {}
    for (node, key), artifact in blessed.outputs.items():
        outputs.setdefault(node, {})[key] = artifact.mlmd_artifact
    results = [
        NodeResult(
            id=node["id"],
            state=node["state"],
            secs=node["secs"],
            outputs=outputs.get(node["id"], {}),
            why=node["why"],
        )
        for node in summary["nodes"]
    ]
    folder = folders.report_dir(output_dir, run_id)
    results = node_details.restored(folder, results)
    page_file = folders.report_file(output_dir, run_id)
    page.write(page_file, config, summary, results, folders.log_dir(output_dir, run_id))
    summary_lib.write(file, summary)
