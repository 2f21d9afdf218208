import json

import pytest
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.artifacts import Verdict
from components.evaluator import executor
from components.evaluator.verdict import Verdict as VerdictValue
from pipeline.config import EvaluationConfig
from pipeline.evaluation import eval_config

CLASSES = ["ant", "bee", "cat"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pictures, write_model, write_records, right_answers):
    """40 records, and models that are wrong on none, 4 and 10 of them; one knows other names."""
    folder = tmp_path_factory.mktemp("evaluated")
    rows = [(picture, CLASSES[i % 3]) for i, picture in enumerate(pictures)]
    write_records(folder / "examples" / "Split-eval" / "eval-00000-of-00001", rows)
    for wrong in (0, 4, 10):
        answers = right_answers(pictures, 3, wrong)
        write_model(folder / f"wrong{wrong}" / "Format-Serving", answers, CLASSES)
    reordered = {p: [row[2], row[0], row[1]] for p, row in right_answers(pictures, 3, 0).items()}
    names = [CLASSES[2], *CLASSES[:2]]
    write_model(folder / "reordered" / "Format-Serving", reordered, names)
    (folder / "none").mkdir()
    return folder


@pytest.fixture
def evaluate(folder, tmp_path, artifact):
    def run(model: str, baseline: str, **rules) -> tuple[bool, VerdictValue]:
        examples = artifact(standard_artifacts.Examples, folder / "examples")
        examples.split_names = '["train", "eval"]'
        examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
        blessing = artifact(standard_artifacts.ModelBlessing, tmp_path / "blessing")
        context = base_beam_executor.BaseBeamExecutor.Context(
            beam_pipeline_args=["--direct_running_mode=in_memory"],
            tmp_dir=str(tmp_path / "tmp"),
            unique_id="1",
        )
        executor.Executor(context).Do(
            {
                "examples": [examples],
                "model": [artifact(standard_artifacts.Model, folder / model)],
                "baseline_model": [artifact(standard_artifacts.Model, folder / baseline)],
            },
            {
                "evaluation": [
                    artifact(standard_artifacts.ModelEvaluation, tmp_path / "evaluation")
                ],
                "blessing": [blessing],
                "verdict": [artifact(Verdict, tmp_path / "verdict")],
            },
            {"eval_config": proto_utils.proto_to_json(eval_config(EvaluationConfig(**rules)))},
        )
        result = VerdictValue.from_json((tmp_path / "verdict" / "verdict.json").read_text())
        return bool(blessing.get_int_custom_property("blessed")), result

    return run


def test_first_model_is_judged_by_its_own_accuracy(evaluate, tmp_path):
    blessed, verdict = evaluate("wrong4", "none", min_top_1=0.9, max_top_1_drop=0.0)
    assert blessed
    assert verdict.blessed
    assert verdict.metrics["top_1"] == pytest.approx(36 / 40)  # the bound itself is enough
    assert verdict.metrics["top_5"] == 1.0
    assert verdict.metrics["example_count"] == 40
    assert verdict.baseline is None
    assert [rule.text for rule in verdict.rules] == ["top-1 0.9000, minimum 0.9000"]
    assert "nothing to compare with" in (tmp_path / "verdict" / "verdict.txt").read_text()


def test_slices_and_confusion_matrix(evaluate, tmp_path):
    _, verdict = evaluate("wrong4", "none", min_top_1=0.9)
    by_class = {s["slice"]["image/class/text"]: s["top_1"] for s in verdict.slices}
    # Wrong are the pictures 0 to 3: ant, bee, cat, ant. Each class has 13 or 14.
    assert by_class == {
        "ant": pytest.approx(12 / 14),
        "bee": pytest.approx(12 / 13),
        "cat": pytest.approx(12 / 13),
    }
    assert verdict.slices[0]["slice"]["image/class/text"] == "ant"
    cells = json.loads((tmp_path / "verdict" / "confusion.json").read_text())
    counts = {(c["actual"], c["predicted"]): c["count"] for c in cells if c["count"]}
    assert counts == {(0, 0): 12, (1, 1): 12, (2, 2): 12, (0, 1): 2, (1, 2): 1, (2, 0): 1}


def test_too_low_is_not_blessed_and_says_why(evaluate):
    blessed, verdict = evaluate("wrong4", "none", min_top_1=0.95)
    assert not blessed
    assert verdict.reason() == "not blessed: top-1 0.9000, minimum 0.9500"


def test_worse_than_the_served_model_is_not_blessed(evaluate):
    blessed, verdict = evaluate("wrong10", "wrong4", min_top_1=0.5, max_top_1_drop=0.1)
    assert not blessed
    assert verdict.baseline["top_1"] == pytest.approx(36 / 40)
    assert verdict.reason() == (
        "not blessed: top-1 0.7500, baseline 0.9000, change -0.1500, allowed -0.1000"
    )


def test_better_than_the_served_model_whose_classes_have_another_order(evaluate):
    blessed, verdict = evaluate("wrong0", "reordered", max_top_1_drop=0.0)
    assert blessed, verdict.reason()
    assert verdict.baseline["top_1"] == 1.0
