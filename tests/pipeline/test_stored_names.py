"""Names under which ML Metadata keeps what ran: code that moves must not change them.

What is queried by them (the cache, histories, lineage) would not find what ran before.
"""

import pytest
from tfx.types import artifact

from components import artifacts
from components.stored_names import CONTENT_FINGERPRINT, MADE_IN_RUN
from pipeline import config_file
from pipeline.pipeline import create_pipeline

# By node: the type of its executions, and those of its outputs.
TYPES = {
    "ImageExampleGen": (
        "components.image_example_gen.component.ImageExampleGen",
        {"examples": "Examples", "image_facts": "Examples"},
    ),
    "StatisticsGen": (
        "tfx.components.statistics_gen.component.StatisticsGen",
        {"statistics": "ExampleStatistics"},
    ),
    "SchemaGen": ("tfx.components.schema_gen.component.SchemaGen", {"schema": "Schema"}),
    "ExampleValidator": (
        "components.example_validator.component.ExampleValidator",
        {"anomalies": "ExampleAnomalies"},
    ),
    "ImagePreprocessor": (
        "components.image_preprocessor.component.ImagePreprocessor",
        {
            "transformed_examples": "Examples",
            "transform_graph": "TransformGraph",
            "quarantine": "Quarantine",
        },
    ),
    "HorovodTrainer": (
        "components.horovod_trainer.component.HorovodTrainer",
        {"model": "Model", "model_run": "ModelRun"},
    ),
    "LatestBlessedModel": (
        "components.latest_blessed_model.component.LatestBlessedModel",
        {"baseline_model": "Model"},
    ),
    "Evaluator": (
        "components.evaluator.component.Evaluator",
        {"evaluation": "ModelEvaluation", "blessing": "ModelBlessing", "verdict": "Verdict"},
    ),
    "ServingValidator": (
        "components.serving_validator.component.ServingValidator",
        {"blessing": "InfraBlessing"},
    ),
    "Pusher": ("components.pusher.component.Pusher", {"pushed_model": "PushedModel"}),
}


def pipeline_of(tmp_path, *overrides: str):
    path = tmp_path / "config.yaml"
    path.write_text("data: {path: x}\nevaluation: {min_top_1: 0.5}\n")
    config = config_file.load(path, list(overrides))
    return create_pipeline(config, pipeline_root="/r", push_dir="/p", beam_args=[])


def stored_names(component) -> tuple[str, dict[str, str]]:
    outputs = {key: channel.type_name for key, channel in component.outputs.items()}
    return component.type, outputs


@pytest.mark.parametrize("node", TYPES)
def test_executions_and_artifacts_keep_their_types(tmp_path, node):
    [component] = [c for c in pipeline_of(tmp_path).components if c.id == node]
    assert stored_names(component) == TYPES[node]


def test_every_node_has_its_names_here(tmp_path):
    assert {component.id for component in pipeline_of(tmp_path).components} == set(TYPES)


def test_a_schema_of_a_person_is_filed_like_an_inferred_one(tmp_path):
    components = pipeline_of(tmp_path, "data.schema_file=/schema.pbtxt").components
    [component] = [c for c in components if c.id == "SchemaGen"]
    assert stored_names(component) == (
        "components.import_schema_gen.component.ImportSchemaGen",
        {"schema": "Schema"},
    )


def test_own_types_of_artifacts_and_their_properties_keep_their_names():
    own = {
        cls.TYPE_NAME
        for cls in vars(artifacts).values()
        if isinstance(cls, type) and issubclass(cls, artifact.Artifact)
    }
    assert own - {None} == {"Quarantine", "Verdict"}
    assert CONTENT_FINGERPRINT == "content_fingerprint"
    assert MADE_IN_RUN == "made_in_run"
