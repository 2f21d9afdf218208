"""Records that TensorFlow cannot decode are named: their file, shard and offset."""

import collections
import shutil
from pathlib import Path

import numpy as np
import odd_files
import pytest
import tensorflow as tf
import trainings
from digits_records import write_records

from preprocessing import features
from trainer_module.config import TrainConfig
from trainer_module.data import bad_records, record_index
from trainer_module.data.input_pipeline import eval_dataset, step_examples, train_dataset
from trainer_module.distributed import SingleProcess
from trainer_module.job.processes import FAILED
from trainer_module.stages import Stage

BROKEN_PNG, BROKEN_JPEG = odd_files.png(stream=b"abc"), odd_files.JPEG[:3000]


def record(encoded: bytes | None, name: str | None = None, label: int = 0) -> bytes:
    def of_bytes(value: bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    feature = {features.LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))}
    if encoded is not None:
        feature[features.ENCODED] = of_bytes(encoded)
    if name is not None:
        feature[features.FILENAME] = of_bytes(name.encode())
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def index_of(folder: Path, records: list[bytes]) -> record_index.RecordIndex:
    for shard in range(2):
        write_records(folder / f"train-{shard:05d}-of-00002", records[shard::2])
    return record_index.build_index(record_index.find_shards(str(folder), ["train"]))


def batches_of(index: record_index.RecordIndex, batch: int, *, evaluates: bool = False):
    config = TrainConfig(
        data_dir="d", model_dir="m", train_batch_size=batch, eval_batch_size=batch, eval_img_size=8
    )
    if evaluates:
        dataset = eval_dataset(index, config, 2, SingleProcess())
        examples = range(len(index))
        return bad_records.named_batches(dataset, index, lambda n: examples[n * batch :][:batch])
    stage = Stage(0, 0, 1, 16, 0.0, 0.0, 0.0)
    dataset = train_dataset(index, config, [(stage, 0, 100)], 0, 2, SingleProcess())
    examples = [
        step_examples(config.seed, step, batch, SingleProcess(), len(index))[0]
        for step in range(100)
    ]
    return bad_records.named_batches(dataset, index, lambda number: examples[number])


def good(count: int) -> list[bytes]:
    return [record(odd_files.png(), f"good {number}.png") for number in range(count)]


@pytest.mark.parametrize("evaluates", [False, True])
@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (record(BROKEN_PNG, "cat/a.png"), ["(cat/a.png)", "cannot be decoded: Invalid PNG data"]),
        (record(BROKEN_JPEG, "cat/b.jpg"), ["(cat/b.jpg)", "Invalid JPEG data"]),
        (record(b"no picture"), ["(of an unknown file)", "cannot be decoded: Unknown image"]),
        (record(b"", "cat/empty.png"), ["(cat/empty.png)", "cannot be decoded: Input is empty"]),
    ],
    ids=["png", "jpeg", "text", "empty"],
)
def test_the_record_is_named(tmp_path, evaluates, bad, named):
    records = good(10)
    records[7] = bad  # the fourth of the second shard
    index = index_of(tmp_path, records)
    batches = batches_of(index, 4, evaluates=evaluates)
    with pytest.raises(record_index.DataError) as caught:
        collections.deque(batches, maxlen=0)
    message = str(caught.value)
    offset = 3 * (len(records[1]) + 16)
    assert f"train-00001-of-00002: the record at offset {offset}" in message
    assert all(text in message for text in named)
    assert "\n" not in message
    assert "{{" not in message
    assert message.count("offset") == 1


def test_several_are_counted_and_the_first_ones_named(tmp_path):
    records = [record(BROKEN_PNG, f"{number}.png") for number in range(8)]
    with pytest.raises(record_index.DataError, match="; and 5 more") as caught:
        next(batches_of(index_of(tmp_path, records), 8))
    assert str(caught.value).count("offset") == 3


def test_a_record_of_a_wrong_sum_is_named_too(tmp_path):
    records = good(4)
    index = index_of(tmp_path, records)
    path = tmp_path / "train-00000-of-00002"
    data = bytearray(path.read_bytes())
    data[len(data) - 100] ^= 1
    path.write_bytes(data)
    offset = len(records[0]) + 16
    with pytest.raises(record_index.DataError, match=rf"00000-of-00002: .*offset {offset} is dam"):
        next(batches_of(index, 4))


def test_other_errors_stay_what_they_are(tmp_path):
    records = [*good(3), record(odd_files.png(), "other.png", label=5)]
    with pytest.raises(tf.errors.InvalidArgumentError, match="label must be"):
        next(batches_of(index_of(tmp_path, records), 4))


def test_all_batches_come_where_nothing_is_wrong(tmp_path):
    index = index_of(tmp_path, good(10))
    sizes = [images.shape[0] for images, _ in batches_of(index, 4, evaluates=True)]
    assert sizes == [4, 4, 2]


def test_a_training_ends_with_the_name_and_keeps_its_checkpoints(tmp_path, make_tiny, digits_dir):
    data = tmp_path / "data"
    shutil.copytree(digits_dir, data)
    [shard] = data.glob("eval-*")
    records = [raw.numpy() for raw in tf.data.TFRecordDataset(str(shard))]
    records[20] = record(BROKEN_PNG, "photos/cat/a.png")
    write_records(shard, records)
    settings = {"data_dir": str(data), "max_epochs": 2, "eval_freq": 2, "save_checkpoint_freq": 1}
    config = make_tiny(tmp_path / "model").model_copy(update=settings)
    trainings.end(trainings.start_rank(config), config, FAILED)
    last = trainings.output(config).splitlines()[-1]
    assert last.startswith(f"error: {shard}: the record at offset ")
    assert "(photos/cat/a.png) cannot be decoded: Invalid PNG data" in last
    steps = sorted(int(path.stem.split("-")[1]) for path in trainings.checkpoints(config))
    assert steps == [10]  # the end of the first epoch; the second ends with the evaluation


def test_the_examples_of_a_step_are_those_of_its_batch(tmp_path):
    """What is named is looked for where the batch came from: labels tell them apart."""
    records = [record(odd_files.png(), label=number % 2) for number in range(10)]
    index = index_of(tmp_path, records)
    labels = np.asarray([number % 2 for shard in range(2) for number in range(shard, 10, 2)])
    config = TrainConfig(data_dir="d", model_dir="m", train_batch_size=4)
    for step, (_, targets) in zip(range(5), batches_of(index, 4), strict=False):
        chosen, _ = step_examples(config.seed, step, 4, SingleProcess(), 10)
        np.testing.assert_array_equal(targets.numpy().argmax(1), labels[chosen])
