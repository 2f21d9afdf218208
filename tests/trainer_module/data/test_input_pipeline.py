"""The batches that a training sees."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from digits_records import example, write_records
from stand_ins import OneOfRanks

from preprocessing import features
from trainer_module.data import record_index
from trainer_module.data.input_pipeline import eval_dataset, train_dataset
from trainer_module.distributed import SingleProcess
from trainer_module.schedule import Schedule
from trainer_module.stages import stage_schedule

CLASSES = 10


@pytest.fixture(scope="module")
def batches(digits_dir, make_tiny):
    def make(first: int, end: int, ranks=None, **changes):
        config = make_tiny(Path("unused")).model_copy(update=changes)
        index = record_index.build_index(record_index.find_shards(str(digits_dir), ("train",)))
        stages = [(stage_schedule(config)[-1], first, end)]
        ranks = ranks or SingleProcess()
        dataset = train_dataset(index, config, stages, first, CLASSES, ranks)
        return list(dataset.as_numpy_iterator())

    return make


@pytest.fixture(scope="module")
def whole(batches):
    """The first steps with the settings as they are."""
    return batches(0, 12)


def equal(one, other) -> bool:
    arrays, others = ([array for batch in batches for array in batch] for batches in (one, other))
    return all(np.array_equal(a, b) for a, b in zip(arrays, others, strict=True))


def test_any_step_can_be_produced_without_those_before_it(batches, whole):
    assert equal(whole[7:], batches(7, 12))
    assert not equal(whole[:1], whole[1:2])
    for images, targets in whole:
        assert images.shape == (16, 24, 24, 3)
        assert images.dtype == np.uint8
        np.testing.assert_allclose(targets.sum(axis=-1), 1.0, atol=1e-6)


def test_one_stream_goes_through_all_stages(digits_dir, make_tiny, tmp_path):
    changes = {"n_stages": 3, "base_img_size": 16, "max_epochs": 3, "base_cutmix": 0.0}
    config = make_tiny(tmp_path).model_copy(update=changes)
    index = record_index.build_index(record_index.find_shards(str(digits_dir), ("train",)))
    stages = Schedule(config, len(index), 1).stages()
    assert [stage.img_size for stage, _, _ in stages] == [16, 20, 24]

    def stream(stages, begin):
        dataset = train_dataset(index, config, stages, begin, CLASSES, SingleProcess())
        return list(dataset.as_numpy_iterator())

    whole = stream(stages, 0)
    for stage, first, end in stages:
        part = whole[first:end]
        assert {images.shape for images, _ in part} == {(16, stage.img_size, stage.img_size, 3)}
        assert equal(part, stream([(stage, first, end)], first))  # as if it were the only one
    begin = stages[0][2] - 1  # before a change of stage
    assert equal(whole[begin:], stream(stages, begin))


def test_tracing_writes_no_files(batches, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where AutoGraph writes code
    before = sorted(tmp_path.iterdir())
    assert len(batches(0, 2)) == 2
    assert sorted(tmp_path.iterdir()) == before


def test_an_epoch_looks_different_the_next_time(batches):
    # Batches of 15 divide the 150 images, so step 10 starts the second epoch.
    plain = {"train_batch_size": 15, "cutmix_alpha": 0.0, "random_flip": False}
    first, second = batches(0, 10, **plain), batches(10, 20, **plain)
    counts = [sum(targets.sum(axis=0) for _, targets in epoch) for epoch in (first, second)]
    assert np.array_equal(*counts)  # the same images
    assert not equal(first, second)


def test_ranks_read_the_batch_of_one_process(batches):
    plain = {"cutmix_alpha": 0.0}
    [(images, targets)] = batches(3, 4, **plain)
    parts = [batches(3, 4, OneOfRanks(r, 2), train_batch_size=8, **plain)[0] for r in range(2)]
    assert np.array_equal(np.concatenate([part[0] for part in parts]), images)
    assert np.array_equal(np.concatenate([part[1] for part in parts]), targets)


# The larger batches are made in groups: of 24, and of 30 images.
@pytest.mark.parametrize(("parts", "size"), [(3, 16), (5, 12)])
def test_the_batch_does_not_change_the_images(batches, parts, size):
    plain = {"cutmix_alpha": 0.0}
    small = batches(0, 2 * parts, train_batch_size=size, **plain)
    large = batches(0, 2, train_batch_size=size * parts, **plain)
    joined = [np.concatenate(arrays) for arrays in zip(*small, strict=True)]
    assert all(
        np.array_equal(np.concatenate(arrays), expected)
        for arrays, expected in zip(zip(*large, strict=True), joined, strict=True)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"augmenter_name": "autoaugment"},
        {"raug_magnitude": 0.0},
        {"raug_magnitude": 20.0},
        {"raug_num_layers": 1},
        {"random_flip": False},
        {"crop_min_area": 1.0},
        {"cutmix_alpha": 0.0},
        {"mixup_alpha": 0.5},
        {"seed": 1},
        {"seed": 2**40},
        {"seed": 2**63 - 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_setting_of_the_augmentation_is_used(batches, whole, changes):
    assert not equal(whole[:2], batches(0, 2, **changes))


@pytest.mark.parametrize(("num_records", "size"), [(50, 1), (50, 3), (3, 5)])
def test_evaluation_is_shared_out_without_loss(make_tiny, tmp_path, num_records, size):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, CLASSES, num_records).tolist()
    images = generator.integers(0, 256, (num_records, 8, 8), np.uint8)
    shard = tmp_path / features.shard_name("eval", 0, 1)
    write_records(shard, [example(*pair) for pair in zip(images, labels, strict=True)])
    index = record_index.build_index([str(shard)])
    config = make_tiny(tmp_path).model_copy(update={"eval_batch_size": 7})
    # Of five ranks for three records some have nothing.
    parts = [eval_dataset(index, config, CLASSES, OneOfRanks(rank, size)) for rank in range(size)]
    found = [int(n) for part in parts for _, batch in part.as_numpy_iterator() for n in batch]
    assert sorted(found) == sorted(labels)


def test_a_label_out_of_range_is_told(batches):
    with pytest.raises(tf.errors.InvalidArgumentError, match="label_offset"):
        batches(0, 3, label_offset=1)
