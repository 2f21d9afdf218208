"""Work with a server that may be away: it is given so many seconds, and what fails is told."""

import logging
import threading
from collections.abc import Callable

from preprocessing.failures import one_line

IsLate = Callable[[], bool]


def within(secs: float, work: Callable[[IsLate], None]) -> str | None:
    """Does something, and waits for it no longer than that.

    A client that hangs cannot be ended from outside: its thread is left behind, and ends with the
    process at the latest.

    Args:
      secs: how long to wait.
      work: what to do; it is given a function that says whether nobody waits for it any more, and
        does nothing further then.

    Returns:
      Why it did not end well, in one line; None if it did.
    """
    failed: list[str] = []
    is_late = threading.Event()

    def attempt() -> None:
        try:
            work(is_late.is_set)
        except Exception as error:  # whatever a client library raises must not end a run
            logging.exception("not sent")
            failed.append(one_line(error))

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(secs)
    if thread.is_alive():
        is_late.set()
        return f"no answer within {secs:g} s"
    return failed[0] if failed else None
