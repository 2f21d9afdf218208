"""`python -m trainer_module --data_dir DIR --model_dir DIR [flags]`."""

import os
import sys
import warnings
from collections.abc import Sequence

from preprocessing.errors import InputError
from trainer_module import distributed_env, flags, launch
from trainer_module.config import TrainConfig
from trainer_module.launch import BAD_INPUT, DONE, FAILED


def main(arguments: Sequence[str]) -> int:
    """Runs a training from flags; returns the exit status."""
    try:
        return run(flags.parse(arguments))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT


def run(config: TrainConfig) -> int:
    """Runs a training, with all its ranks; returns the exit status.

    Raises:
      InputError: the settings or the data cannot be used.
    """
    for name in ("data_dir", "model_dir"):
        if not getattr(config, name):
            raise InputError(f"--{name} is required")
    if config.num_processes > 1 and not distributed_env.in_horovod_job():
        status = launch.run_ranks(config)
        return DONE if status == 0 else FAILED
    _quieten()
    # Only now, so that a wrong flag is told at once.
    from trainer_module import loop

    try:
        loop.run(config)
    except (loop.TrainingError, loop.TrainingInterrupted) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    return DONE


def _quieten() -> None:
    # TensorFlow's notes on registered plug-ins and ended iterators are no news to anybody; what
    # it raises is told anyway. Inherited by the other ranks.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning, module="google")


if __name__ == "__main__":
    launch.die_with_parent()
    sys.exit(main(sys.argv[1:]))
