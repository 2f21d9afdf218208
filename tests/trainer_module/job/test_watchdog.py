"""What is concluded from the ranks' signs of life."""

import json
import socket
import subprocess
import sys
import time

import pytest
from stand_ins import Clock

from trainer_module.job import heartbeat, processes
from trainer_module.job.heartbeat import Heartbeat
from trainer_module.job.watchdog import Fault, Outcome, Watch

HOST = socket.gethostname()
A_RANK_THAT_DIES = """
import os, sys
from trainer_module.job.heartbeat import Heartbeat
heart = Heartbeat(sys.argv[1], 1)
heart.step = 7
heart.start()
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ranks(tmp_path, clock):
    """Two ranks that give signs as often as can be, both in this process."""
    hearts = [Heartbeat(str(tmp_path), rank, 0.001, clock) for rank in range(2)]
    for heart in hearts:
        heart.start()
    yield hearts
    for heart in hearts:
        heart.stop(processes.DONE)


@pytest.fixture
def show(tmp_path, ranks, clock):
    """Waits until the ranks' signs are of this moment and say what the ranks were set to."""

    def wait() -> None:
        wanted = [(heart.phase, heart.step, heart.batches, clock.now) for heart in ranks]
        signs = None
        while signs != wanted:
            time.sleep(0.001)
            reports = heartbeat.read_all(str(tmp_path))[: len(ranks)]
            signs = [(report.phase, report.step, report.batches, report.time) for report in reports]

    return wait


def test_a_sign_says_who_where_and_how_far(tmp_path, ranks, clock, show):
    ranks[1].phase, ranks[1].step = heartbeat.TRAINING, 12
    clock.now = 1234.5
    show()
    sign = json.loads((tmp_path / "ranks" / "rank-1.json").read_text())
    assert (sign["rank"], sign["host"], sign["step"]) == (1, HOST, 12)
    assert sign["time"] == 1234.5
    assert heartbeat.read_all(str(tmp_path))[1].process().pid == sign["pid"]


def test_a_sign_holds_the_unix_time_when_no_clock_is_given(tmp_path):
    before = time.time()
    heart = Heartbeat(str(tmp_path), 0)
    heart.start()
    heart.stop(processes.DONE)
    [sign] = heartbeat.read_all(str(tmp_path))
    assert before <= sign.time <= time.time()


def test_steps_that_stop_are_a_stall_and_name_who_is_behind(tmp_path, ranks, clock, show):
    watch = Watch(str(tmp_path), 10, clock)
    for number, heart in enumerate(ranks):
        heart.phase, heart.step = heartbeat.TRAINING, 41 + number
    show()
    assert watch.look() is None
    clock.now = 9.0
    show()  # new signs, the same step
    assert watch.look() is None
    clock.now = 11.0
    show()
    assert watch.look() == Fault(f"rank 0 on {HOST} took no step for 10 s in step 41")


@pytest.mark.parametrize(
    ("phase", "doing"),
    [
        (heartbeat.STARTING, "starting"),
        (heartbeat.COMPILING, "compiling"),
        (heartbeat.FINISHING, "finishing"),
    ],
)
def test_what_takes_long_is_no_stall_before_a_longer_time(
    tmp_path, ranks, clock, phase, doing, show
):
    watch = Watch(str(tmp_path), 10, clock)
    ranks[0].phase, ranks[1].phase = heartbeat.TRAINING, phase
    show()
    for now in (0.0, 9.0, 18.0, 59.0):
        clock.now = now
        show()
        assert watch.look() is None
    clock.now = 61.0
    show()
    fault = watch.look()
    assert (
        fault.text == f"rank 1 on {HOST} went on {doing} for 60 s before its first step ({phase})"
    )


def test_batches_that_stop_are_a_stall(tmp_path, ranks, clock, show):
    watch = Watch(str(tmp_path), 10, clock)
    for heart in ranks:
        heart.phase, heart.step = heartbeat.EVALUATING, 30
    for batch in range(4):
        ranks[0].batches = batch
        clock.now = 9.0 * batch
        show()
        assert watch.look() is None
    clock.now += 11.0
    show()
    assert "evaluated no batch for 10 s in step 30" in watch.look().text


def test_a_silent_rank_is_named_in_any_phase(tmp_path, ranks, clock, show):
    watch = Watch(str(tmp_path), 10, clock)
    path = tmp_path / "ranks" / "rank-2.json"
    silent = {**json.loads((tmp_path / "ranks" / "rank-0.json").read_text()), "rank": 2}
    path.write_text(json.dumps(silent))
    assert watch.look() is None
    clock.now = 10.0
    show()  # the others give new signs
    fault = watch.look()
    assert fault.retryable
    assert fault.text.startswith(f"rank 2 on {HOST} gives no sign of life")


def test_a_dead_rank_is_named(tmp_path):
    subprocess.run([sys.executable, "-c", A_RANK_THAT_DIES, str(tmp_path)], check=False)
    dead = Fault(f"rank 1 on {HOST} died in step 7")
    watch = Watch(str(tmp_path), 600)
    assert watch.look() == dead
    assert watch.outcome(1) == dead


def test_the_first_error_counts(tmp_path):
    watch = Watch(str(tmp_path), 600)
    for rank, text in ((1, "OSError: no space"), (0, "UnknownError: a peer\nis gone")):
        heart = Heartbeat(str(tmp_path), rank)
        heart.start()
        heart.step = 3
        heart.stop(processes.CRASHED, text)
    fault = Fault(f"rank 1 on {HOST} failed in step 3: OSError: no space", by_error=True)
    assert watch.look() == fault
    assert watch.outcome(1) == fault


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((processes.DONE, processes.DONE), processes.DONE),
        ((processes.CRASHED, processes.BAD_INPUT), processes.BAD_INPUT),
        ((processes.FAILED, processes.CRASHED), processes.FAILED),
        ((processes.INTERRUPTED, processes.INTERRUPTED), processes.FAILED),
    ],
)
def test_what_ranks_say_counts_before_the_exit_status(tmp_path, statuses, expected):
    for rank, status in enumerate(statuses):
        heart = Heartbeat(str(tmp_path), rank)
        heart.start()
        heart.stop(status, "why" if status else "")
    outcome = Watch(str(tmp_path), 600).outcome(0)
    assert outcome == Outcome(expected, "why" if expected else "")


def test_ranks_that_lost_what_started_them_are_started_again(tmp_path, ranks, show):
    for number, heart in enumerate(ranks):
        heart.step = 5 + number
    show()
    fault = Watch(str(tmp_path), 600).outcome(-9)
    assert fault == Fault("what started the ranks ended with status -9 in step 5")


def test_ranks_that_never_began_are_not_started_again(tmp_path):
    assert not Watch(str(tmp_path), 600).outcome(1).retryable
    assert Watch(str(tmp_path), 600).outcome(0) == Outcome(processes.DONE)
