"""Evaluations of real networks, also of broken ones."""

import numpy as np
import pytest
import tensorflow as tf

from trainer_module import finish
from trainer_module.build import build
from trainer_module.config import TrainConfig
from trainer_module.distributed import SingleProcess
from trainer_module.evaluate import Evaluation

CLASSES, IMAGES, SIZE_PX = 5, 12, 32


@pytest.fixture(scope="module")
def evaluate():
    """Evaluates a tiny network on noise, after a change of its BatchNorm statistics."""
    config = TrainConfig(width_coefficient=0.1, depth_coefficient=0.1)
    built = build(config, CLASSES, SingleProcess())
    evaluation = Evaluation(built.network, config, SingleProcess())
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (IMAGES, SIZE_PX, SIZE_PX, 3)).astype(np.uint8)
    labels = generator.integers(0, CLASSES, IMAGES)
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(5)

    def run(change=lambda statistics: statistics):
        kernels, vectors, statistics = (v.numpy() for v in built.state.model_variables())
        weights = [kernels, vectors, change(statistics)]
        return evaluation(dataset, [tf.constant(values) for values in weights])

    return run


def test_counts_every_image_once(evaluate):
    result = evaluate()
    assert (result["examples"], result["not_finite"]) == (IMAGES, 0)
    assert 0.0 <= result["top_1"] <= result["top_5"] == 1.0
    assert result["loss"] > 0.0


def test_weights_that_are_no_numbers_give_no_result_and_never_win(evaluate):
    good, broken = evaluate(), evaluate(lambda statistics: statistics * np.nan)
    assert (broken["examples"], broken["not_finite"]) == (IMAGES, IMAGES)
    assert broken["top_1"] is broken["top_5"] is broken["loss"] is None
    assert finish.better({"raw": broken, "ema": good}) == "ema"
    assert finish.better({"raw": good, "ema": broken}) == "raw"
    assert finish.better({"raw": broken, "ema": broken}) == "raw"
