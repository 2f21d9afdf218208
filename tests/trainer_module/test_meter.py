"""Throughput and metrics between two lines of the log."""

import json

import pytest
import tensorflow as tf
from stand_ins import Clock

from trainer_module.config import TrainConfig
from trainer_module.meter import (
    MAX_SKIPPED_IN_A_ROW,
    METRICS_DELAY_STEPS,
    Meter,
    TrainingError,
)
from trainer_module.run_log import RunLog
from trainer_module.schedule import Schedule
from trainer_module.stages import stage_schedule


@pytest.fixture
def metered(tmp_path):
    clock = Clock()
    config = TrainConfig(train_batch_size=10)
    schedule = Schedule(config, examples=100, ranks=1)
    log = RunLog(str(tmp_path), True, schedule.total_steps, clock=clock)
    meter = Meter(log, schedule, interval_secs=5.0, clock=clock)
    [stage] = stage_schedule(config)

    def step(
        number: int, loss: float = 1.0, top_1: float = 0.5, stop: float = 0, skipped: float = 0
    ):
        clock.now += 1.0
        meter.add(stage, number, tf.constant([loss, top_1, stop, skipped]))

    def lines():
        path = tmp_path / "train_log.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return meter, step, lines


def test_throughput_is_of_the_steps_and_seconds_of_the_line(metered):
    meter, step, lines = metered
    for number in range(1, 13):
        step(number)
        if number in (5, 7):  # as before an evaluation or a checkpoint
            meter.flush()
    meter.flush()
    assert [line["step"] for line in lines()] == [5, 7, 12]
    assert [line["images_per_sec"] for line in lines()] == [10.0, 10.0, 10.0]
    assert (meter.images, meter.secs) == (120, 12.0)
    assert meter.by_stage == {0: [300, 120, 12.0]}


def test_the_time_left_knows_that_later_stages_are_slower(tmp_path):
    clock = Clock()
    sizes = {"n_stages": 2, "base_img_size": 16, "img_size": 48}
    config = TrainConfig(train_batch_size=10, max_epochs=4, lr_warmup_epochs=0, **sizes)
    schedule = Schedule(config, examples=100, ranks=1)
    log = RunLog(str(tmp_path), True, schedule.total_steps, clock=clock)
    meter = Meter(log, schedule, interval_secs=0.0, clock=clock)
    clock.now += 60.0  # tracing is over once there is a first line
    total_secs = 20 * 1.0 + 20 * 9.0
    for stage, first, end in schedule.stages():
        for number in range(first + 1, end + 1):
            clock.now += stage.img_size**2 / 16**2
            meter.add(stage, number, tf.constant([1.0, 0.5, 0.0, 0.0]))
    lines = [json.loads(line) for line in (tmp_path / "train_log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 41))
    assert lines[0]["eta_secs"] is None
    assert lines[1]["eta_secs"] == pytest.approx(total_secs - 2, abs=0.1)
    assert lines[20]["eta_secs"] == pytest.approx(total_secs - 29, abs=0.1)
    assert lines[-1]["eta_secs"] == 0


def test_skipped_steps_are_counted_and_not_averaged(metered):
    meter, step, lines = metered
    step(1, loss=2.0)
    step(2, loss=float("nan"), skipped=1)
    step(3, loss=4.0)
    meter.flush()
    [line] = lines()
    assert (line["loss"], line["skipped_steps"]) == (3.0, 1)


def test_many_skipped_steps_in_a_row_end_the_training(metered):
    meter, step, _ = metered
    step(1)

    def diverge():
        for number in range(2, 2 + 2 * MAX_SKIPPED_IN_A_ROW):
            step(number, loss=float("inf"), skipped=1)

    with pytest.raises(TrainingError, match="lower lr_init"):
        diverge()
    meter.flush()
    # The decision comes some steps late, as a device runs ahead of the host.
    assert MAX_SKIPPED_IN_A_ROW <= meter.skipped <= MAX_SKIPPED_IN_A_ROW + METRICS_DELAY_STEPS


@pytest.mark.parametrize("flushed_after", [None, 3, 4, 5])
def test_a_stop_is_agreed_after_the_same_steps_whatever_the_clock_says(metered, flushed_after):
    meter, step, _ = metered
    agreed = []
    for number in range(1, 7):
        step(number, stop=0.5 if number == 3 else 0.0)
        if number == flushed_after:
            meter.flush()
        agreed.append(meter.stop_agreed)
    assert agreed == [False, False, False, False, True, True]
