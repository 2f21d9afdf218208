import hashlib
import json
import shutil

import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.artifacts import Verdict
from components.evaluator import executor, predictions
from components.evaluator.verdict import Verdict as VerdictValue
from pipeline.config import EvaluationConfig
from pipeline.evaluation import eval_config, rules
from preprocessing.errors import InputError

CLASSES = ["ant", "bee", "cat"]
CAMERA = "image/column/camera"


def _sha256(picture: bytes) -> str:
    return hashlib.sha256(picture).hexdigest()


def _record(picture: bytes, i: int) -> bytes:
    """Picture i: classes in turns, the last quarter larger JPEGs, and pictures 0 to 9 by phone."""
    values = {
        "image/encoded": picture,
        "image/class/text": CLASSES[i % 3].encode(),
        "image/filename": f"pictures/{i}.png".encode(),
        "image/sha256": _sha256(picture).encode(),
        "image/format": b"png" if i < 30 else b"jpeg",
        "image/height": 48 if i < 30 else 300,
        "image/width": 200,
    }
    if i < 38:  # the manifest says nothing of the last two
        values[CAMERA] = b"phone" if i < 10 else b"mirror"
    feature = {
        key: tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        if isinstance(value, int)
        else tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for key, value in values.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pictures, write_model, right_answers):
    """40 records, and models that are wrong on none, 4 and 10 of them; one knows other names."""
    folder = tmp_path_factory.mktemp("evaluated")
    split = folder / "examples" / "Split-eval"
    split.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(split / "eval-00000-of-00001")) as writer:
        for i, picture in enumerate(pictures):
            writer.write(_record(picture, i))
    (folder / "empty" / "Split-eval").mkdir(parents=True)
    tf.io.TFRecordWriter(str(folder / "empty" / "Split-eval" / "eval-00000-of-00001")).close()
    for wrong in (0, 4, 10):
        answers = right_answers(pictures, 3, wrong)
        write_model(folder / f"wrong{wrong}" / "Format-Serving", answers, CLASSES)
    reordered = {p: [row[2], row[0], row[1]] for p, row in right_answers(pictures, 3, 0).items()}
    names = [CLASSES[2], *CLASSES[:2]]
    write_model(folder / "reordered" / "Format-Serving", reordered, names)
    # Picture 0, an ant, it cannot decode.
    blind = {p: row for p, row in right_answers(pictures, 3).items() if p != pictures[0]}
    write_model(folder / "blind" / "Format-Serving", blind, CLASSES)
    (folder / "none").mkdir()
    (folder / "broken" / "Format-Serving").mkdir(parents=True)
    (folder / "broken" / "Format-Serving" / "saved_model.pb").write_bytes(b"no graph")
    return folder


@pytest.fixture
def evaluate(folder, tmp_path, artifact):
    def run(model: str, baseline: str, examples_of="examples", workers=1, **settings):
        shutil.rmtree(tmp_path / "evaluation", ignore_errors=True)
        config = EvaluationConfig(**settings)
        examples = artifact(standard_artifacts.Examples, folder / examples_of)
        examples.split_names = '["train", "eval"]'
        outputs = {
            "evaluation": artifact(standard_artifacts.ModelEvaluation, tmp_path / "evaluation"),
            "blessing": artifact(standard_artifacts.ModelBlessing, tmp_path / "blessing"),
            "verdict": artifact(Verdict, tmp_path / "verdict"),
        }
        context = base_beam_executor.BaseBeamExecutor.Context(
            beam_pipeline_args=[
                f"--direct_running_mode={'in_memory' if workers == 1 else 'multi_threading'}",
                f"--direct_num_workers={workers}",
            ],
            tmp_dir=str(tmp_path / "tmp"),
            unique_id="1",
        )
        executor.Executor(context).Do(
            {
                "examples": [examples],
                "model": [artifact(standard_artifacts.Model, folder / model)],
                "baseline_model": [artifact(standard_artifacts.Model, folder / baseline)],
            },
            {key: [value] for key, value in outputs.items()},
            {
                "eval_config": proto_utils.proto_to_json(eval_config(config)),
                "rules": rules(config).to_json(),
            },
        )
        result = VerdictValue.from_json((tmp_path / "verdict" / "verdict.json").read_text())
        blessing = outputs["blessing"]
        assert bool(blessing.get_int_custom_property("blessed")) == result.blessed
        assert (tmp_path / "blessing" / ("BLESSED" if result.blessed else "NOT_BLESSED")).exists()
        assert blessing.get_string_custom_property("reason") == result.reason()
        return result, outputs["verdict"]

    return run


def _top_1(verdict: VerdictValue, feature: str) -> dict[str, tuple[int, float]]:
    """Images and top-1 by value of a feature."""
    return {
        entry["slice"][feature]: (entry["example_count"], pytest.approx(entry["top_1"]))
        for entry in verdict.slices
        if feature in entry["slice"]
    }


