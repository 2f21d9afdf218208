import pandas as pd
import tensorflow_data_validation as tfdv

from components.example_validator.class_changes import class_counts
from pipeline import config_file
from pipeline.dag import Dag
from pipeline.mlmd.connection import locate
from pipeline.node_names import NODE_NAMES, problem
from pipeline.pipeline import create_pipeline
from preprocessing import features


def test_names_are_those_of_the_pipeline(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("data: {path: x}\nevaluation: {min_top_1: 0.5}\n")
    for override in ("data.schema_file=''", "data.schema_file=/schema.pbtxt"):
        config = config_file.load(path, [override])
        pipeline = create_pipeline(config, pipeline_root="/r", push_dir="/p", beam_args=[])
        assert {component.id for component in pipeline.components} == set(NODE_NAMES)


def test_preprocessing_waits_for_what_may_refuse_the_corpus(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("data: {path: x}\nevaluation: {min_top_1: 0.5}\n")
    config = config_file.load(path)
    pipeline = create_pipeline(config, pipeline_root="/r", push_dir="/p", beam_args=[])
    dag = Dag(pipeline, "run", locate("", tmp_path / "metadata.sqlite"))
    assert "ExampleValidator" in dag.ancestors("ImagePreprocessor")
    assert list(dag.nodes).index("ExampleValidator") < list(dag.nodes).index("ImagePreprocessor")


def test_all_classes_are_counted_however_many(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("data: {path: x}\nevaluation: {min_top_1: 0.5}\n")
    config = config_file.load(path)
    pipeline = create_pipeline(config, pipeline_root="/r", push_dir="/p", beam_args=[])
    [node] = [c for c in pipeline.components if c.id == "StatisticsGen"]
    options = tfdv.StatsOptions.from_json(node.exec_properties["stats_options_json"])
    options.feature_allowlist = None  # the column of a table is no record
    table = pd.DataFrame({features.CLASS_TEXT: [f"class {i}" for i in range(2500)] * 2})
    statistics = tfdv.generate_statistics_from_dataframe(table, options, n_jobs=1)
    counts = class_counts(statistics)
    assert len(counts) == 2500
    assert set(counts.values()) == {2}


def test_other_names_are_refused_with_a_hint():
    assert problem("Evaluator") is None
    assert problem("evaluator") == "'evaluator' is none, did you mean 'Evaluator'?"
    assert problem("xyz").startswith("'xyz' is none of ImageExampleGen, ")
