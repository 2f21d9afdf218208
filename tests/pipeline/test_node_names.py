from pipeline import config_file
from pipeline.node_names import NODE_NAMES, problem
from pipeline.pipeline import create_pipeline


def test_names_are_those_of_the_pipeline(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("data: {path: x}\nevaluation: {min_top_1: 0.5}\n")
    for override in ("data.schema_file=''", "data.schema_file=/schema.pbtxt"):
        config = config_file.load(path, [override])
        pipeline = create_pipeline(config, pipeline_root="/r", push_dir="/p", beam_args=[])
        assert {component.id for component in pipeline.components} == set(NODE_NAMES)


def test_other_names_are_refused_with_a_hint():
    assert problem("Evaluator") is None
    assert problem("evaluator") == "'evaluator' is none, did you mean 'Evaluator'?"
    assert problem("xyz").startswith("'xyz' is none of ImageExampleGen, ")