def test_first_model_is_judged_by_its_own_accuracy(evaluate, tmp_path):
    verdict, artifact = evaluate("wrong4", "none", min_top_1=0.9, max_top_1_drop=0.0)
    assert verdict.blessed
    assert verdict.metrics["top_1"] == 36 / 40  # the bound itself is enough
    assert verdict.metrics["top_5"] == 1.0
    assert verdict.metrics["example_count"] == 40
    assert verdict.baseline is None
    assert [rule.text for rule in verdict.rules] == [
        "top-1 0.9000 [0.7695, 0.9604], minimum 0.9000"
    ]
    lines = (tmp_path / "verdict" / "verdict.txt").read_text().splitlines()
    assert lines[0] == "top-1 0.9000 [0.7695, 0.9604], minimum 0.9000: blessed"
    assert lines[1] == "no other model is served: rules about a change do not apply"
    assert lines[-1] == "blessed"
    assert artifact.get_int_custom_property("blessed") == 1
    assert artifact.get_float_custom_property("top_1_low") == pytest.approx(0.7695, abs=1e-4)


def test_slices_classes_and_confusion_matrix(evaluate, tmp_path):
    verdict, _ = evaluate("wrong4", "none", min_top_1=0.9, slice_columns=["camera"])
    # Wrong are the pictures 0 to 3: ant, bee, cat, ant. Each class has 13 or 14.
    by_class = {"ant": (14, 12 / 14), "bee": (13, 12 / 13), "cat": (13, 12 / 13)}
    assert _top_1(verdict, "image/class/text") == by_class
    assert _top_1(verdict, "image/format") == {"png": (30, 26 / 30), "jpeg": (10, 1.0)}
    by_size = {"32 to 63 px": (30, 26 / 30), "128 to 255 px": (10, 1.0)}
    assert _top_1(verdict, "image/size") == by_size
    assert _top_1(verdict, CAMERA) == {"phone": (10, 0.6), "mirror": (28, 1.0)}
    assert verdict.slices[0]["slice"] == {CAMERA: "phone"}
    worst = verdict.classes[0]
    assert (worst["class"], worst["images"], worst["predicted"]) == ("ant", 14, 13)
    assert (worst["recall"], worst["precision"]) == (12 / 14, 12 / 13)
    assert (worst["taken_for"], worst["taken_for_count"]) == ("bee", 2)
    cells = json.loads((tmp_path / "verdict" / "confusion.json").read_text())
    counts = {(c["actual"], c["predicted"]): c["count"] for c in cells}
    assert counts == {(0, 0): 12, (1, 1): 12, (2, 2): 12, (0, 1): 2, (1, 2): 1, (2, 0): 1}
    # All answers have 0.9, and 36 of 40 are right: calibrated exactly.
    assert verdict.metrics["expected_calibration_error"] == pytest.approx(0.0, abs=1e-6)
    [full] = [entry for entry in verdict.calibration if entry["count"]]
    assert (full["count"], full["accuracy"]) == (40, 0.9)
    assert "ant: recall 0.8571" in (tmp_path / "verdict" / "verdict.txt").read_text()


def test_answer_for_each_image_is_written_down(evaluate, tmp_path, pictures):
    """wrong10 takes pictures 0 to 9 for the next class; wrong4 knows all but the first four."""
    evaluate("wrong10", "wrong4", min_top_1=0.5)
    rows = pq.read_table(tmp_path / "evaluation" / predictions.FILE).to_pylist()
    assert [row["sha256"] for row in rows] == sorted(_sha256(picture) for picture in pictures)
    by_uri = {row["uri"]: row for row in rows}
    assert len(by_uri) == 40
    for i, picture in enumerate(pictures):
        row = by_uri[f"pictures/{i}.png"]
        right, wrong = CLASSES[i % 3], CLASSES[(i + 1) % 3]
        assert (row["sha256"], row["split"], row["class"]) == (_sha256(picture), "eval", right)
        for prefix, number in (("", 10), ("baseline_", 4)):
            said = wrong if i < number else right
            assert row[f"{prefix}predicted"] == said == row[f"{prefix}top_classes"][0]
            assert row[f"{prefix}probability"] == pytest.approx(0.9)
            own = 0.05 if i < number else 0.9
            assert row[f"{prefix}class_probability"] == pytest.approx(own)
            assert row[f"{prefix}correct"] == (i >= number)
            assert row[f"{prefix}correct_top_5"] is True
            assert sorted(row[f"{prefix}top_classes"]) == CLASSES
            assert row[f"{prefix}top_probabilities"] == pytest.approx([0.9, 0.05, 0.05])
    # What the workers wrote is used up.
    assert not [path for path in (tmp_path / "evaluation").iterdir() if path.is_dir()]


