import pytest
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions

from pipeline.config import EvaluationConfig, PipelineConfig
from pipeline.evaluation import eval_config, rules
from pipeline.pipeline import create_pipeline


def _keys(**settings) -> list[list[str]]:
    found = eval_config(EvaluationConfig(min_top_1=0.5, **settings)).slicing_specs
    return [list(spec.feature_keys) for spec in found]


def test_slices_are_features_of_the_records():
    assert _keys() == [[], ["image/class/text"], ["image/size"], ["image/format"]]
    assert _keys(slices=[], slice_columns=["camera"]) == [[], ["image/column/camera"]]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "at least one rule"),
        ({"min_examples": 100}, "at least one rule"),
        ({"min_worst_slice_top_1": 0.5, "slices": []}, "need something to slice by"),
        ({"min_top_1": 1.1}, "less than or equal to 1"),
        ({"min_top_1": 0.5, "decide_on": "upper_bound"}, "decide_on"),
    ],
)
def test_gate_that_could_not_decide_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        EvaluationConfig(**settings)


def test_every_rule_of_the_config_reaches_the_gate():
    config = EvaluationConfig(
        min_top_1=0.1, min_top_5=0.2, max_top_1_drop=0.3, min_worst_slice_top_1=0.4,
        max_slice_top_1_drop=0.5, min_examples=6, min_slice_examples=7, confidence=0.8,
        decide_on="lower_bound", broken_baseline="skip", slice_columns=["camera"],
    )  # fmt: skip
    made = rules(config)
    for name in EvaluationConfig.model_fields.keys() - {"slices", "slice_columns"}:
        assert getattr(made, name) == getattr(config, name), name
    assert made.columns == ("image/column/camera",)


def test_evaluation_runs_in_one_process_whatever_the_other_nodes_do():
    config = PipelineConfig.model_validate({"data": {"path": "x"}, "evaluation": {"min_top_1": 0}})
    dag = create_pipeline(
        config,
        pipeline_root="root",
        push_dir="served",
        beam_args=["--direct_running_mode=multi_processing", "--direct_num_workers=4"],
    )
    modes = {}
    for component in dag.components:
        if hasattr(component.executor_spec, "beam_pipeline_args"):
            options = PipelineOptions(component.executor_spec.beam_pipeline_args)
            modes[component.id] = options.view_as(DirectOptions).direct_running_mode
    assert modes["Evaluator"] == "in_memory"
    assert modes["ImagePreprocessor"] == "multi_processing"
