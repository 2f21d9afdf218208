"""Deadlines of tests, also of those that hang in C code.

pytest-timeout has the settings: `timeout` in pyproject.toml, the marker `timeout`, the option
`--timeout`. Its own timers are a signal, which is handled once a call of C code has returned, and a
thread, which needs the interpreter's lock. Instead, the watchdog of `faulthandler` ends a process
here: it is a thread in C that needs no lock, and prints the stacks of all others first. With
pytest-xdist the hanging test has then failed, and a new worker runs the remaining ones.
"""

import faulthandler
import os

import pytest

_stderr = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    # While a test runs, file descriptor 2 is a file that captures what the test prints.
    config.stash[_stderr] = os.dup(2)


def pytest_unconfigure(config: pytest.Config) -> None:
    os.close(config.stash[_stderr])


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item, settings) -> bool:
    """Starts the clock of a test; returns that no other timer is wanted."""
    file = item.config.stash[_stderr]
    faulthandler.dump_traceback_later(settings.timeout, exit=True, file=file)
    return True


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_cancel_timer() -> bool:
    """Stops the clock."""
    faulthandler.cancel_dump_traceback_later()
    return True


def pytest_enter_pdb() -> None:
    """A person who debugs has all the time."""
    faulthandler.cancel_dump_traceback_later()
