"""Signals that ask a program to end: for how long, and what they do."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Lets Ctrl-C end the process as the system does, without a word.

    For the imports of a command: inside of one Python prints a traceback, and libraries make
    errors of their own out of it.
    """
    handler = signal.getsignal(signal.SIGINT)
    # Not where Ctrl-C is ignored, as under nohup. Only the main thread may say what becomes of it.
    changes = handler is signal.default_int_handler
    changes = changes and threading.current_thread() is threading.main_thread()
    if changes:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        if changes:
            signal.signal(signal.SIGINT, handler)


@contextlib.contextmanager
def on_sigterm(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Lets SIGTERM call a function while the block runs; elsewhere than in the main thread nothing.

    Args:
      handle: gets the signal's number and the frame; may raise what ends the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return
    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
