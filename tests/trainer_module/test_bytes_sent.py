"""What crosses the network in an update, as Horovod's own timeline tells it."""

import json
import math
import os
import re
import subprocess
import sys

import pytest

# Two ranks take a step for each setting; rank 0 writes the size of the gradients.
STEPS = """
import json, sys
import horovod.tensorflow as hvd, numpy as np, tensorflow as tf
from trainer_module import distributed
from trainer_module.build import build
from trainer_module.config import TrainConfig

folder, settings = sys.argv[1], json.loads(sys.argv[2])
rank = distributed.join(False).rank
for number, (k, compress) in enumerate(settings):
    config = TrainConfig(
        train_batch_size=8, grad_accum_steps=k, hvd_fp16_compression=compress,
        moving_average_decay=0.0, optimizer="sgd", width_coefficient=0.1, depth_coefficient=0.1)
    built = build(config, 5, distributed.join(compress))
    hvd.start_timeline(f"{folder}/{number}.{rank}")
    built.step(tf.zeros([8, 32, 32, 3], tf.uint8), tf.one_hot(tf.range(8) % 5, 5),
               tf.constant(0.1), tf.constant(0.0))
    hvd.stop_timeline()
if rank == 0:
    sizes = {"gradients": built.network.kernels.size + built.network.vectors.size,
             "statistics": built.network.statistics.size}
    open(f"{folder}/sizes", "w").write(json.dumps(sizes))
"""
SETTINGS = [(1, False), (2, False), (4, False), (1, True), (4, True)]
BYTES = {"float16": 2, "float32": 4}


@pytest.fixture(scope="module")
def sent(tmp_path_factory) -> tuple[dict[str, int], list[dict[str, int]]]:
    """The sizes of the vectors, and the bytes sent by dtype for each setting."""
    folder = tmp_path_factory.mktemp("timelines")
    script = folder / "steps.py"
    script.write_text(STEPS)
    launcher = [sys.executable, "-m", "horovod.runner.launch", "--gloo", "-np", "2"]
    subprocess.run(
        [*launcher, sys.executable, str(script), str(folder), json.dumps(SETTINGS)],
        check=True,
        capture_output=True,
        timeout=240,
        env={**os.environ, "HOROVOD_TIMELINE": "DYNAMIC"},
    )
    results = []
    for number in range(len(SETTINGS)):
        timeline = (folder / f"{number}.0").read_text()
        by_dtype = dict.fromkeys(BYTES, 0)
        for dtype, shape in re.findall(r'"dtype": "(\w+)", "shape": "\[([\d, ]*)\]"', timeline):
            sides = [int(side) for side in shape.split(",") if side.strip()]
            by_dtype[dtype] += BYTES[dtype] * math.prod(sides)
        results.append(by_dtype)
    return json.loads((folder / "sizes").read_text()), results


def test_gradients_are_sent_once_whatever_the_number_of_micro_batches(sent):
    sizes, results = sent
    # Loss, top-1 and the question whether to stop go along with BatchNorm's statistics.
    rest = sizes["statistics"] + 3
    for (_, compress), result in zip(SETTINGS, results, strict=True):
        if compress:
            assert result == {"float16": 2 * sizes["gradients"], "float32": 4 * rest}
        else:
            assert result == {"float16": 0, "float32": 4 * (sizes["gradients"] + rest)}
