"""From a checked config to the DAG of a run on this machine."""

from pathlib import Path

from pipeline import beam_options
from pipeline.config import PipelineConfig
from pipeline.dag import Dag
from pipeline.node_names import NODE_NAMES
from pipeline.output_dir import ARTIFACTS_FOLDER, SERVING_FOLDER
from pipeline.pipeline import create_pipeline
from preprocessing.sources import storage
from preprocessing.sources.base import Survey


def make_dag(
    config: PipelineConfig, data: Survey, output_dir: Path, run_id: str, connection
) -> Dag:
    """Makes the DAG, which does not depend on the folder in which the command was started.

    Args:
      config: the validated config.
      data: what a look at its data told.
      output_dir: absolute path of the run's output folder.
      run_id: names the run in ML Metadata.
      connection: where ML Metadata is.
    """
    paths = ("path", "class_names_file", "schema_file", "previous_statistics")
    data_paths = {name: storage.absolute(getattr(config.data, name)) for name in paths}
    weights = config.trainer.init_weights and str(Path(config.trainer.init_weights).absolute())
    located = config.model_copy(
        update={
            "data": config.data.model_copy(update=data_paths),
            "trainer": config.trainer.model_copy(update={"init_weights": weights}),
        }
    )
    pipeline = create_pipeline(
        located,
        pipeline_root=str(output_dir / ARTIFACTS_FOLDER),
        push_dir=str(push_dir(config, output_dir)),
        beam_args=beam_options.beam_args(config.beam, data.num_images),
    )
    return Dag(pipeline, run_id, connection)


def push_dir(config: PipelineConfig, output_dir: Path) -> Path:
    """Folder of the versions of the config's model."""
    serving = config.serving.push_dir or output_dir / SERVING_FOLDER
    return Path(serving).absolute() / config.serving.model_name


def cache_off(config: PipelineConfig) -> dict[str, str]:
    """The nodes that must not be taken from the cache, and why."""
    section = config.pipeline
    off = {name: f"pipeline.no_cache has {name}" for name in section.no_cache}
    if not section.enable_cache:
        off |= dict.fromkeys(NODE_NAMES, "pipeline.enable_cache is false")
    return off
