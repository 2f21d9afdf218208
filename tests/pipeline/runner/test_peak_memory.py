import subprocess
import sys

import psutil

from pipeline.runner.peak_memory import PeakMemory

CHILD_MB = 150
# Fills its memory, says so, and waits to be told to end.
CHILD = f"data = b'x' * {CHILD_MB * 10**6}; print('filled', flush=True); input()"
GRANDCHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_memory_of_descendants_counts_and_is_remembered():
    own_mb = psutil.Process().memory_full_info().pss / 1e6
    with PeakMemory() as memory:
        child = subprocess.Popen(
            [sys.executable, "-c", GRANDCHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout.readline() == "filled\n"
        with PeakMemory() as inner:  # looks at its end at the latest
            pass
        child.communicate("\n")
    assert inner.peak_mb > own_mb + CHILD_MB
    # The outer one looks twice a second; it need not have seen the child at its most.
    assert memory.peak_mb > own_mb * 0.9


def test_each_block_is_measured_alone():
    with PeakMemory() as before:
        data = b"x" * (CHILD_MB * 10**6)
        with PeakMemory() as filled:
            assert len(data) == CHILD_MB * 10**6
        del data
    with PeakMemory() as after:
        pass
    assert filled.peak_mb > after.peak_mb + 0.9 * CHILD_MB
    assert before.peak_mb >= after.peak_mb