def test_answers_do_not_depend_on_workers(evaluate, tmp_path):
    contents = []
    for workers in (1, 3):
        evaluate("wrong4", "reordered", workers=workers, min_top_1=0.5)
        contents.append((tmp_path / "evaluation" / predictions.FILE).read_bytes())
    assert contents[0] == contents[1]


def test_too_low_is_not_blessed_and_says_why(evaluate):
    verdict, artifact = evaluate("wrong4", "none", min_top_1=0.95)
    assert not verdict.blessed
    said = "not blessed: top-1 0.9000 [0.7695, 0.9604], minimum 0.9500"
    assert verdict.reason() == said
    assert artifact.get_string_custom_property("reason") == said


def test_worse_than_the_served_model_is_not_blessed(evaluate, tmp_path):
    verdict, _ = evaluate("wrong10", "wrong4", min_top_1=0.5, max_top_1_drop=0.1)
    assert not verdict.blessed
    assert verdict.baseline["top_1"] == 36 / 40
    assert verdict.reason() == (
        "not blessed: top-1 0.7500 [0.5981, 0.8581], baseline 0.9000, "
        "change -0.1500 [-0.2907, -0.0492], allowed -0.1000"
    )
    assert verdict.change["top_1"]["lost"] == 6
    assert verdict.change["top_1"]["p_value"] == pytest.approx(2 / 2**6)
    # TFMA's own tools read its part.
    for name, top_1 in ((tfma.CANDIDATE_KEY, 30 / 40), (tfma.BASELINE_KEY, 36 / 40)):
        result = tfma.load_eval_result(str(tmp_path / "evaluation"), model_name=name)
        [overall] = [metrics[""][""] for key, metrics in result.slicing_metrics if not key]
        assert overall["top_1"] == {"doubleValue": pytest.approx(top_1)}
        assert overall["example_count"] == {"doubleValue": 40}


def test_regression_that_only_a_slice_shows_is_caught(evaluate, tmp_path):
    """Six of ten phone pictures are lost; over all images that is within what is allowed."""
    verdict, _ = evaluate(
        "wrong10",
        "wrong4",
        min_top_1=0.7,
        max_top_1_drop=0.2,
        max_slice_top_1_drop=0.5,
        slice_columns=["camera"],
        min_slice_examples=10,
    )
    assert [rule.passed for rule in verdict.rules] == [True, True, False]
    assert verdict.reason().startswith(
        "not blessed: top-1 of the slice that lost most, camera=phone (10 images): 0.0000 "
    )
    text = (tmp_path / "verdict" / "verdict.txt").read_text()
    assert "slices that got worse:\n  camera=phone (10 images): top-1 0.0000, baseline" in text


def test_better_than_the_served_model_whose_classes_have_another_order(evaluate):
    verdict, _ = evaluate("wrong0", "reordered", max_top_1_drop=0.0)
    assert verdict.blessed, verdict.reason()
    assert verdict.baseline["top_1"] == 1.0


def test_picture_without_an_answer_is_wrong(evaluate, tmp_path):
    verdict, _ = evaluate("blind", "none", min_top_1=0.99)
    assert not verdict.blessed
    assert (verdict.metrics["top_1"], verdict.metrics["unanswered"]) == (39 / 40, 1)
    assert sum(entry["count"] for entry in verdict.calibration) == 39
    rows = pq.read_table(tmp_path / "evaluation" / predictions.FILE).to_pylist()
    [row] = [row for row in rows if row["predicted"] is None]
    assert (row["uri"], row["class"], row["correct"]) == ("pictures/0.png", "ant", False)
    assert (row["probability"], row["top_classes"], row["baseline_correct"]) == (None, None, None)


def test_baseline_whose_answers_are_no_numbers_is_broken(evaluate):
    with pytest.raises(InputError, match="probabilities are not finite"):
        evaluate("wrong4", "blind", max_top_1_drop=0.0)


def test_broken_baseline_ends_the_evaluation_or_is_left_out(evaluate):
    with pytest.raises(InputError, match=r"version .* cannot be used .*broken_baseline=skip"):
        evaluate("wrong4", "broken", max_top_1_drop=0.0)
    verdict, _ = evaluate(
        "wrong4", "broken", min_top_1=0.5, max_top_1_drop=0.0, broken_baseline="skip"
    )
    assert verdict.blessed
    assert verdict.baseline is None
    [note] = [line for line in verdict.lines() if "cannot be used" in line]
    assert note.endswith("rules about a change do not apply")


def test_column_that_no_image_has_is_the_persons_to_mend(evaluate):
    with pytest.raises(InputError, match="Received: 'lens'"):
        evaluate("wrong4", "none", min_top_1=0.5, slice_columns=["lens"])


def test_split_without_images_is_the_persons_to_mend(evaluate):
    with pytest.raises(InputError, match="holds no images"):
        evaluate("wrong4", "none", examples_of="empty", min_top_1=0.5)
