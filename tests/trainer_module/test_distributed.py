"""What several ranks do together, in real Horovod jobs on this machine."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# One step on 2 x 4 images; each rank writes how the weights moved, the statistics, the metrics.
STEP = """
import json, sys
import numpy as np, tensorflow as tf
from trainer_module import distributed
from trainer_module.build import build
from trainer_module.config import TrainConfig

settings = json.loads(sys.argv[1])
ranks = distributed.join(settings.get("hvd_fp16_compression", False))
images = np.random.default_rng(0).integers(0, 256, (8, 48, 48, 3)).astype(np.uint8)
targets = tf.one_hot(np.arange(8) % 5, 5)
size = 8 // ranks.size
mine = slice(ranks.rank * size, (ranks.rank + 1) * size)
config = TrainConfig(
    optimizer="sgd", momentum=0.0, weight_decay=0.0, dropout_rate=0.0, survival_prob=1.0,
    label_smoothing=0.0, moving_average_decay=0.0, bn_momentum=0.5, train_batch_size=size,
    width_coefficient=0.1, depth_coefficient=0.1, **settings)
built = build(config, 5, ranks)
state = built.state
before = np.concatenate([parameter.value.numpy() for parameter in state.parameters])
metrics = built.step(tf.constant(images[mine]), targets[mine], tf.constant(0.1), tf.constant(0.0))
after = np.concatenate([parameter.value.numpy() for parameter in state.parameters])
result = {"moved": (after - before).tolist(), "metrics": metrics.numpy().tolist(),
          "statistics": state.statistics.numpy().tolist()}
open(sys.argv[2] + str(ranks.rank), "w").write(json.dumps(result))
"""


@pytest.fixture
def step(tmp_path):
    def run(processes: int, **settings):
        script, prefix = tmp_path / "step.py", tmp_path / f"{processes}-{len(settings)}-"
        script.write_text(STEP)
        command = [sys.executable, str(script), json.dumps(settings), str(prefix)]
        if processes > 1:
            launcher = [sys.executable, "-m", "horovod.runner.launch", "--gloo"]
            command = [*launcher, "-np", str(processes), *command]
        subprocess.run(command, check=True, capture_output=True, timeout=240)
        first, *others = (
            json.loads(Path(f"{prefix}{rank}").read_text()) for rank in range(processes)
        )
        assert all(other == first for other in others)  # bit for bit the same on every rank
        return {name: np.asarray(values) for name, values in first.items()}

    return run


def test_two_ranks_with_syncbn_take_the_step_of_one_with_the_whole_batch(step):
    alone, together = step(1), step(2, batch_norm="syncbn")
    np.testing.assert_allclose(together["moved"], alone["moved"], atol=2e-4)
    np.testing.assert_allclose(together["metrics"], alone["metrics"], rtol=1e-3)
    assert np.abs(alone["moved"]).max() > 0.01
    apart = step(2)
    assert np.abs(apart["moved"] - alone["moved"]).max() > 10 * 2e-4


def test_compressed_gradients_are_nearly_the_same(step):
    plain, compressed = step(2), step(2, hvd_fp16_compression=True, grad_accum_steps=1)
    np.testing.assert_allclose(compressed["moved"], plain["moved"], rtol=0.01, atol=1e-4)
    assert not np.array_equal(compressed["moved"], plain["moved"])
    # Only gradients are compressed.
    np.testing.assert_array_equal(compressed["statistics"], plain["statistics"])


# Every combination in one job: starting it costs more than the steps.
MATRIX = """
import itertools, json, sys
import numpy as np, tensorflow as tf
from trainer_module import distributed
from trainer_module.build import build
from trainer_module.config import TrainConfig

ranks = distributed.join(fp16_compression=False)
generator = np.random.default_rng(ranks.rank)
images = tf.constant(generator.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8))
targets = tf.one_hot(generator.integers(0, 5, 8), 5)
results = {}
for amp, xla, parts in itertools.product([False, True], [False, True], [1, 2]):
    config = TrainConfig(
        optimizer="adam", momentum=0.9, decay=0.99, clip_norm=1.0, train_batch_size=8,
        dropout_rate=0.0, survival_prob=1.0, moving_average_decay=0.9,
        width_coefficient=0.1, depth_coefficient=0.1,
        use_amp=amp, use_xla=xla, grad_accum_steps=parts)
    built = build(config, 5, ranks)
    rate, stop = tf.constant(0.05), tf.constant(0.0)
    losses = [float(built.step(images, targets, rate, stop)[0]) for _ in range(6)]
    weights = [float(tf.reduce_sum(tf.abs(v))) for v in built.state.model_variables()]
    results[f"amp {amp}, xla {xla}, {parts} parts"] = {"losses": losses, "weights": weights}
open(sys.argv[1] + str(ranks.rank), "w").write(json.dumps(results))
"""


def test_amp_xla_and_accumulation_work_together_on_two_ranks(tmp_path):
    script, prefix = tmp_path / "matrix.py", tmp_path / "matrix-"
    script.write_text(MATRIX)
    command = [sys.executable, "-m", "horovod.runner.launch", "--gloo", "-np", "2"]
    subprocess.run(
        [*command, sys.executable, str(script), str(prefix)],
        check=True,
        capture_output=True,
        timeout=400,
    )
    first, second = (json.loads(Path(f"{prefix}{rank}").read_text()) for rank in range(2))
    assert len(first) == 8
    assert first == second
    for name, result in first.items():
        assert result["losses"][-1] < 0.9 * result["losses"][0], name
