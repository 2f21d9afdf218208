"""Signs of life of ranks, and how they are asked to stop where no signal reaches them."""

import signal

from trainer_module.job import heartbeat


def test_a_rank_on_any_machine_can_be_asked_to_stop_once(tmp_path):
    asked: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    try:
        beat = heartbeat.Heartbeat(str(tmp_path), rank=3, interval_secs=0.01)
        beat.start()
        [report] = heartbeat.read_all(str(tmp_path))
        assert report.rank == 3
        assert asked == []
        heartbeat.ask_to_stop(str(tmp_path))
        while not asked:
            signal.sigtimedwait([], 0.01)
        signal.sigtimedwait([], 0.1)  # several signs
        beat.stop(0)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert asked == [signal.SIGTERM]
