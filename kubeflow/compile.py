"""Compiles the pipeline for Kubeflow Pipelines v2: the same DAG, as two YAML documents."""

import json
from collections.abc import Mapping
from typing import Any

import yaml
from tfx.dsl.components.base import base_node
from tfx.orchestration import data_types
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as tfx_runner
from tfx.utils import name_utils

from components.property_driver import PropertyDriver
from kubeflow import (
    artifact_types,
    checks,
    mpijob_options,
    placement,
    platform_document,
    state,
)
from pipeline import beam_options, config_file
from pipeline.config import PipelineConfig
from pipeline.kubeflow_config import TRAINER
from pipeline.node_names import NODE_NAMES
from pipeline.pipeline import create_pipeline
from preprocessing.errors import InputError

COMMAND = ("python", "-m", "kubeflow.entrypoint")
# A run without a root gets the cluster's; TFX wants some text where it compiles.
_NO_ROOT = "minio://default"
# Parameters of a run: their name, the node and its parameter that they set, and their type.
RUN_PARAMETERS = (
    ("data_path", "ImageExampleGen", "path", str),
    ("max_epochs", "HorovodTrainer", "max_epochs", int),
    ("num_processes", "HorovodTrainer", "num_processes", int),
)


def compile_config(config: PipelineConfig, image: str) -> str:
    """Compiles the pipeline of a config.

    Args:
      config: the validated config.
      image: container image of all nodes that have none of their own.

    Returns:
      Two YAML documents: the pipeline (schema 2.1.0) and what Kubernetes gives to each step. The
      same input gives the same bytes.

    Raises:
      InputError: a backend would refuse, ignore or fail on something.
    """
    if not image.strip() or any(c.isspace() or c in "{}$" for c in image):
        raise InputError(f"--image must be the name of a container image. Received: {image!r}")
    placement.check(config)
    root, state_dir = config.kubeflow.pipeline_root, config.kubeflow.state_dir
    pipeline = create_pipeline(
        config,
        pipeline_root=root or _NO_ROOT,
        push_dir=f"{config.serving.push_dir.rstrip('/')}/{config.serving.model_name}",
        # How many images there are is not known here; what is run on a cluster is taken for much.
        beam_args=beam_options.beam_args(config.beam, beam_options.MULTI_PROCESSING_MIN_IMAGES),
        kept=state.kept(state_dir, config.pipeline.name),
    )
    defaults = {
        "data_path": config.data.path,
        "max_epochs": config.trainer.max_epochs,
        "num_processes": config.trainer.num_processes,
    }
    set_run_parameters(pipeline, defaults)
    options = {node: config.kubeflow.of_node(node) for node in NODE_NAMES}
    job = mpijob_options.of_config(config, image)
    if job is not None:
        options[TRAINER] = mpijob_options.watching(config)
    return to_yaml(
        pipeline,
        defaults=defaults,
        root=root,
        images={node: options[node].image or image for node in NODE_NAMES},
        containers={
            node: {
                "resources": platform_document.resources(options[node]),
                "env": [{"name": n, "value": v} for n, v in sorted(options[node].env.items())],
            }
            for node in NODE_NAMES
        },
        platform=platform_document.document(
            options, {node: f"{node}_executor" for node in NODE_NAMES}
        ),
        node_arguments={TRAINER: ["--mpijob", job.model_dump_json()]} if job else {},
        arguments=["--state_dir", state_dir] if state_dir else [],
        settings=json.dumps(yaml.safe_load(config_file.dump(config)), sort_keys=True),
    )


def set_run_parameters(pipeline: tfx_pipeline.Pipeline, defaults: Mapping[str, Any]) -> None:
    """Puts parameters of a run where the config's values stood."""
    nodes = {node.id: node for node in pipeline.components}
    for name, node, key, kind in RUN_PARAMETERS:
        nodes[node].spec.exec_properties[key] = data_types.RuntimeParameter(
            name, ptype=kind, default=defaults[name]
        )


def to_yaml(
    pipeline: tfx_pipeline.Pipeline,
    *,
    images: Mapping[str, str],
    platform: Mapping[str, Any],
    defaults: Mapping[str, Any] | None = None,
    root: str = "",
    containers: Mapping[str, Mapping[str, Any]] | None = None,
    arguments: list[str] | None = None,
    node_arguments: Mapping[str, list[str]] | None = None,
    settings: str = "{}",
) -> str:
    """Compiles any TFX pipeline whose components run with our entry point.

    Args:
      pipeline: the pipeline.
      images: container image of each node.
      platform: the platform document.
      defaults: of the pipeline's parameters, by name.
      root: default folder of the artifacts, empty for the cluster's.
      containers: fields to add to a node's container (`resources`, `env`).
      arguments: more arguments of the entry point.
      node_arguments: the same, for one node.
      settings: the resolved config as JSON, for the record of a run.

    Raises:
      InputError: a backend would refuse, ignore or fail on something.
    """
    nodes = {node.id: node for node in pipeline.components}
    for node in pipeline.components:
        checks.check_name(node.id)  # before TFX, which says less
    document = _compile(pipeline, images)
    executors = document["deploymentSpec"]["executors"]
    for node, task in document["root"]["dag"]["tasks"].items():
        task.pop("cachingOptions", None)  # what the cache there misses is in docs/kubeflow.md
        label = document["components"][task["componentRef"]["name"]].get("executorLabel")
        container = executors.get(label, {}).get("container")
        if container is not None:
            container["args"] = [
                *("--node_id", node, "--pipeline_name", pipeline.pipeline_info.pipeline_name),
                *_driver_arguments(nodes[node]),
                # Once is enough: the first step writes it down.
                *([] if task.get("dependentTasks") else ["--settings", settings]),
                *(arguments or []),
                *(node_arguments or {}).get(node, []),
                *container.get("args", []),
            ]
            for key, value in (containers or {}).get(node, {}).items():
                if value:
                    container[key] = value
    declared = document["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, value in (defaults or {}).items():
        declared[name]["defaultValue"] = value
    if root:
        document["defaultPipelineRoot"] = root
    checks.check(document, platform)
    return yaml.safe_dump_all([document, platform], sort_keys=True, allow_unicode=True)


def _driver_arguments(node: base_node.BaseNode) -> list[str]:
    """The driver that the step has to ask itself, if it has one."""
    driver = getattr(node, "DRIVER_CLASS", None)
    if driver is None or not issubclass(driver, PropertyDriver):
        return []
    return ["--driver_class_path", name_utils.get_full_name(driver)]


def _compile(pipeline: tfx_pipeline.Pipeline, images: Mapping[str, str]) -> dict[str, Any]:
    """The pipeline document as TFX writes it."""
    artifact_types.give_titles(pipeline)
    default = next(iter(images.values()))
    runner = tfx_runner.KubeflowV2DagRunner(
        tfx_runner.KubeflowV2DagRunnerConfig(
            default_image={**images, "default_image_path": default},
            default_commands=list(COMMAND),
            use_pipeline_spec_2_1=True,
        )
    )
    return runner.run(pipeline, write_out=False)["pipelineSpec"]
