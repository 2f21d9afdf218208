"""Following a run to its end."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from kubeflow.submission.client import Client
from preprocessing import failures
from preprocessing.errors import AwayError
from preprocessing.text import one_line

# The first steps of a small run change fast; a training does not.
FIRST_POLL_SECS, LONGEST_POLL_SECS, POLL_GROWTH = 0.5, 10.0, 1.2
# A server that is restarted is back by then, and the run has gone on.
AWAY_SECS = 900
SUCCEEDED = "SUCCEEDED"
_ENDS = {SUCCEEDED: failures.DONE, "FAILED": failures.STEP_FAILED}
_ENDS |= {"CANCELED": failures.STEP_FAILED, "SKIPPED": failures.DONE}


def follow(
    client: Client, run_id: str, steps: Sequence[str], say: Callable[[str], None] = print
) -> int:
    """Says each change of a step's state, and waits for the end.

    Args:
      client: of the server.
      run_id: of the run.
      steps: names of the pipeline's steps; the server has tasks of its own beside them.
      say: gets a line for each change.

    Returns:
      The exit status: 0 the run succeeded, 3 it failed or was cancelled.

    Raises:
      InputError: the server refuses.
      AwayError: it has been away for 15 minutes.
    """
    told: dict[str, str] = {}
    pause, answered = FIRST_POLL_SECS, time.monotonic()
    while True:
        try:
            run = client.get(f"runs/{run_id}")
        except AwayError as error:
            if time.monotonic() - answered > AWAY_SECS:
                raise
            say(f"{error}; asking again")
            run = {}
        else:
            answered = time.monotonic()
            _tell_steps(run, steps, told, say)
        state = run.get("state", "")
        if state in _ENDS:
            say(f"run {state.lower()}{_reason(run)}")
            return _ENDS[state]
        if state and state != told.get(""):
            told[""] = state
            say(f"run {state.lower()}")
        time.sleep(pause)
        pause = min(pause * POLL_GROWTH, LONGEST_POLL_SECS)


def _tell_steps(
    run: dict[str, Any], steps: Sequence[str], told: dict[str, str], say: Callable[[str], None]
) -> None:
    tasks = (run.get("run_details") or {}).get("task_details") or []
    found = {task.get("display_name"): task for task in tasks}
    for step in steps:
        task = found.get(step) or {}
        state = task.get("state", "")
        if state and state != told.get(step):
            told[step] = state
            say(f"{step} {state.lower()}{_reason(task)}")


def _reason(task: dict[str, Any]) -> str:
    message = (task.get("error") or {}).get("message", "")
    return f": {one_line(' '.join(message.split()))}" if message else ""
