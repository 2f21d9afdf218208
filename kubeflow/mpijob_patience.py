"""How long nothing may happen to an MPIJob."""

import time
from collections.abc import Callable

from components.horovod_trainer.said import Said
from kubeflow.mpijob_state import Phase, State
from pipeline.mpijob_config import MpiJobConfig
from trainer_module.job import heartbeat


class Patience:
    """How long nothing may happen."""

    def __init__(
        self, job: MpiJobConfig, model_dir: str, clock: Callable[[], float] = time.monotonic
    ):
        """Starts counting.

        Args:
          job: the limits.
          model_dir: the training's folder, with the signs of life of its ranks.
          clock: seconds that never go back.
        """
        self._job, self._model_dir, self._clock = job, model_dir, clock
        self._last: object = None
        self._since = clock()

    def late(self, state: State, said: Said) -> str:
        """What has not happened in time; empty where all is well."""
        job = self._job
        running = state.phase is Phase.RUNNING
        # While it waits only another phase is news; while it runs every sign of life is.
        seen = (state.phase, self._signs(said)) if running else state.phase
        if seen != self._last or state.phase is Phase.SUSPENDED:
            self._last, self._since = seen, self._clock()
        limit = job.silence_timeout_secs if running else job.start_timeout_secs
        if self._clock() - self._since <= limit:
            return ""
        if state.phase is Phase.UNSEEN:
            return (
                f"the operator has not taken it up within {limit} s "
                "(kubeflow.mpijob.start_timeout_secs): it does not run, or refused the job"
            )
        if running:
            return f"nothing was heard of it for {limit} s (kubeflow.mpijob.silence_timeout_secs)"
        why = f": {state.text}" if state.text else ""
        return f"its pods did not run within {limit} s (kubeflow.mpijob.start_timeout_secs){why}"

    def _signs(self, said: Said) -> object:
        reports = heartbeat.read_all(self._model_dir)
        return said.count, [(report.rank, report.time) for report in reports]
