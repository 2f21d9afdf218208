"""Ctrl-C while a command's libraries are loaded."""

import contextlib
import signal
import threading
from collections.abc import Iterator


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
