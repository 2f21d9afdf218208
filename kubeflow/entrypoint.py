"""Runs a step of a compiled pipeline in its container: `python -m kubeflow.entrypoint`.

TFX's own entry point (tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor) does not
work with the launcher of Kubeflow Pipelines. This one reads what the launcher gives with
`launcher_input`, asks the node's driver, which nobody else runs there, runs the same executor as
every other runner, and hands on what was made with `launcher_output`.
"""

import argparse
import dataclasses
import datetime
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx import types
from tfx.dsl.components.base import base_beam_executor, base_executor
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as utils
from tfx.orchestration.portable import data_types, outputs_utils
from tfx.utils import import_utils

from components.horovod_trainer import executor as trainer
from components.stored_names import CONTENT_FINGERPRINT, MADE_IN_RUN
from kubeflow import launcher_input, launcher_output, step_record
from pipeline.cache import fingerprints
from pipeline.runner.local_runner import GPU_NODES
from preprocessing import command_line, failures
from preprocessing.files.new_file import write_text

Artifacts = dict[str, list[types.Artifact]]


@dataclasses.dataclass
class Step:
    """A step as TFX knows it.

    Attributes:
      inputs: artifacts with the paths of their files in the container.
      outputs: the same.
      properties: the exec properties.
      name_from_id: the backend's names of artifacts by the numbers that TFX has for them.
    """

    inputs: Artifacts
    outputs: Artifacts
    properties: dict[str, Any]
    name_from_id: dict[int, str]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step; returns the exit status."""
    args, beam_args = _parser().parse_known_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    if args.node_id not in GPU_NODES:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # TensorFlow would take all of its memory
    if args.mpijob:
        add_mpijob_launcher(args.mpijob)
    return command_line.run_command(args.node_id, lambda: _run(args, beam_args))


def add_mpijob_launcher(text: str) -> None:
    """Lets the training run in an MPIJob; only such a step needs Kubernetes' client.

    Args:
      text: the job's options, as JSON.
    """
    from kubeflow import mpijob
    from kubeflow.mpijob_options import JobOptions

    options = JobOptions.model_validate_json(text)
    trainer.LAUNCHERS["mpijob"] = lambda config: mpijob.train(config, options)


def _run(args: argparse.Namespace, beam_args: list[str]) -> int:
    given = launcher_input.parse(args.json_serialized_invocation_args)
    inputs_spec = json.loads(args.json_serialized_inputs_spec_args)
    recorder = step_record.Recorder(
        args.state_dir,
        node=args.node_id,
        executor=args.executor_class_path,
        place=launcher_input.place_of(given),
        inputs=launcher_input.remote_uris(given),
        settings=json.loads(args.settings),
        pipeline=args.pipeline_name,
        started=_now(),
    )
    properties: dict[str, Any] = {}
    try:
        values = launcher_input.mended(given, inputs_spec)
        launcher_input.prepare_folders(values)
        step = _to_tfx(values, inputs_spec)
        properties = step.properties
        if properties.get("kserve"):
            from kubeflow import kserve  # only such a step needs Kubernetes' client

            kserve.register()
        _add_looked_up(args.driver_class_path, step)
        _execute(args.executor_class_path, beam_args, step, values["outputs"]["outputFile"])
        text = _finish(step, recorder.place)
    except BaseException as error:
        recorder.failed(properties, failures.one_line(error), _now())
        raise
    recorder.ran(step.properties, step.outputs, _now())
    launcher_output.mark_empty_folders(step.outputs)
    # Last: with it the step is done.
    output_file = Path(launcher_input.local_file(values["outputs"]["outputFile"]))
    output_file.parent.mkdir(parents=True, exist_ok=True)
    write_text(output_file, text)
    return failures.DONE


def _to_tfx(values: Mapping[str, Any], inputs_spec: Mapping[str, Any]) -> Step:
    parsed = json_format.ParseDict(
        values, pipeline_spec_pb2.ExecutorInput(), ignore_unknown_fields=True
    )
    spec = json_format.ParseDict(inputs_spec, pipeline_spec_pb2.ComponentInputsSpec())
    names: dict[int, str] = {}
    return Step(
        inputs=utils.parse_raw_artifact_dict(parsed.inputs.artifacts, names),
        outputs=utils.parse_raw_artifact_dict(parsed.outputs.artifacts, names),
        properties=utils.parse_execution_properties(parsed.inputs.parameter_values, {}, spec),
        name_from_id=names,
    )


def _add_looked_up(driver: str, step: Step) -> None:
    """Adds the exec properties that the node's driver looks up."""
    if driver:
        info = data_types.ExecutionInfo(
            input_dict=step.inputs, exec_properties=dict(step.properties)
        )
        found = import_utils.import_class_by_path(driver)(None).properties(info)
        step.properties |= {key: value for key, value in found.items() if value is not None}


def _execute(class_path: str, beam_args: list[str], step: Step, output_file: str) -> None:
    executor_class = import_utils.import_class_by_path(class_path)
    task = Path(launcher_input.local_file(output_file)).parent
    common = {"tmp_dir": str(task / ".temp"), "unique_id": task.name}
    if issubclass(executor_class, base_beam_executor.BaseBeamExecutor):
        context = base_beam_executor.BaseBeamExecutor.Context(
            beam_pipeline_args=beam_args, **common
        )
    else:
        context = base_executor.BaseExecutor.Context(extra_flags=beam_args, **common)
    executor_class(context).Do(step.inputs, step.outputs, step.properties)


def _finish(step: Step, place: launcher_input.Place) -> str:
    """Checks and describes what was made; returns the content of the output file."""
    launcher_output.check_places(step.outputs, place)
    outputs_utils.tag_output_artifacts_with_version(step.outputs)
    for artifacts in step.outputs.values():
        for artifact in artifacts:
            # As the local runner does: what content is, and where it was made.
            artifact.set_string_custom_property(
                CONTENT_FINGERPRINT, fingerprints.take(artifact.uri)
            )
            artifact.set_string_custom_property(MADE_IN_RUN, place.run_id)
    return launcher_output.to_json(step.outputs, place, step.name_from_id)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kubeflow.entrypoint", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--node_id", required=True, help="the node, as in the DAG")
    parser.add_argument("--pipeline_name", default="", help="the pipeline")
    parser.add_argument("--executor_class_path", required=True, help="dotted name of the executor")
    parser.add_argument("--driver_class_path", default="", help="dotted name of a PropertyDriver")
    parser.add_argument("--state_dir", default="", help="folder that all runs share")
    parser.add_argument("--settings", default="{}", help="the resolved config, as JSON")
    parser.add_argument("--mpijob", default="", help="options of a training's MPIJob, as JSON")
    parser.add_argument(
        "--json_serialized_invocation_args", required=True, help="what the launcher gives"
    )
    parser.add_argument(
        "--json_serialized_inputs_spec_args", default="{}", help="the component's inputs"
    )
    return parser


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


if __name__ == "__main__":
    sys.exit(main())
