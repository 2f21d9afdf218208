"""What the person sees of a training."""

import fcntl
import io
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator

import pytest
from rich.console import Console

from trainer_module.job import terminal
from trainer_module.run_files import LOG_FILE
from trainer_module.run_log import RunLog

INTERVAL = {
    "step": 40,
    "epoch": 2.5,
    "stage": 1,
    "img_size": 48,
    "loss": 0.25,
    "top_1_train": 0.875,
    "lr": 0.001,
    "images_per_sec": 123.4,
    "eta_secs": 83.5,
}
SHOWN = ("stage 2", "48 px", "epoch 2.50", "loss 0.2500", "top-1 0.8750", "123.4 images/s", "1:23")
CURSOR_SHOWN = "\x1b[?25h"

TELL_ENVIRONMENT = """
import sys
from trainer_module.job import terminal
print(terminal.environment(), file=sys.stderr)
"""


@pytest.fixture
def show(tmp_path):
    def make(terminal: bool) -> tuple[RunLog, io.StringIO]:
        screen = io.StringIO()
        console = Console(file=screen, force_terminal=terminal, width=160, highlight=False)
        return RunLog(str(tmp_path), True, 80, console=console), screen

    return make


def test_without_a_terminal_there_are_plain_lines(show):
    log, screen = show(False)
    log.progress(INTERVAL)
    log.say("[exporting]")
    log.close()
    first, second = screen.getvalue().splitlines()
    assert all(text in first for text in ("step 40/80", *SHOWN))
    assert second == "[exporting]"


def test_a_terminal_has_a_bar_that_goes_away(show, tmp_path):
    log, screen = show(True)
    log.progress(INTERVAL)
    log.say("evaluation")
    log.close()
    drawn = screen.getvalue()
    assert all(text in drawn for text in ("50%", *SHOWN))
    assert drawn.count("\x1b[?25l") == drawn.count(CURSOR_SHOWN) == 1  # the cursor is back
    [line] = (tmp_path / LOG_FILE).read_text().splitlines()
    assert json.loads(line)["total_steps"] == 80


@pytest.fixture
def screen() -> Iterator[tuple[int, int]]:
    """A terminal: the end that a person sees, and the end of the programs."""
    ends = pty.openpty()
    tty.setraw(ends[1])  # or the terminal changes line ends
    fcntl.ioctl(ends[1], termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    yield ends
    for end in ends:
        os.close(end)


def test_a_supervisor_tells_its_ranks_which_terminal_it_has(screen):
    command = [sys.executable, "-c", TELL_ENVIRONMENT]
    told = subprocess.run(command, stdout=screen[1], stderr=subprocess.PIPE, text=True, check=True)
    assert told.stderr.strip() == str({terminal.VARIABLE: os.ttyname(screen[1])})
    none = subprocess.run(command, capture_output=True, text=True, check=True)
    assert none.stderr.strip() == "{}"


def test_a_rank_without_a_terminal_draws_on_that_of_its_supervisor(
    screen, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv(terminal.VARIABLE, os.ttyname(screen[1]))
    log = RunLog(str(tmp_path), True, 80)
    log.progress(INTERVAL)
    log.close()
    drawn = b""
    while CURSOR_SHOWN.encode() not in drawn:  # a terminal hands on what it has by now
        assert select.select([screen[0]], [], [], 30)[0], drawn
        drawn += os.read(screen[0], 100_000)
    drawn = drawn.decode()
    assert all(text in drawn for text in ("50%", *SHOWN))
    assert capsys.readouterr().out == ""


def test_a_terminal_that_is_gone_leaves_plain_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(terminal.VARIABLE, str(tmp_path / "no" / "terminal"))
    log = RunLog(str(tmp_path), True, 80)
    log.progress(INTERVAL)
    assert "step 40/80" in capsys.readouterr().out


def test_only_the_first_rank_tells(tmp_path, capsys):
    log = RunLog(str(tmp_path), False, 80)
    log.progress(INTERVAL)
    log.say("nothing")
    assert capsys.readouterr().out == ""
    assert not (tmp_path / LOG_FILE).exists()
