"""Runs `horovodrun`, without its tracebacks: `horovod_launcher [options of horovodrun] COMMAND`.

How a rank ended stands in what it wrote of itself, and the supervisor tells it. What `horovodrun`
adds is the traceback of an error of its own, which says that some rank has ended.
"""

import runpy
import sys

_FAILED = 1
# Of its message where a rank has failed.
_RANK_FAILED = "one or more processes exited with non-zero status"


def main() -> int:
    """Starts the ranks and waits for them; returns the exit status."""
    try:
        runpy.run_module("horovod.runner.launch", run_name="__main__", alter_sys=True)
    except RuntimeError as error:
        if _RANK_FAILED not in str(error):
            print(f"horovodrun: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
        return _FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
