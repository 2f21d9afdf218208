"""The whole pipeline, in the order in which the data flows.

`create_pipeline` reads no environment, no flags and no files: the same arguments give the same
DAG on every machine and for every orchestrator.
"""

import dataclasses

import tensorflow_data_validation as tfdv
from tfx.components import SchemaGen
from tfx.orchestration import pipeline as tfx_pipeline

from components.evaluator.component import Evaluator
from components.example_validator.component import ExampleValidator
from components.example_validator.limits import Limits
from components.horovod_trainer.component import HorovodTrainer
from components.image_example_gen.component import ImageExampleGen
from components.image_preprocessor.component import ImagePreprocessor
from components.import_schema_gen.component import ImportSchemaGen
from components.latest_blessed_model.component import LatestBlessedModel
from components.pusher.component import Pusher
from components.serving_validator.component import ServingValidator
from components.statistics_gen.component import StatisticsGen
from pipeline import beam_options
from pipeline.config import PipelineConfig
from pipeline.evaluation import eval_config, rules
from preprocessing import features
from preprocessing.ingest.options import IngestOptions

# What says something about pictures; columns of a manifest may have any number of values.
STATISTICS_FEATURES = (
    features.FORMAT,
    features.HEIGHT,
    features.WIDTH,
    features.ASPECT_RATIO,
    features.NUM_BYTES,
    features.CLASS_TEXT,
)
# The images of each class are counted up to this many classes; TFDV's own number is 1,000.
MAX_COUNTED_CLASSES = 100_000


@dataclasses.dataclass(frozen=True)
class Kept:
    """Folders in which nodes keep what later runs look up, where no driver looks it up for them.

    Attributes:
      statistics: of the corpora that were accepted; empty: ML Metadata has them.
      unfinished: trainings that were cut off; empty: beside the node's outputs.
    """

    statistics: str = ""
    unfinished: str = ""


def create_pipeline(
    config: PipelineConfig,
    *,
    pipeline_root: str,
    push_dir: str,
    beam_args: list[str],
    kept: Kept | None = None,
) -> tfx_pipeline.Pipeline:
    """Makes the DAG.

    Args:
      config: everything that the nodes depend on.
      pipeline_root: folder or URI for the artifacts.
      push_dir: folder or URI that gets one sub-folder a pushed version.
      beam_args: options of all Beam stages, as on Beam's command line.
      kept: for orchestrators that run no drivers; None: there are drivers.

    Returns:
      The pipeline; a runner gives it ML Metadata and starts its nodes.
    """
    kept = kept or Kept()

    # Reads the corpus, and gives every picture to a split.
    examples = ImageExampleGen(
        **{name: getattr(config.data, name) for name in IngestOptions.model_fields}
    )

    # Counts what the headers and classes say, not the pixels.
    statistics = StatisticsGen(
        examples=examples.outputs["image_facts"],
        stats_options=tfdv.StatsOptions(
            feature_allowlist=list(STATISTICS_FEATURES),
            num_rank_histogram_buckets=MAX_COUNTED_CLASSES,
        ),
    )

    # Writes down which features there are, and the values that they take; or takes a person's word.
    if config.data.schema_file:
        schema = ImportSchemaGen(schema_file=config.data.schema_file).with_id("SchemaGen")
    else:
        schema = SchemaGen(statistics=statistics.outputs["statistics"], infer_feature_shape=True)

    # Compares the statistics with the schema, with limits and with the corpus before; the examples
    # say which files they are that are unusual.
    anomalies = ExampleValidator(
        examples=examples.outputs["examples"],
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        limits=Limits(
            **{field.name: getattr(config.data, field.name) for field in dataclasses.fields(Limits)}
        ),
        on_anomaly=config.data.on_anomaly,
        previous_statistics=config.data.previous_statistics,
        kept_statistics=kept.statistics,
    )

    # Decodes, shrinks and re-encodes every picture, sets bad ones aside, numbers the classes.
    preprocessor = ImagePreprocessor(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        on_duplicate=config.data.on_duplicate,
        **config.preprocessing.model_dump(),
    )

    # After what may refuse the corpus, whose findings change nothing in the records.
    preprocessor.add_upstream_node(anomalies)

    # Trains EfficientNetV2 stage by stage on as many processes as wanted, and exports it.
    trainer = HorovodTrainer(
        examples=preprocessor.outputs["transformed_examples"],
        transform_graph=preprocessor.outputs["transform_graph"],
        train_config=config.trainer.model_copy(
            update={
                # The served model treats raw files as the preprocessing does.
                "background": config.preprocessing.background,
                "max_side_px": config.preprocessing.max_side_px,
                "gray16": config.preprocessing.gray16,
                "max_pixels": config.preprocessing.max_pixels,
                "export_precision": config.serving.precision,
                "export_tflite": config.serving.tflite,
            }
        ),
        unfinished_dir=kept.unfinished,
    )

    # Finds the model that is served now.
    baseline = LatestBlessedModel(model=trainer.outputs["model"], push_dir=push_dir)

    # Measures both on the evaluation split, and decides.
    evaluator = Evaluator(
        examples=preprocessor.outputs["transformed_examples"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["baseline_model"],
        eval_config=eval_config(config.evaluation),
        rules=rules(config.evaluation),
    ).with_beam_pipeline_args(beam_options.ONE_DIRECT_PROCESS)

    # Serves the exported model in a fresh process, and compares it with the trained one.
    serving_validator = ServingValidator(
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        parity_tolerance=config.serving.parity_tolerance,
    )

    # Publishes the model as the newest version, if both checks said yes, and lets KServe serve it.
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_validator.outputs["blessing"],
        push_dir=push_dir,
        kserve=config.serving.kserve.options(
            config.serving.model_name, push_dir, config.serving.parity_tolerance
        ),
        model_run=trainer.outputs["model_run"],
    )

    return tfx_pipeline.Pipeline(
        pipeline_name=config.pipeline.name,
        pipeline_root=pipeline_root,
        components=[
            examples,
            statistics,
            schema,
            anomalies,
            preprocessor,
            trainer,
            baseline,
            evaluator,
            serving_validator,
            pusher,
        ],
        enable_cache=config.pipeline.enable_cache,
        beam_pipeline_args=beam_args,
    )
