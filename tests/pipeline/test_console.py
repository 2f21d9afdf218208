import io

from pipeline.console import RunConsole
from pipeline.progress_display import PLAIN_INTERVAL_SECS


def test_without_a_terminal_there_are_plain_lines_now_and_then():
    stream, now = io.StringIO(), [0.0]
    console = RunConsole(stream, clock=lambda: now[0])
    console.node_started("HorovodTrainer", 6, 10)
    console.node_progress(0.1, "too soon")
    now[0] += PLAIN_INTERVAL_SECS
    console.node_progress(0.5, "epoch 1 [bold]")
    console.node_progress(0.6, "too soon again")
    now[0] += PLAIN_INTERVAL_SECS
    console.node_progress(None, "exporting")
    console.node_finished("HorovodTrainer", "ran", 12.34)
    assert stream.getvalue().splitlines() == [
        "[ 6/10] HorovodTrainer ...",
        "         50% epoch 1 [bold]",
        "        exporting",
        "[ 6/10] HorovodTrainer         ran        12.3 s",
    ]


def test_long_lines_stay_whole():
    stream = io.StringIO()
    RunConsole(stream).print("x" * 500)
    assert stream.getvalue() == "x" * 500 + "\n"
