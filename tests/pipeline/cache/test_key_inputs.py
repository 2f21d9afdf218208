import dataclasses
import json

from pipeline.cache.key_inputs import KeyInputs, describe_changes

OLD = KeyInputs(
    executor="components.a.executor.Executor",
    properties={
        "max_side_px": "256",
        "code_digest": "0" * 64,
        "train_config": json.dumps({"max_epochs": 14, "optimizer": {"name": "adamw"}}),
    },
    code={"preprocessing/images/image_ops.py": "1", "components/a/executor.py": "2"},
    packages={"numpy": "1.26.4"},
    inputs={"examples": ["x"]},
)


def change(**changes) -> list[str]:
    return describe_changes(OLD, dataclasses.replace(OLD, **changes))


def test_equal_inputs_have_no_differences_and_one_key():
    copy = KeyInputs.from_json(OLD.to_json())
    assert copy == OLD
    assert copy.key == OLD.key
    assert describe_changes(OLD, copy) == []


def test_each_kind_of_change_is_named():
    properties = {**OLD.properties, "max_side_px": "128"}
    assert change(properties=properties) == ["max_side_px 256 -> 128"]
    assert change(packages={"numpy": "1.26.5"}) == ["package numpy 1.26.4 -> 1.26.5"]
    assert change(packages={**OLD.packages, "cv2": "4"}) == ["package cv2 not used -> 4"]
    assert change(inputs={"examples": ["y"]}) == ["input examples has other content"]
    assert change(executor="b.E") == ["executor components.a.executor.Executor -> b.E"]


def test_a_changed_file_is_named_and_the_digest_of_all_is_not():
    code = {**OLD.code, "preprocessing/images/image_ops.py": "9"}
    properties = {**OLD.properties, "code_digest": "f" * 64}
    assert change(code=code, properties=properties) == [
        "code changed: preprocessing/images/image_ops.py"
    ]
    moved = {"preprocessing/ops/image_ops.py": "1", "components/a/executor.py": "2"}
    assert change(code=moved) == []
    assert dataclasses.replace(OLD, code=moved).key == OLD.key
    assert dataclasses.replace(OLD, properties=properties).key != OLD.key
    many = {f"trainer_module/{i}.py": "1" for i in range(5)}
    [line] = change(code={**OLD.code, **many})
    assert line.endswith("trainer_module/2.py and 2 more")


def test_settings_within_json_are_named():
    config = json.dumps({"max_epochs": 15, "optimizer": {"name": "sgd"}})
    assert change(properties={**OLD.properties, "train_config": config}) == [
        "train_config.max_epochs 14 -> 15",
        'train_config.optimizer.name "adamw" -> "sgd"',
    ]


def test_digests_and_long_values_are_short():
    properties = {**OLD.properties, "input_fingerprint": "ab" * 32, "path": "/x" * 100}
    lines = change(properties=properties)
    assert lines[0] == "input_fingerprint none -> abababab"
    assert len(lines[1]) < 60


def test_unknown_inputs_are_left_out():
    new = dataclasses.replace(OLD, inputs={"examples": [], "schema": []})
    assert describe_changes(OLD, new, unknown=["examples", "schema"]) == []


def test_what_another_version_wrote_is_not_read():
    assert KeyInputs.from_json('{"executor": "x"}') is None
